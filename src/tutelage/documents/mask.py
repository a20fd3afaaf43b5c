"""E-mail addresses of a row masked in all its fields together: an address has one number in the whole row."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from tutelage.core.edits import Edit, Step, apply, masked
from tutelage.guard.personal_data import Span, mask_emails

RULE = "emails"


@dataclass(frozen=True)
class MaskedField:
    """The field with placeholders; the spans count in the field as it was before, and the step makes the same of it."""

    text: str
    spans: tuple[Span, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was masked, without the addresses."""
        return (Step(rule=RULE, edits=_edits(self.spans)),) if self.spans else ()


def _edits(spans: tuple[Span, ...]) -> tuple[Edit, ...]:
    return tuple(masked(span.start, span.length, span.placeholder) for span in spans)


def mask_fields(fields: Mapping[str, str]) -> dict[str, MaskedField]:
    """Each field with its e-mail addresses replaced by [EMAIL_1], [EMAIL_2], ...: one number an address within all fields."""
    names, texts = list(fields), list(fields.values())
    # No address goes over the end of a line, so none is found across two fields.
    starts = [0, *accumulate(len(text) + 1 for text in texts)]
    spans: dict[str, list[Span]] = {name: [] for name in names}
    for span in mask_emails("\n".join(texts)).spans:
        place = bisect_right(starts, span.start) - 1
        spans[names[place]].append(span.model_copy(update={"start": span.start - starts[place]}))
    return {name: MaskedField(_without(text, tuple(spans[name])), tuple(spans[name])) for name, text in fields.items()}


def _without(text: str, spans: tuple[Span, ...]) -> str:
    return apply(text, [Step(rule=RULE, edits=_edits(spans))]) if spans else text
