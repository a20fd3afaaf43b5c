"""Six small contracts of our own, documents and approved rows made of text, for tests of the dataset."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.core.events import Event
from tutelage.core.files import short_hash, write_rows
from tutelage.core.history import Fate
from tutelage.core.records import ApprovedRow, Document, Example, Image, Kind, Message
from tutelage.core.store import Artifact
from tutelage.dataset.settings import DatasetSettings

CONTRACTS = {
    "lease.md": (
        "1. Term. The initial term of this lease is five years; it renews each May unless the tenant objects three "
        "months before in a letter.\n\n"
        "2. Termination. The landlord may terminate this lease if two rents in a row remain unpaid, by a letter that "
        "names the last day of use.\n\n"
        "3. Governing Law. This lease is governed by the laws of Portugal, and the parties leave aside every rule that "
        "points to another country.\n\n"
    ),
    "supply.md": (
        "1. Delivery. The mill shall deliver the flour to the bakery's own gate every Monday before six, free of charge "
        "for the first pallet.\n\n"
        "2. Payment. The bakery shall pay each invoice within twenty days; after that day the mill may charge interest "
        "of 0.5% for each week.\n\n"
        "3. Force Majeure. Flood, frost and strikes beyond reasonable control free the mill from delivering for as long "
        "as they last.\n\n"
    ),
    "research.md": (
        "1. Confidentiality. The visiting chemist shall not disclose recipes, samples or diaries of the institute to "
        "any third party for ten years.\n\n"
        "2. Intellectual Property. Title to every new dye that the chemist finds remains with the institute, which "
        "names the chemist as inventor.\n\n"
        "3. Notices. Notices must be in writing and reach the registrar of the institute by courier or by registered "
        "mail at the address above.\n\n"
    ),
    "charter.md": (
        "1. Insurance. The charterer shall maintain hull insurance for the yacht with an insurer of the owner's choice, "
        "at the charterer's expense.\n\n"
        "2. Indemnification. The charterer shall indemnify the owner against fines, towing fees and claims of swimmers "
        "that follow from the voyage.\n\n"
        "3. Assignment. The charterer may not assign this charter or lend the yacht to anybody, not even for an "
        "afternoon in the home harbour.\n\n"
    ),
    "software.md": (
        "1. License Grant. The studio grants to the museum a permanent right to run the guide on forty tablets and to "
        "translate all of its texts.\n\n"
        "2. Warranty. The studio warrants that the guide will start within ten seconds and stay free from defects for "
        "two seasons after handover.\n\n"
        "3. Source Code. The studio shall make the source code available to the museum on a disk, together with the "
        "tools that build the guide.\n\n"
    ),
    "catering.md": (
        "1. Severability. If any provision of this order is held to be invalid, the cook and the guest replace it by "
        "the nearest one that is valid.\n\n"
        "2. Entire Agreement. This order constitutes the entire agreement on the wedding dinner and supersedes all "
        "earlier menus, offers and promises.\n\n"
        "3. Waiver. The failure of the cook to insist upon the deposit shall not constitute a waiver of the deposit at "
        "a later date or of other rights.\n\n"
    ),
}
SMALL = DatasetSettings(held_out=3, validation=3)


def document(name: str, text: str, language: str = "en") -> Document:
    return Document(id=short_hash(name, text), name=name, source=name, source_sha256="0" * 64, title=name.split(".")[0].title(),
                    language=language, text=text)


def approved(text: str, *, clause_type: str = "confidentiality", language: str = "en", day: int = 1) -> ApprovedRow:
    return ApprovedRow.model_validate({
        "id": short_hash("review", text), "clause_type": clause_type, "keywords": ("drawings", "seven years"), "language": language,
        "draft": "A draft.", "text": text, "author": "drafter", "approver": "reviewer", "approved_at": f"2026-03-{day:02}T10:00:00Z",
        "model": "model"})


def put_review(work: Path, name: str, rows: Sequence[ApprovedRow]) -> None:
    write_rows(work / "reviews" / name / "rows.jsonl", rows)


@dataclass
class Made:
    artifact: Artifact
    rows: list[Example]
    fates: list[Fate]
    events: list[Event] = field(default_factory=list)

    def part(self, name: str) -> list[Example]:
        return [row for row in self.rows if row.part == name]

    def dropped(self) -> dict[str, Fate]:
        return {fate.row: fate for fate in self.fates if fate.what == "dropped"}


def data_row(name: str, text: str, *, kind: Kind, language: str = "en", messages: Sequence[Message] = (), rejected: str = "",
             label: str = "", tools: str = "", permission: str = "everyone", metadata: dict[str, str] | None = None,
             images: Sequence[Image] = ()) -> Document:
    """One row of a data file as the documents stage gives it."""
    return Document(id=short_hash(name, text), name=name, source="rows.jsonl", source_sha256="1" * 64, title="", language=language,
                    text=text, kind=kind, messages=tuple(messages), rejected=rejected, label=label, tools=tools, permission=permission,
                    metadata=metadata or {}, images=tuple(images))


def talk(*turns: str, system: str = "") -> tuple[Message, ...]:
    """A conversation: user and assistant in turn."""
    roles = ("user", "assistant")
    spoken = tuple(Message.model_validate({"role": roles[place % 2], "content": turn}) for place, turn in enumerate(turns))
    return (Message(role="system", content=system), *spoken) if system else spoken


def words(seed: str, count: int = 30) -> str:
    """A text of made-up words that resembles no other one."""
    chance = random.Random(seed)
    return " ".join("".join(chance.choices("abcdefghij", k=5)) for _ in range(count))
