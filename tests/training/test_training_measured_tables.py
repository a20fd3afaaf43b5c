"""The tables of the training page say what the results say, and the page says where one was not measured."""

import importlib.util
import json
from pathlib import Path

import pytest

MEASURED = Path(__file__).parents[2] / "docs" / "measured.py"
LORA = {"before": 0.9, "after": 0.72, "learning_rate": 2e-3, "tokens_per_second": 250.4, "path": "packed", "written_mb": 19.6,
        "peak_gib": 2.5}
FAILED = {"before": 0.9, "after": None, "learning_rate": 1e-2, "failed": "the loss of step 3 is nan", "peak_gib": 2.6}


@pytest.fixture
def measured():
    spec = importlib.util.spec_from_file_location("measured", MEASURED)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_row_a_method_with_what_it_costs_and_gives(measured):
    told = measured.methods_table({"rows": 96, "steps": 12, "methods": {"lora": LORA, "full at 1": FAILED}})
    assert "96 rows of the demo's dataset, 12 steps of 8 rows" in told
    assert "| lora | 0.002 | 0.9 | 0.72 | 20.0 % | 250 | 2.5 GiB | 19.6 MB | packed |\n" in told  # 1 - 0.72 / 0.9
    assert "| full at 1 | | 0.9 | no number | learned nothing | | 2.6 GiB | | |\n" in told


def test_a_row_a_step_size(measured):
    told = measured.sweep_table({"rows": 128, "rows_a_step": 16, "validation_rows": 32, "cases": {"lora 0.002": LORA, "lora 0.01": FAILED}})
    assert "128 rows of the demo's dataset, each seen once, 16 a step unless told otherwise" in told
    assert "| lora 0.002 | 0.9 | 0.72 | 20.0 % |\n| lora 0.01 | 0.9 | no number | learned nothing |\n" in told


def test_a_page_without_the_place_of_a_table_is_refused(measured):
    with pytest.raises(ValueError, match=r"has no place for the table training-methods: write a line '<!-- made from benchmarks/results/"):
        measured.with_tables("# training\n")


def test_the_page_shows_the_results_or_says_that_there_are_none(measured):
    page = (MEASURED.parent / measured.PAGE).read_text("utf-8")
    for name in measured.TABLES:
        path = measured.RESULTS / f"{name}.json"
        expected = f"Taken {json.loads(path.read_text())['taken']} on " if path.exists() else "Not measured on this build yet: `make bench "
        assert expected in measured.with_tables(page).partition(measured.BEGIN.format(name=name))[2].partition(measured.END)[0]
