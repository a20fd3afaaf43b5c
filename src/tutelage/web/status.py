"""Which model drafts now, and why that one: the line on top of each page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tutelage.core.language import catalogue, text
from tutelage.core.records import Language
from tutelage.endpoint.overrides import told
from tutelage.web.progress import Follower
from tutelage.web.site import Site


@dataclass(frozen=True)
class Status:
    """`tone` chooses the colour; `key` and `facts` are the text."""

    tone: Literal["good", "waiting", "closed"]
    key: str
    facts: dict[str, object] = field(default_factory=dict)


def stage_name(name: str, language: Language) -> str:
    """A stage's name; one that this version does not know keeps its own."""
    key = f"web.stage.{name}"
    return text(key, language) if key in catalogue() else name


def model_status(site: Site, follower: Follower, language: Language) -> Status:
    """The status of the model, told from the door, the newest gate and the newest run."""
    served, drafter, gate = site.door.served(), site.door.drafter(), site.door.gate()
    if served and served.deployment and served.deployment.overrides:
        people = "; ".join(told(served.deployment.overrides, language))
        return Status("closed", "web.status.overridden", {"name": served.name, "n": served.deployment.gate.n, "people": people})
    if served and served.deployment:
        passed = served.deployment.gate
        facts = {"name": served.name, "scores": served.deployment.scores_id, "n": passed.n, "low": f"{passed.low:+.3f}",
                 "high": f"{passed.high:+.3f}", "difference": f"{passed.difference:+.3f}", "metric": passed.metric}
        return Status("good", "web.status.older" if site.door.passed_over() else "web.status.tuned", facts)
    name = drafter.name if drafter else ""
    progress = follower.progress()
    if progress and progress.running:
        stage = progress.running
        known = {"stage": stage_name(stage.name, language), "percent": round(100 * stage.share), "name": name}
        return Status("waiting", "web.status.base_running" if drafter else "web.status.none_running", known)
    if gate and not gate.is_open:
        why = text(f"web.why.{gate.verdict.replace(' ', '_')}", language, n=gate.n)
        return Status("closed", "web.status.closed" if drafter else "web.status.closed_no_model", {"why": why, "name": name})
    return Status("waiting", "web.status.base" if drafter else "web.status.none", {"name": name})
