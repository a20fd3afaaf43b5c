"""What the stage found, for clusters.json and report.json: clusters of near-duplicates, and counts of everything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tutelage.core.history import Ledger
from tutelage.core.records import Document, Record
from tutelage.documents.clean import Cleaned
from tutelage.documents.dedupe import Twin

BIGGEST = 10


class Member(Record):
    """A document that was dropped for the one kept, and its J to it."""

    id: str
    name: str
    similarity: float
    is_exact: bool


class Cluster(Record):
    """Documents that resemble the one that was kept for them; `size` counts it too."""

    kept: str
    name: str
    size: int
    members: tuple[Member, ...]


class Guess(Record):
    """A file whose encoding was guessed."""

    name: str
    encoding: str


class Report(Record):
    """Counts of what was read, kept, dropped by reason and changed; clusters by size, the biggest ones with their names."""

    read: int
    kept: int
    dropped: dict[str, int]
    languages: dict[str, int]
    characters: int
    encodings: dict[str, int]
    guessed_encodings: tuple[Guess, ...]
    tidied: dict[str, int]
    emails_masked: int
    documents_with_emails: int
    clusters: int
    clusters_by_size: dict[str, int]
    biggest_clusters: tuple[Cluster, ...]


def clusters_of(documents: Sequence[Document], removed: Iterable[Twin]) -> list[Cluster]:
    """The clusters, biggest first, then by name; their members most similar first."""
    members: dict[int, list[Member]] = defaultdict(list)
    for twin in removed:
        document = documents[twin.dropped]
        members[twin.kept].append(Member(id=document.id, name=document.name, similarity=round(twin.similarity, 4), is_exact=twin.is_exact))
    clusters = [
        Cluster(kept=documents[position].id, name=documents[position].name, size=len(group) + 1,
                members=tuple(sorted(group, key=lambda member: (-member.similarity, member.name))))
        for position, group in members.items()]
    return sorted(clusters, key=lambda cluster: (-cluster.size, cluster.name))


def report_of(cleaned: Sequence[Cleaned], kept: Sequence[Document], clusters: Sequence[Cluster], ledger: Ledger) -> Report:
    """The report; languages and characters are those of the documents kept."""
    tidied: Counter[str] = Counter()
    for one in cleaned:
        tidied.update(one.changes)
    return Report(
        read=len(cleaned), kept=len(kept), dropped=ledger.reasons("dropped"),
        languages=dict(Counter(document.language for document in kept).most_common()),
        characters=sum(len(document.text) for document in kept),
        encodings=dict(Counter(one.row.encoding for one in cleaned if one.row.encoding).most_common()),
        guessed_encodings=tuple(Guess(name=one.row.name, encoding=one.row.encoding) for one in cleaned if one.row.is_guess),
        tidied=dict(tidied.most_common()),
        emails_masked=sum(len(one.spans) for one in cleaned),
        documents_with_emails=sum(bool(one.spans) for one in cleaned),
        clusters=len(clusters),
        clusters_by_size={str(size): count for size, count in sorted(Counter(cluster.size for cluster in clusters).items())},
        biggest_clusters=tuple(clusters[:BIGGEST]))
