"""The report of the stage as a page for people, in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tutelage.core.language import catalogue, text
from tutelage.core.page import Mark, Page, percent
from tutelage.documents.report import Cluster, Report
from tutelage.documents.settings import DocumentsSettings

MOST_NAMES = 20
MOST_LINES = 12
OWN_RULES = ("rule:", "replace:")


def _slug(name: str) -> str:
    return name.replace(" ", "_").replace(":", "_").replace("-", "_")


def reason_name(reason: str) -> dict[str, str]:
    """The fact that names a reason in a message: the key of its text, or what a rule of the recipe is called."""
    key = f"documents.reason.{_slug(reason)}"
    return {"reason_key": key} if key in catalogue() else {"reason": reason.partition(":")[2] if reason.startswith(OWN_RULES) else reason}


def render(report: Report, settings: DocumentsSettings, lengths: Sequence[int], language: str) -> str:
    """The page; `lengths` are the characters of the rows kept."""
    return _Pages(report, settings, language).whole(lengths)


class _Pages:
    """Writes the sections of one report in one language."""

    def __init__(self, report: Report, settings: DocumentsSettings, language: str) -> None:
        self.report, self.settings, self.language = report, settings, language
        self.page = Page(self.say("title"), language)

    def say(self, key: str, **facts: object) -> str:
        """A text of the stage's page."""
        return text(f"documents.page.{key}", self.language, **facts)

    def name(self, family: str, name: str) -> str:
        """What a reason, a rule or a language is called; a rule of the recipe keeps its own name."""
        key = f"documents.{family}.{_slug(name)}"
        if key in catalogue():
            return text(key, self.language)
        own = next((prefix for prefix in OWN_RULES if name.startswith(prefix)), "")
        return self.say("own_rule", name=name.removeprefix(own)) if own else name

    def named(self, family: str, counts: Mapping[str, int]) -> list[tuple[str, int]]:
        """Counts under their names."""
        return [(self.name(family, name), count) for name, count in counts.items()]

    def whole(self, lengths: Sequence[int]) -> str:
        """All sections."""
        self.rows()
        self.changes()
        self.recognised()
        self.languages()
        self.page.section(self.say("lengths"))
        limits = [("min_characters", self.settings.min_characters), ("max_characters", self.settings.max_characters)]
        self.page.histogram(self.say("characters"), lengths, marks=[Mark(name, limit) for name, limit in limits if limit])
        self.duplicates()
        self.conflicts()
        self.origin()
        return self.page.render()

    def rows(self) -> None:
        """How many rows were read, kept and dropped, and why."""
        report, page = self.report, self.page
        dropped = report.read - report.kept
        page.section(self.say("rows"))
        page.facts([(self.say("read"), report.read), (self.say("kept"), report.kept), (self.say("dropped"), dropped),
                    (self.say("share_kept"), percent(report.kept / report.read)), (self.say("edited"), report.edited),
                    (self.say("masked"), self.say("masked_in", emails=report.emails_masked, rows=report.documents_with_emails))])
        page.bars((self.say("reason"), self.say("count")), self.named("reason", report.dropped), caption=self.say("why_dropped"))
        page.paragraph(self.say("where_dropped"))

    def changes(self) -> None:
        """What was changed in the rows, by rule."""
        page, report = self.page, self.report
        page.section(self.say("changes"))
        page.bars((self.say("rule"), self.say("edits")), self.named("rule", report.tidied), caption=self.say("edits_by_rule"))
        page.paragraph(self.say("edits_reversible"))
        if report.left_out:
            page.bars((self.say("part"), self.say("count")), self.named("left_out", report.left_out), caption=self.say("left_out"))
        if self.settings.chinese_only != "off":
            page.note(self.say(f"chinese_only_{self.settings.chinese_only}"), "bad")
            page.bars((self.say("part"), self.say("count")), self.named("character", report.would_delete))

    def recognised(self) -> None:
        """What was read from pictures, and the lines to look at."""
        report, page = self.report, self.page
        if not report.recognised:
            return
        page.section(self.say("recognised"))
        page.note(self.say("recognised_note", **report.recognised))
        unsure = sorted(report.unsure_lines, key=lambda line: line.confidence)
        self.table(["file", "page_number", "read_as", "confidence"],
                   [(line.name, str(line.page), line.text, f"{line.confidence:.2f}") for line in unsure])

    def languages(self) -> None:
        """Languages of rows and paragraphs, scripts of paragraphs, kinds of rows."""
        page, report = self.page, self.report
        page.section(self.say("languages"))
        head = (self.say("language"), self.say("count"))
        page.bars(head, self.named("language", report.languages), caption=self.say("languages_of_rows"))
        page.bars(head, self.named("language", report.paragraphs), caption=self.say("languages_of_paragraphs"))
        page.bars((self.say("script"), self.say("count")), self.named("script", report.scripts), caption=self.say("scripts_of_paragraphs"))
        page.bars((self.say("kind"), self.say("count")), self.named("kind", report.kinds), caption=self.say("kinds_of_rows"))

    def duplicates(self) -> None:
        """Clusters by size, and the biggest with what differs in them."""
        page, report = self.page, self.report
        page.section(self.say("duplicates"))
        if report.giant:
            page.note(self.say("giant", share=percent(report.giant), threshold=self.settings.near_duplicate))
        sizes = [(self.say("rows_together", size=size), count) for size, count in report.clusters_by_size.items()]
        page.bars((self.say("size"), self.say("clusters")), sizes, caption=self.say("clusters_by_size"))
        for cluster in report.biggest_clusters:
            self.cluster(cluster)
        self.kin()

    def cluster(self, cluster: Cluster) -> None:
        """One cluster: which row was kept for which, and the changes to the least similar one."""
        page = self.page
        page.heading(self.say("cluster", name=cluster.name, size=cluster.size))
        rows = [(member.name, round(member.similarity, 3), self.say("exact" if member.is_exact else "near")) for member in cluster.members]
        page.table([self.say("dropped_row"), "J", ""], rows[:MOST_NAMES])
        if len(rows) > MOST_NAMES:
            page.paragraph(self.say("more", count=len(rows) - MOST_NAMES))
        if cluster.changes:
            page.paragraph(self.say("changes_to", name=cluster.changed))
            page.redline((change.op, change.text) for change in cluster.changes[:MOST_LINES])

    def kin(self) -> None:
        """Rows that stay and are close to another one."""
        for name, rows in (("contained", self.report.contained), ("alike", self.report.alike)):
            if rows:
                self.page.heading(self.say(f"{name}_rows"))
                self.page.paragraph(self.say(f"{name}_note", count=len(rows), threshold=self.settings.near_duplicate))
                closest = sorted(rows, key=lambda one: -one.share)
                self.table(["row", "other_row", f"{name}_share"], [(one.name, one.other_name, percent(one.share)) for one in closest])

    def conflicts(self) -> None:
        """Texts under two labels."""
        conflicts = self.report.label_conflicts
        if conflicts:
            self.page.section(self.say("conflicts"))
            self.page.paragraph(self.say(f"conflicts_{self.settings.label_conflicts}"))
            self.table(["row", "label", "other_label"], [(one.name, one.label, one.other_label) for one in conflicts])

    def origin(self) -> None:
        """Encodings and permissions."""
        page, report = self.page, self.report
        page.section(self.say("origin"))
        page.bars((self.say("encoding"), self.say("count")), report.encodings.items())
        if report.guessed_encodings:
            page.note(self.say("guessed"))
            self.table(["file", "encoding"], [(guess.name, guess.encoding) for guess in report.guessed_encodings])
        page.table([self.say("permission"), self.say("count")], list(report.permissions.items()), caption=self.say("permissions"))

    def table(self, head: Iterable[str], rows: Sequence[tuple[str, ...]]) -> None:
        """A table of the first names, and how many more there are."""
        self.page.table([self.say(name) for name in head], rows[:MOST_NAMES])
        if len(rows) > MOST_NAMES:
            self.page.paragraph(self.say("more", count=len(rows) - MOST_NAMES))
