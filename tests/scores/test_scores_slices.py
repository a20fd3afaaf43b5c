"""Slices: where the copy is better, and which of many differences hold together."""

import math

import pytest
from fake_scores import example

from tutelage.core.records import Example
from tutelage.scores.results import RowMeasure
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.slices import slices

SETTINGS = ScoresSettings(bootstrap=1000)


def measured(row: Example, candidate: str, bits: float, size: int = 200) -> RowMeasure:
    return RowMeasure(row=row.id, candidate=candidate, document_id=row.document_id, clause_type=row.clause_type,
                      nats=bits * size * math.log(2), reply_tokens=50, size_bytes=size, bits_per_byte=bits)


def made(gains: dict[str, list[float]]) -> tuple[list[RowMeasure], list[RowMeasure], dict[str, Example]]:
    rows = {row.id: row for kind, values in gains.items() for number, _ in enumerate(values)
            for row in [example(number, "held_out", kind, f"text {kind} {number}", f"{kind}-{number}").model_copy(
                update={"id": f"{kind}-{number}"})]}
    base = [measured(row, "base", 1.0) for row in rows.values()]
    flat = [gain for values in gains.values() for gain in values]
    return [measured(row, "copy", 1.0 - gain) for row, gain in zip(rows.values(), flat, strict=True)], base, rows


def test_a_type_that_gains_and_one_that_loses_are_told_apart():
    copy, base, rows = made({"payment": [0.1 + 0.001 * n for n in range(12)], "confidentiality": [-0.1 - 0.001 * n for n in range(12)]})
    found = {one.name: one for one in slices(copy, base, rows, set(), SETTINGS)}
    assert found["payment"].difference == pytest.approx(-0.1055)  # the mean gain of 0.1 to 0.111
    assert found["payment"].holds is True
    assert found["payment"].high < 0
    assert found["confidentiality"].difference == pytest.approx(0.1055)
    assert found["confidentiality"].holds is True
    assert found["en"].n == 24
    assert found["en"].holds is False, "gains and losses cancel out"


def test_a_slice_of_too_few_documents_gives_no_verdict():
    copy, base, rows = made({"payment": [0.1] * 5, "termination": [0.1 + 0.001 * n for n in range(8)]})
    found = {one.name: one for one in slices(copy, base, rows, set(), SETTINGS)}
    assert found["payment"].holds is None
    assert found["termination"].holds is True


def test_familiar_and_novel_rows_and_lengths_are_slices_too():
    copy, base, rows = made({"payment": [0.1] * 6})
    copy = [row.model_copy(update={"size_bytes": 700}) if row.row == "payment-0" else row for row in copy]
    found = {(one.kind, one.name): one.n for one in slices(copy, base, rows, {"payment-1", "payment-2"}, SETTINGS)}
    assert found[("relative", "familiar")] == 2
    assert found[("relative", "novel")] == 4
    assert found[("length", "long")] == 1
    assert found[("length", "short")] == 5


def test_among_many_slices_without_a_difference_hardly_any_holds():
    values = {f"type{number}": [((number * 7 + place * 13) % 11 - 5) / 50 for place in range(8)] for number in range(20)}
    copy, base, rows = made(values)
    found = [one for one in slices(copy, base, rows, set(), SETTINGS) if one.kind == "clause_type"]
    assert len(found) == 20
    assert sum(one.holds is True for one in found) <= 1
