"""Rows over the length limit: left out, cut in the middle of the prompt, or split into pieces; and what that loses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from tutelage.core.history import Fate, Ledger
from tutelage.core.records import Example, Record
from tutelage.training.rows import R
from tutelage.training.settings import TrainingSettings

REASON = "longer than maximum_tokens"
GAP = " [...] "  # stands where a prompt was cut


class Lost(Record):
    """Rows that were over the limit, by what became of them, and their tokens that nothing is learned from. Splitting loses none."""

    left_out: int = 0
    left_out_tokens: int = 0
    cut: int = 0
    cut_tokens: int = 0
    split: int = 0

    @property
    def tokens(self) -> int:
        """All tokens lost."""
        return self.left_out_tokens + self.cut_tokens


@dataclass(frozen=True)
class Fitter(Generic[R]):
    """Brings rows under the limit.

    `render` makes the row of an example. `pieces`, which tasks of plain text have, gives a text as rows of at most so many tokens,
    which together learn what the whole would.
    """

    settings: TrainingSettings
    render: Callable[[Example], R]
    pieces: Callable[[Example, int], Sequence[R]] | None = None

    def fit(self, example: Example, row: R) -> Sequence[R]:
        """The rows to use in place of the example's row: that itself if it is short enough; none if it is left out."""
        limit = self.settings.maximum_tokens
        if row.longest <= limit:
            return (row,)
        if self.settings.too_long == "split" and self.pieces:
            return self.pieces(example, limit)
        if self.settings.too_long != "truncate":
            return ()
        if self.pieces:
            return self.pieces(example, limit)[:1]
        cut = shorten(example, lambda one: self.render(one).longest <= limit)
        return (self.render(cut),) if cut else ()


def shorten(example: Example, fits: Callable[[Example], bool]) -> Example | None:
    """The example with the middle of its longest user message cut out, as little as will do. None if that does not suffice.

    Replies are never cut, so the end of each is still learned; what a prompt asks stands at its beginning or its end (Bai et al.
    2023, arXiv:2308.14508, section 4.1, cuts so too; of texts to classify Sun et al. 2019, arXiv:1905.05583, table 2).
    """
    places = [place for place, message in enumerate(example.prompt) if message.role == "user"]
    if not places:
        return None
    place = max(places, key=lambda one: len(example.messages[one].content))
    content = example.messages[place].content

    def with_kept(count: int) -> Example:
        """The example with so many characters of the message kept, half of them on each side."""
        text = content[: count - count // 2] + GAP + content[len(content) - count // 2:]
        message = example.messages[place].model_copy(update={"content": text})
        return example.model_copy(update={"messages": (*example.messages[:place], message, *example.messages[place + 1:])})

    most, too_many = 0, len(content)
    while too_many - most > 1:
        middle = (most + too_many) // 2
        most, too_many = (middle, too_many) if fits(with_kept(middle)) else (most, middle)
    return with_kept(most) if most else None


def record_fate(ledger: Ledger, example: Example, row: R, used: Sequence[R], limit: int) -> Lost:
    """Note what became of an example and its row, and give what was lost of it. `used` are the rows that are trained on in its place."""
    if not used:
        ledger.record(Fate(row=example.id, what="dropped", reason=REASON, name=example.heading,
                           detail=f"{row.longest} tokens; {limit} allowed"))
        return Lost(left_out=1, left_out_tokens=len(row.ids))
    if len(used) > 1:
        ledger.record(Fate(row=example.id, what="split", reason=REASON, name=example.heading, became=tuple(one.id for one in used),
                           detail=f"{row.longest} tokens; {limit} allowed"))
        return Lost(split=1)
    ledger.record(Fate(row=example.id, what="kept", reason=f"used for {example.part}", name=example.heading))
    if row.longest <= limit:
        return Lost()
    gone = len(row.ids) - len(used[0].ids)
    ledger.record(Fate(row=example.id, what="edited", reason=REASON, name=example.heading,
                       detail=f"{gone} of {len(row.ids)} tokens cut; {limit} allowed"))
    return Lost(cut=1, cut_tokens=gone)


def add_up(parts: Sequence[Lost]) -> Lost:
    """The sums."""
    return Lost(**{name: sum(getattr(part, name) for part in parts) for name in Lost.model_fields})
