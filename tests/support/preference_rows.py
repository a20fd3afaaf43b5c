"""Rows of preferences that a tiny model can learn: replies in days are better than replies in weeks."""

from __future__ import annotations

from training_stage import PERIODS, SUBJECTS, make_example

from tutelage.core.records import Example, Part


def pairs(count: int = 18) -> list[Example]:
    """Preference rows of one shape: the last six are for validation."""
    rows = []
    for number in range(count):
        better, worse, prompt = _texts(number)
        rows.append(make_example(f"pair{number:02d}", prompt, better, _part(number, count)).model_copy(
            update={"task": "preference", "rejected": worse}))
    return rows


def judged(count: int = 18) -> list[Example]:
    """Feedback rows of one shape, two wanted for one unwanted: the last six are for validation."""
    rows = []
    for number in range(count):
        better, worse, prompt = _texts(number)
        is_wanted = number % 3 != 2
        rows.append(make_example(f"judged{number:02d}", prompt, better if is_wanted else worse, _part(number, count)).model_copy(
            update={"task": "feedback", "label": "true" if is_wanted else "false"}))
    return rows


def _texts(number: int) -> tuple[str, str, str]:
    subject, period = SUBJECTS[number % len(SUBJECTS)], PERIODS[number % len(PERIODS)]
    return (f"The {subject} shall be complete within {period} days.", f"The {subject} may be complete after {period} weeks.",
            f"Write a clause. Keywords: {subject}.")


def _part(number: int, count: int) -> Part:
    return "validation" if number >= count - 6 else "train"
