"""What `show` says of an artifact."""

import json

from tutelage.cli.show import run_show
from tutelage.core.copies import EVIDENCE, Copies, CopyEvidence
from tutelage.core.events import Events
from tutelage.core.files import write_rows, write_whole
from tutelage.core.records import Score
from tutelage.core.settings import Settings
from tutelage.core.store import Store


def make_training(work, *files: str) -> None:
    with Store(work).making("training", "abc", version=1, recipe="r", settings=Settings(), parents={}, inputs={},
                            events=Events()) as making:
        for name in files:
            write_whole(making.folder / name, "x")


def test_showing_a_training_names_its_page_in_the_users_language(tmp_path, capsys):
    make_training(tmp_path, "report.en.html", "report.zh.html")
    for language, told in ((None, "page: "), ("en", "page: "), ("zh", "报告页面：")):
        run_show("training", None, work=tmp_path, language=language, as_json=False)
        page = tmp_path / "training" / "abc" / f"report.{language or 'en'}.html"
        assert capsys.readouterr().out.splitlines()[-1] == f"{told}{page}"


def test_showing_a_model_tells_what_was_measured_of_its_copies(tmp_path, capsys):
    refused = CopyEvidence(name="q4_k_m", quantisation="q4_k_m", shape="", kept=False, reason="model.copy.too_large",
                           size_bytes=105_000_000, facts={"figure": 105.0, "limit": 90})
    found = Copies(rows=16, documents=9, copies=(refused,), target="megabytes <= 90")
    with Store(tmp_path).making("model", "abc", version=1, recipe="r", settings=Settings(), parents={}, inputs={},
                                events=Events()) as making:
        write_whole(making.folder / EVIDENCE, found.model_dump_json())
    run_show("model", None, work=tmp_path, language="en", as_json=False)
    told = capsys.readouterr().out
    assert "Searched for: megabytes <= 90.\n" in told
    assert "copy q4_k_m: 105.0 MB, bits per byte -" in told
    assert "nobody beats it in: -. refused: its file has 105.0 MB; at most 90 are asked for" in told
    run_show("model", None, work=tmp_path, language="zh", as_json=False)
    assert "副本 q4_k_m：105.0 MB" in capsys.readouterr().out
    run_show("model", None, work=tmp_path, language="en", as_json=True)
    assert CopyEvidence.model_validate_json(capsys.readouterr().out.splitlines()[-1]) == refused


def test_what_has_no_page_names_none(tmp_path, capsys):
    make_training(tmp_path, "training.json")
    run_show("training", None, work=tmp_path, language="en", as_json=False)
    assert "page:" not in capsys.readouterr().out


def test_the_scores_are_one_object_for_each_candidate_and_metric_with_these_fields(tmp_path, capsys):
    base = Score(candidate="base", metric="bits_per_byte", value=0.95, low=0.9, high=1.0, n=150)
    tuned = Score(candidate="tuned", metric="bits_per_byte", value=0.78, low=0.75, high=0.8, n=150, versus="base", difference=-0.17,
                  difference_low=-0.19, difference_high=-0.15, verdict="better")
    with Store(tmp_path).making("scores", "abc", version=1, recipe="r", settings=Settings(), parents={}, inputs={},
                                events=Events()) as making:
        write_rows(making.folder / "scores.jsonl", [base, tuned])
    run_show("scores", None, work=tmp_path, language="en", as_json=True)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(one) for one in told] == [["candidate", "metric", "value", "low", "high", "n", "versus", "difference", "difference_low",
                                            "difference_high", "verdict"]] * 2
    assert told[1] == tuned.model_dump()
    run_show("scores", None, work=tmp_path, language="en", as_json=False)
    assert "0.7800 [0.7500, 0.8000] (n = 150)  against base: -0.1700 [-0.1900, -0.1500] better" in capsys.readouterr().out
