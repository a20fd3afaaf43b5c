"""What the pages and APIs work with: the desk, the door, the work folder and the settings, handed in as one object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.core.permission import EVERYONE
from tutelage.desk.desk import Desk
from tutelage.drafting.settings import DraftingSettings
from tutelage.endpoint.budget import MemoryBudget
from tutelage.endpoint.serving import Door, Served
from tutelage.endpoint.settings import EndpointSettings
from tutelage.web.receipts import ReceiptBook

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class Site:
    """Everything that `create_app` needs.

    `secret` signs cookies and origins; whoever knows it can sign in as anybody. `language` greets a visitor who chose
    none. `progress` gives the newest file of events, or None. `hosts` are the names under which the site may be called.
    `audience` is whom the clause library is for; `labels_needed` is how many people must give a clause the same type.
    `endpoint` says how many requests are answered at once, how many wait, and for how long. `receipts` keeps what stands behind each
    answer; None: no receipts. `also` are the doors of other recipes, whose models programs reach by their names; the pages show those of
    `door` only. `budget` is the memory that all models share; None where it is not watched.
    """

    desk: Desk
    door: Door
    work: Path
    drafting: DraftingSettings
    secret: bytes
    language: str
    progress: Callable[[], Path | None]
    hosts: tuple[str, ...] = LOOPBACK
    audience: str = EVERYONE
    labels_needed: int = 2
    endpoint: EndpointSettings = field(default_factory=EndpointSettings)
    receipts: ReceiptBook | None = None
    also: tuple[Door, ...] = ()
    budget: MemoryBudget | None = None

    def models(self) -> list[Served]:
        """All models that passed their gates, that of the recipe itself first."""
        return [served for door in (self.door, *self.also) if (served := door.served())]

    def door_of(self, served: Served) -> Door:
        """The door that serves a model."""
        return next((door for door in self.also if door.served() is served), self.door)

    def is_ready(self) -> bool:
        """Whether new requests should be sent here: the recipe's own model answers, and so does each other one that passed."""
        return self.door.is_ready() and all(served.is_ready for served in self.models())
