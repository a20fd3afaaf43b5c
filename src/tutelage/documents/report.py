"""What the stage found, for clusters.json and report.json: clusters of near-duplicates, and counts of everything."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tutelage.core.history import Ledger
from tutelage.core.records import Document, Record
from tutelage.documents.batches import Tally
from tutelage.documents.dedupe import Giant, Twin
from tutelage.text.diff import Change, redline

BIGGEST = 10
# A redline shows so much of what stays around each change, so many changes, and looks at so much of two texts.
AROUND = 80
MOST_PIECES = 40
COMPARED = {"zh": 2_000, "en": 8_000, "other": 8_000}


class Named(NamedTuple):
    """A row of a cluster. `text` is "" unless its cluster is shown with its changes."""

    id: str
    name: str
    text: str
    language: str


class Member(Record):
    """A row that was dropped for the one kept: J of the two, and the share of the smaller one's shingles that both have."""

    id: str
    name: str
    similarity: float
    is_exact: bool
    containment: float


class Cluster(Record):
    """Rows that resemble the one that was kept for them; `size` counts it too.

    For the biggest clusters `changes` lead from the kept text to that of the member `changed`, shortened.
    """

    kept: str
    name: str
    size: int
    members: tuple[Member, ...]
    changed: str = ""
    changes: tuple[Change, ...] = ()


class Guess(Record):
    """A file whose encoding was guessed, by its first row."""

    name: str
    encoding: str


class UnsureLine(Record):
    """A line that was read from a picture and may be wrong: its row, page, text, and the recogniser's confidence (0 to 1)."""

    name: str
    page: int
    text: str
    confidence: float


class LabelConflict(Record):
    """A row whose text another row has under another label."""

    row: str
    name: str
    label: str
    other: str
    other_label: str


class Kin(Record):
    """A row that stays beside another one that is close to it: the share of it that the other contains, or J without names and figures."""

    row: str
    name: str
    other: str
    other_name: str
    share: float


class Report(Record):
    """Counts of what was read, kept, dropped by reason and changed; clusters by size, the biggest ones with their names.

    `paragraphs` and `scripts` count paragraphs of rows that were fit, `languages`, `kinds`, `permissions`, `characters` and `lengths`
    those that were kept. `would_delete` counts the characters that the rule chinese_only deletes, or would. `recognised` counts the pages
    and lines that were read from pictures, and the unsure ones among them, of which `unsure_lines` are the first.
    """

    read: int
    kept: int
    dropped: dict[str, int]
    languages: dict[str, int]
    kinds: dict[str, int]
    permissions: dict[str, int]
    characters: int
    lengths: dict[str, int]
    paragraphs: dict[str, int]
    scripts: dict[str, int]
    encodings: dict[str, int]
    guessed_encodings: tuple[Guess, ...]
    edited: int
    tidied: dict[str, int]
    left_out: dict[str, int]
    would_delete: dict[str, int]
    emails_masked: int
    documents_with_emails: int
    clusters: int
    clusters_by_size: dict[str, int]
    biggest_clusters: tuple[Cluster, ...]
    giant: float
    label_conflicts: tuple[LabelConflict, ...]
    contained: tuple[Kin, ...]
    alike: tuple[Kin, ...]
    recognised: dict[str, int]
    unsure_lines: tuple[UnsureLine, ...]


@dataclass
class KeptRows:
    """Counts over the rows that are kept. `lengths` are characters, row by row."""

    languages: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    permissions: Counter[str] = field(default_factory=Counter)
    lengths: array[int] = field(default_factory=lambda: array("q"))

    def add(self, document: Document) -> None:
        """Count one more."""
        self.languages[document.language] += 1
        self.kinds[document.kind] += 1
        self.permissions[document.permission] += 1
        self.lengths.append(len(document.text))


def shown_positions(removed: Sequence[Twin]) -> set[int]:
    """The rows whose texts the biggest clusters show: the kept one and the least similar one of each."""
    groups = _groups(removed)
    biggest = sorted(groups, key=lambda kept: (-len(groups[kept]), kept))[:BIGGEST]
    return {position for kept in biggest for position in (kept, _least(groups[kept]).dropped)}


