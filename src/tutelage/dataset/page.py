"""The report of the dataset as a page for people, in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tutelage.core.language import catalogue, text
from tutelage.core.page import Cell, Mark, Page, percent
from tutelage.core.records import Part
from tutelage.dataset.labels import LabelIssue
from tutelage.dataset.report import PARTS, Report

AUGMENT = "augment:"
SHOWN_ISSUES = 12
SHOWN_CHARACTERS = 120


def reason_name(reason: str, language: str) -> str:
    """What a reason is called in a language; the refusals of the augmentation have one name."""
    slug = "augment" if reason.startswith(AUGMENT) else "".join(letter if letter.isalnum() else "_" for letter in reason)
    key = f"dataset.reason.{slug}"
    return text(key, language) if key in catalogue() else reason


def render(report: Report, issues: Sequence[LabelIssue], language: str) -> str:
    """The page. `issues` are the doubtful labels, the surest mistakes first."""
    return _Pages(report, issues, language).whole()


class _Pages:
    """Writes the sections of one report in one language."""

    def __init__(self, report: Report, issues: Sequence[LabelIssue], language: str) -> None:
        self.report, self.issues, self.language = report, issues, language
        self.page = Page(self.say("title"), language)

    def say(self, key: str, **facts: object) -> str:
        """A text of the stage's page."""
        return text(f"dataset.page.{key}", self.language, **facts)

    def named(self, family: str, counts: Mapping[str, int]) -> list[tuple[str, int]]:
        """Counts under their names."""
        return [(text(f"dataset.{family}.{name}", self.language), count) for name, count in counts.items()]

    def whole(self) -> str:
        """All sections."""
        self.rows()
        self.dropped()
        self.leaks()
        self.types()
        self.lengths()
        self.families()
        self.labels()
        self.augmented()
        self.page.section(self.say("permissions"))
        self.page.paragraph(self.say("permissions_inherited"))
        self.page.bars((self.say("permission"), self.say("rows")), self.report.permissions.items())
        return self.page.render()

    def rows(self) -> None:
        """Rows by part, task and origin."""
        report, page = self.report, self.page
        page.section(self.say("parts"))
        page.table([self.say("part"), self.say("rows"), self.say("asked"), self.say("documents")],
                   [(self.part(part), report.rows[part], report.asked.get(part, ""), report.documents[part]) for part in PARTS],
                   caption=self.say("parts_kept_apart"))
        page.bars((self.say("task"), self.say("rows")), self.named("task", report.tasks))
        page.bars((self.say("origin"), self.say("rows")), self.named("origin", report.origins))
        page.bars((self.say("language"), self.say("rows")), self.named("language", report.languages))

    def part(self, part: Part) -> str:
        """What a part is called."""
        return text(f"dataset.part.{part}", self.language)

    def dropped(self) -> None:
        """Why rows were dropped."""
        counts: dict[str, int] = {}
        for reason, count in self.report.dropped.items():
            name = reason_name(reason, self.language)
            counts[name] = counts.get(name, 0) + count
        self.page.section(self.say("dropped"))
        self.page.bars((self.say("reason"), self.say("rows")), counts.items(), caption=self.say("where_dropped"))

    def leaks(self) -> None:
        """The leak table, and what the rules are."""
        page = self.page
        page.section(self.say("leaks"))
        page.paragraph(self.say("leak_rules"))
        page.table([self.say("split"), self.say("held_out_rows"), "J >= 0.8", "J >= 0.5"],
                   [(text(f"dataset.split.{row.split}", self.language), row.held_out, percent(row.at_80), percent(row.at_50))
                    for row in self.report.leak_table], caption=self.say("leak_table"))
        page.note(self.say("no_leaks"), "good")

    def types(self) -> None:
        """Rows of each clause type by part."""
        if not self.report.types:
            return
        self.page.section(self.say("types"))
        types = sorted(self.report.types.items(), key=lambda entry: (-entry[1]["train"], entry[0]))
        self.page.table([self.say("type"), *(self.part(part) for part in PARTS)],
                        [(self.type_name(key), *(parts[part] for part in PARTS)) for key, parts in types])

    def type_name(self, key: str) -> str:
        """What a clause type is called; a label of the user's own keeps its name."""
        known = f"text.clause_type.{key}"
        return text(known, self.language) if known in catalogue() else key

    def lengths(self) -> None:
        """Lengths in tokens with the line at which training drops a row, or in characters."""
        report, page = self.report, self.page
        page.section(self.say("lengths"))
        if report.tokens:
            marks = [Mark(self.say("longest_trained"), report.context_length)] if report.context_length else []
            page.histogram(self.say("tokens"), report.tokens, marks=marks)
            return
        bins: dict[int, int] = {}
        for counts in report.lengths_in_characters.values():
            for low, count in counts.items():
                bins[int(low)] = bins.get(int(low), 0) + count
        page.bars((self.say("characters_from"), self.say("rows")), [(str(low), bins[low]) for low in sorted(bins)])

    def families(self) -> None:
        """Near-duplicate families and units by size."""
        page = self.page
        page.section(self.say("families"))
        page.paragraph(self.say("families_explained"))
        page.bars((self.say("rows_in_family"), self.say("families")), self.report.families.items(), caption=self.say("families_by_size"))
        page.bars((self.say("documents_in_unit"), self.say("units")), self.report.units.items(), caption=self.say("units_by_size"))

    def labels(self) -> None:
        """Doubtful labels, the surest mistakes first."""
        if not self.issues:
            return
        page = self.page
        page.section(self.say("labels"))
        page.paragraph(self.say("labels_explained"))
        page.table([self.say("row"), self.say("given"), self.say("suggested"), self.say("score"), self.say("text")],
                   [(issue.row, issue.given, issue.suggested, issue.score, issue.text[:SHOWN_CHARACTERS]) for issue in
                    self.issues[:SHOWN_ISSUES]], caption=self.say("labels_shown", shown=min(SHOWN_ISSUES, len(self.issues)),
                                                                  count=len(self.issues)))

    def augmented(self) -> None:
        """What the augmentation proposed and kept, by method and language."""
        if not self.report.augmented:
            return
        self.page.section(self.say("augmented"))
        self.page.table([self.say("method"), self.say("language"), self.say("candidates"), self.say("accepted"), self.say("rate")],
                        list(self._tallies()))

    def _tallies(self) -> Iterator[tuple[Cell, ...]]:
        for tally in self.report.augmented:
            yield (text(f"dataset.method.{tally.method}", self.language), text(f"dataset.language.{tally.language}", self.language),
                   tally.candidates, tally.accepted, percent(tally.accepted / tally.candidates) if tally.candidates else "")
