"""`tutelage plan`: what would be done, what the data holds, and what the training would take, before the long work."""

import json
import subprocess

from small_flow import command, write_flow

from tutelage.pipeline.runs import newest_artifact


def test_the_plan_tells_what_the_data_holds_in_both_languages_and_as_json(tmp_path):
    recipe, work = str(write_flow(tmp_path)), str(tmp_path / "work")
    first = next(path for path in sorted((tmp_path / "contracts").iterdir()) if path.suffix == ".txt")
    (tmp_path / "contracts" / "zz-copy.txt").write_bytes(first.read_bytes())
    told = subprocess.run(command("plan", recipe, "--work", work, "--no-probe"), capture_output=True, text=True, check=True).stdout
    for piece in ("dropped: exact duplicate 1", "1 of 2 texts", "12 held out", "tokens a row (", "<- limit 1,024: 0 rows are longer",
                  "as it is split: 0.0 % of 12 held-out rows have a twin in training", "report.en.html"):
        assert piece in told, piece
    asked = command("plan", recipe, "--work", work, "--no-probe", "--language", "zh")
    chinese = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert "完全重复 1" in chinese
    assert "report.zh.html" in chinese
    asked = command("plan", recipe, "--work", work, "--no-probe", "--json")
    lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert not any(word in told + chinese + lines for word in ("promise:", "承诺", '"promise"'))
    reports = {row["stage"]: row["report"] for row in map(json.loads, lines.splitlines()) if "report" in row}
    assert reports["documents"]["dropped"] == {"exact duplicate": 1}
    assert sum(reports["dataset"]["rows"].values()) == len(reports["dataset"]["tokens"])


def test_without_the_data_nothing_is_read_and_nothing_made(tmp_path):
    recipe, work = str(write_flow(tmp_path)), tmp_path / "work"
    told = subprocess.run(command("plan", recipe, "--work", str(work), "--no-data"), capture_output=True, text=True, check=True).stdout
    assert "dropped" not in told
    assert not (work / "documents").exists()


def test_the_plan_says_which_copies_a_search_would_try_and_how_large_they_are(tmp_path):
    recipe, work = str(write_flow(tmp_path)), str(tmp_path / "work")
    asked = command("plan", recipe, "--work", work, "--no-data", "--set", "model.target.megabytes=1", "--set", "model.onnx=int8")
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert "the search of the model stage tries 8 copies, about 6 min when each is measured" in told
    assert "  q4_k_m       about 0 MB, keeps to the target\n" in told
    assert "  onnx-fp32    about 2 MB, beyond the target: written, not measured\n" in told


def test_the_plan_promises_minutes_and_memory_and_the_training_takes_the_promise_over(tmp_path):
    recipe, work = str(write_flow(tmp_path)), tmp_path / "work"
    options = (recipe, "--work", str(work), "--until", "training")
    lines = subprocess.run(command("plan", *options, "--json"), capture_output=True, text=True, check=True).stdout
    promised = json.loads(lines.splitlines()[-1])
    assert promised["stage"] == "training"
    assert promised["promise"]["work"]["steps"] == 6
    assert 0 < promised["promise"]["minutes"] < 10
    again = subprocess.run(command("plan", *options, "--language", "zh"), capture_output=True, text=True, check=True).stdout
    assert "共 6 步" in again
    done = subprocess.run(command("make", *options), capture_output=True, text=True, check=True)
    made = newest_artifact(work, "flow", "training")
    summary = json.loads(made.file("training.json").read_text())
    assert summary["promise"] == promised["promise"]
    assert f"{summary['kept']['promised_minutes']:.1f} were promised for its steps" in done.stderr
    after = subprocess.run(command("plan", *options), capture_output=True, text=True, check=True).stdout
    assert "promise: at most" not in after