def clusters_of(removed: Sequence[Twin], named: Mapping[int, Named]) -> list[Cluster]:
    """The clusters, biggest first, then by name; their members most similar first. `named` has all rows of all clusters."""
    clusters = []
    for position, twins in _groups(removed).items():
        kept, least = named[position], _least(twins)
        members = [Member(id=named[twin.dropped].id, name=named[twin.dropped].name, similarity=round(twin.similarity, 4),
                          is_exact=twin.is_exact, containment=round(twin.containment, 4)) for twin in twins]
        changes = short_redline(kept.text, named[least.dropped].text, kept.language) if kept.text and not least.is_exact else ()
        clusters.append(Cluster(kept=kept.id, name=kept.name, size=len(twins) + 1, changes=changes,
                                changed=named[least.dropped].name if changes else "",
                                members=tuple(sorted(members, key=lambda member: (-member.similarity, member.name)))))
    return sorted(clusters, key=lambda cluster: (-cluster.size, cluster.name))


def short_redline(before: str, after: str, language: str) -> tuple[Change, ...]:
    """The changes between two texts with a little of what stays around them; of long texts only the beginning of what differs."""
    pairs = enumerate(zip(before, after, strict=False))
    head = next((place for place, (one, other) in pairs if one != other), min(len(before), len(after)))
    old, new = before[head:], after[head:]
    limit = COMPARED[language]
    changes = redline(before[max(0, head - AROUND):head] + old[:limit], after[max(0, head - AROUND):head] + new[:limit], language)
    if len(old) > limit or len(new) > limit:
        # Where the texts were cut off they seem to differ.
        while changes and changes[-1].op != "same":
            changes.pop()
    return tuple(_shortened(changes))[:MOST_PIECES]


def _shortened(changes: Sequence[Change]) -> Iterator[Change]:
    for number, change in enumerate(changes):
        piece = change.text
        if change.op == "same" and len(piece) > 2 * AROUND:
            begin = piece[:AROUND] if number else ""
            end = piece[-AROUND:] if number < len(changes) - 1 else ""
            piece = f"{begin} … {end}"
        yield Change(op=change.op, text=piece)


def _groups(removed: Iterable[Twin]) -> dict[int, list[Twin]]:
    groups: dict[int, list[Twin]] = defaultdict(list)
    for twin in removed:
        groups[twin.kept].append(twin)
    return groups


def _least(twins: Sequence[Twin]) -> Twin:
    return min(twins, key=lambda twin: (twin.similarity, twin.is_exact, twin.dropped))


def report_of(tally: Tally, rows: KeptRows, clusters: Sequence[Cluster], ledger: Ledger, *, giant: Giant | None,
              conflicts: Sequence[LabelConflict], kin: tuple[Sequence[Kin], Sequence[Kin]]) -> Report:
    """The report. `kin` are the contained rows and the look-alikes."""
    return Report(
        read=tally.rows, kept=len(rows.lengths), dropped=ledger.reasons("dropped"), languages=_most_first(rows.languages),
        kinds=_most_first(rows.kinds), permissions=_most_first(rows.permissions), characters=sum(rows.lengths),
        lengths=_lengths(rows.lengths), paragraphs=_most_first(tally.paragraphs), scripts=_most_first(tally.scripts),
        encodings=_most_first(tally.encodings),
        guessed_encodings=tuple(Guess(name=name, encoding=encoding) for name, encoding in tally.guessed.values()),
        edited=tally.edited_rows, tidied=_most_first(tally.changes), left_out=_most_first(tally.left_out),
        would_delete=_most_first(tally.would_delete), emails_masked=tally.emails, documents_with_emails=tally.rows_with_emails,
        clusters=len(clusters), biggest_clusters=tuple(clusters[:BIGGEST]), giant=round(giant.share, 4) if giant else 0.0,
        clusters_by_size={str(size): count for size, count in sorted(Counter(cluster.size for cluster in clusters).items())},
        label_conflicts=tuple(conflicts), contained=tuple(kin[0]), alike=tuple(kin[1]),
        recognised={"pages": tally.pages_recognised, "lines": tally.lines_recognised, "unsure": tally.lines_unsure}
        if tally.pages_recognised else {},
        unsure_lines=tuple(UnsureLine(name=name, page=line.page, text=line.text, confidence=line.confidence)
                           for name, line in tally.unsure))


def _most_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _lengths(lengths: Sequence[int]) -> dict[str, int]:
    ordered = sorted(lengths)
    shares = {"shortest": 0.0, "median": 0.5, "95 %": 0.95, "longest": 1.0}
    return {name: ordered[min(int(share * len(ordered)), len(ordered) - 1)] for name, share in shares.items()} if ordered else {}
