"""The report of a training as a page for people, in English or Chinese."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import to_jsonable_python

from tutelage.core.curve import Point
from tutelage.core.language import text
from tutelage.core.page import Cell, Mark, Page, figure, percent
from tutelage.training.checkpoint import CurveRow
from tutelage.training.settings import TrainingSettings
from tutelage.training.summary import Summary

SMALL = 180  # height of the drawings below the first
HASHES = ("weights_sha256", "base_sha256", "tokenizer_sha256", "chat_format_hash", "dataset")


def render(summary: Summary, settings: TrainingSettings, curve: Sequence[CurveRow], lengths: Sequence[int], language: str) -> str:
    """The page. `lengths` are the tokens of each row that was trained on."""
    return _Pages(summary, settings, curve, lengths, language).whole()


class _Pages:
    """Writes the sections of one training in one language."""

    def __init__(self, summary: Summary, settings: TrainingSettings, curve: Sequence[CurveRow], lengths: Sequence[int],
                 language: str) -> None:
        self.summary, self.settings, self.curve, self.lengths, self.language = summary, settings, curve, lengths, language
        self.page = Page(self.say("title"), language)

    def say(self, key: str, **facts: object) -> str:
        """A text of the stage's page."""
        return text(f"training.page.{key}", self.language, **facts)

    def whole(self) -> str:
        """All sections."""
        self.headline()
        self.promised()
        self.curves()
        self.rows()
        self.proof()
        self.page.section(self.say("settings"))
        self.page.table([self.say("setting"), self.say("value")],
                        [(name, "-" if value is None else str(value)) for name, value in self.settings.model_dump(mode="json").items()])
        self.page.section(self.say("hashes"))
        self.page.paragraph(self.say("hashes_explained"))
        told = to_jsonable_python(self.summary)
        self.page.facts((self.say(name), str(told[name])) for name in HASHES)
        return self.page.render()

    def headline(self) -> None:
        """That the tune took, by how much, and what it cost."""
        summary, page = self.summary, self.page
        page.section(self.say("outcome"))
        page.note(self.say("took", rows=summary.proof.rows, base=figure(summary.proof.base_loss), tuned=figure(summary.proof.tuned_loss)),
                  "good")
        page.table([self.say("measured"), self.say("base"), self.say("tuned"), self.say("change")], self.measured(),
                   caption=self.say("on_validation", rows=summary.validation.rows, step=summary.best_step))
        lost, limit = summary.lost, self.settings.maximum_tokens
        if lost.left_out:
            page.note(self.say("lost", rows=lost.left_out, tokens=f"{lost.left_out_tokens:,}", limit=limit))
        if lost.cut:
            page.note(self.say("cut", rows=lost.cut, tokens=f"{lost.cut_tokens:,}", limit=limit))
        if lost.split:
            page.note(self.say("split", rows=lost.split, limit=limit))
        ended = self.say("stopped_early", step=summary.steps, best=summary.best_step) if summary.stopped_early else \
            self.say("all_steps", step=summary.steps, best=summary.best_step)
        if summary.trimmed:
            page.note(self.say("trimmed", before=f"{summary.trimmed.vocabulary_before:,}", after=f"{summary.trimmed.vocabulary:,}",
                               rows=summary.trimmed.rows, validation=summary.trimmed.validation_rows,
                               more=f"{100 * summary.trimmed.more:.2f}"))
        page.facts([
            (self.say("model"), summary.base), (self.say("task"), f"{summary.task}, {summary.method}"), (self.say("steps"), ended),
            (self.say("tokens"), summary.tokens), (self.say("tokens_lost"), summary.tokens_lost),
            (self.say("speed"), self.say("speed_value", pace=figure(summary.tokens_per_second), minutes=f"{summary.seconds / 60:.1f}")),
            (self.say("memory"), self.say("memory_value", most=f"{max(row.memory_mb for row in self.curve):,.0f}")),
            (self.say("device"), self.say("device_value", device=summary.device, threads=summary.threads, path=summary.path))])

    def promised(self) -> None:
        """What was promised of the training and what it took, and where memory ran out."""
        kept, page = self.summary.kept, self.page
        if kept:
            page.section(self.say("promise"))
            pairs = (("minutes", kept.promised_minutes, kept.minutes), ("memory_gb", kept.promised_memory_gb, kept.memory_gb))
            rows = [(self.say(name), f"{promised:.1f}", f"{actual:.1f}", f"{100 * (actual / promised - 1):+.0f} %" if promised else "")
                    for name, promised, actual in pairs]
            page.table([self.say("measured"), self.say("promised"), self.say("actual"), self.say("change")], rows,
                       caption=self.say("promise_kept" if kept.is_kept else "promise_missed"))
        if self.summary.shrunk_at:
            page.note(self.say("shrunk", steps=", ".join(map(str, self.summary.shrunk_at)), tokens=self.summary.micro_batch_tokens))

    def measured(self) -> list[tuple[Cell, ...]]:
        """Base and tuned model on the validation rows, by each measure that the task has."""
        summary = self.summary
        rows: list[tuple[Cell, ...]] = []
        pairs = ((self.say("bits_per_byte"), summary.base_bits_per_byte, summary.best_bits_per_byte),
                 (self.say(f"loss_{summary.unit}"), summary.base_loss, summary.best_loss))
        for name, base, best in pairs:
            if base is not None and best is not None:
                rows.append((name, figure(base), figure(best), f"{100 * (best - base) / base:+.1f} %" if base else ""))
        if summary.base_score is not None and summary.best_score is not None:
            rows.append((self.say("score"), percent(summary.base_score), percent(summary.best_score),
                         f"{100 * (summary.best_score - summary.base_score):+.1f}"))
        return rows

    def curves(self) -> None:
        """Each figure over the steps."""
        page = self.page
        page.section(self.say("curves"))
        page.curves(self.say("loss"), {self.say("loss_train"): self.points([row.loss for row in self.curve]),
                                       self.say("loss_validation"): self.points([row.validation_loss for row in self.curve])})
        single: dict[str, Sequence[float | None]] = {
            "bits_per_byte": [row.bits_per_byte for row in self.curve], "score": [row.score for row in self.curve],
            "learning_rate": [row.learning_rate if row.step else None for row in self.curve],
            "gradient_norm": [row.gradient_norm for row in self.curve], "pace": [row.tokens_per_second for row in self.curve],
            "memory_mb": [row.memory_mb for row in self.curve], "gpu_memory_mb": [row.gpu_memory_mb for row in self.curve]}
        for key, values in single.items():
            if points := self.points(values):
                page.curves(self.say(key), {self.say(key): points}, from_zero=key not in ("bits_per_byte", "score"), height=SMALL)

    def points(self, values: Sequence[float | None]) -> list[Point]:
        """The values that there are, at their steps."""
        return [Point(row.step, value) for row, value in zip(self.curve, values, strict=True) if value is not None]

    def rows(self) -> None:
        """How long the rows are, and what was left out."""
        summary, page = self.summary, self.page
        page.section(self.say("lengths"))
        page.facts([(self.say("rows"), self.say("rows_value", train=summary.train.rows, validation=summary.validation.rows)),
                    (self.say("learned"), percent(summary.supervised_share)),
                    (self.say("tokens_lost"), self.say("lost_value", rows=summary.lost.left_out + summary.lost.cut,
                                                       tokens=f"{summary.tokens_lost:,}"))])
        page.histogram(self.say("tokens_a_row"), self.lengths, marks=[Mark(self.say("limit"), self.settings.maximum_tokens)])

    def proof(self) -> None:
        """What was read back from the disk and measured."""
        proof, page = self.summary.proof, self.page
        page.section(self.say("proof"))
        page.paragraph(self.say("proof_explained", rows=proof.rows))
        page.facts([(self.say("proof_base"), figure(proof.base_loss)), (self.say("proof_tuned"), figure(proof.tuned_loss)),
                    (self.say("update_norm"), f"{figure(proof.update_norm)} ({percent(proof.update_share)})")])
