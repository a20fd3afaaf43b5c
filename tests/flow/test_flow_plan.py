"""`tutelage plan`: what would be done, and what the data holds, before the long work."""

import json
import subprocess

from small_flow import command, write_flow


def test_the_plan_tells_what_the_data_holds_in_both_languages_and_as_json(tmp_path):
    recipe, work = str(write_flow(tmp_path)), str(tmp_path / "work")
    first = next(path for path in sorted((tmp_path / "contracts").iterdir()) if path.suffix == ".txt")
    (tmp_path / "contracts" / "zz-copy.txt").write_bytes(first.read_bytes())
    told = subprocess.run(command("plan", recipe, "--work", work), capture_output=True, text=True, check=True).stdout
    for piece in ("dropped: exact duplicate 1", "1 of 2 texts", "12 held out", "tokens a row (", "<- limit 1,024: 0 rows are longer",
                  "as it is split: 0.0 % of 12 held-out rows have a twin in training", "report.en.html"):
        assert piece in told, piece
    chinese = subprocess.run(command("plan", recipe, "--work", work, "--language", "zh"), capture_output=True, text=True, check=True).stdout
    assert "完全重复 1" in chinese
    assert "report.zh.html" in chinese
    lines = subprocess.run(command("plan", recipe, "--work", work, "--json"), capture_output=True, text=True, check=True).stdout
    reports = {row["stage"]: row["report"] for row in map(json.loads, lines.splitlines()) if "report" in row}
    assert reports["documents"]["dropped"] == {"exact duplicate": 1}
    assert sum(reports["dataset"]["rows"].values()) == len(reports["dataset"]["tokens"])


def test_without_the_data_nothing_is_read_and_nothing_made(tmp_path):
    recipe, work = str(write_flow(tmp_path)), tmp_path / "work"
    told = subprocess.run(command("plan", recipe, "--work", str(work), "--no-data"), capture_output=True, text=True, check=True).stdout
    assert "dropped" not in told
    assert not (work / "documents").exists()
