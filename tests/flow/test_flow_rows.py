"""`tutelage show row` on a row of a dataset that the stages really made."""

import json
import re
from pathlib import Path

from small_flow import write_flow

from tutelage.cli.show import run_show
from tutelage.core.files import read_rows
from tutelage.core.records import Example
from tutelage.pipeline.conduct import make
from tutelage.pipeline.recipe import load_recipe


def test_the_life_of_a_row_goes_from_its_document_to_the_runs_that_used_it(tmp_path: Path, capsys) -> None:
    work = tmp_path / "work"
    made = make(load_recipe(write_flow(tmp_path)), work, until="dataset").artifacts
    example = next(row for row in read_rows(made["dataset"].file("examples.jsonl"), Example) if row.part == "train" and row.end)
    run_show("row", example.id, work=work, language="en", as_json=False)
    told = capsys.readouterr().out
    assert f"{example.document_id}  documents {made['documents'].id}: kept (fit)" in told
    assert f"{example.id}  dataset {made['dataset'].id}: kept (train)" in told
    assert f"characters {example.start} to {example.end} of the cleaned text" in told
    assert re.search(r"edits by rule: .*clause text \d+", told)
    assert re.search(rf"^dataset +{made['dataset'].id}: holds the row or was made from it; runs: \S+-flow-\d+$", told, re.MULTILINE)
    run_show("row", example.id, work=work, language="zh", as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [origin] = [line["origin"] for line in lines if "origin" in line]
    assert origin["edits"]["clause text"] >= 1
    assert [line["use"]["stage"] for line in lines if "use" in line] == ["dataset"]
