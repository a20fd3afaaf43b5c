"""A gate that the evidence does not decide may be overridden by people, never one that is broken: what may be, and what covers it."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.errors import ArtifactError, GateClosed, InputError
from tutelage.core.files import file_sha256
from tutelage.core.language import failure, failures, text
from tutelage.core.records import Deployment, GateDecision, Override
from tutelage.core.store import Artifact
from tutelage.desk.desk import Desk

GATE = "gate.json"


def read_gate(scores: Artifact) -> GateDecision:
    """The decision of a scores artifact. Raises ArtifactError if it is not the one that was made."""
    path = scores.file(GATE)
    if not path.exists() or file_sha256(path) != scores.manifest.files[GATE]:
        raise ArtifactError(f"{path}: is not the decision that was made (SHA-256 differs or it is gone). "
                            f"Delete {scores.folder} and run `tutelage make` again.")
    return GateDecision.model_validate_json(path.read_text("utf-8"))


def verdict_key(gate: GateDecision) -> str:
    """The verdict as a text of the catalogue."""
    return f"scores.verdict.{gate.verdict.replace(' ', '_')}"


def override(desk: Desk, scores: Artifact, *, person: str, reason: str) -> Override:
    """Record that `person` answers for serving what these scores do not decide.

    Raises InputError for an open gate, GateClosed for one that is broken, and DeskError for somebody who may not, or no reason.
    """
    gate = read_gate(scores)
    if gate.is_open:
        raise failure(InputError, "endpoint.not_open", scores=scores.id)
    if not gate.undecided:
        raise failures(GateClosed, [("endpoint.not_overridable", {"scores": scores.id}), (gate.next_key, gate.facts)], between=" ")
    return desk.override_gate(scores_id=scores.id, gate_sha256=scores.manifest.files[GATE], verdict=gate.verdict,
                              candidate=gate.candidate, person=person, reason=reason)


def covering(overrides: Sequence[Override], scores: Artifact) -> tuple[Override, ...]:
    """Those of the overrides that were given for exactly this gate."""
    return tuple(one for one in overrides if one.scores_id == scores.id and one.gate_sha256 == scores.manifest.files[GATE])


def is_covered(deployment: Deployment, standing: Sequence[Override]) -> bool:
    """Whether the gate is open, or everybody who answered for this deployment still does."""
    gate = deployment.gate
    return gate.is_open or bool(gate.undecided and deployment.overrides and set(deployment.overrides) <= set(standing))


def told(overrides: Sequence[Override], language: str) -> list[str]:
    """Each override in a sentence: who, in which role, when, and why."""
    return [text("endpoint.overridden", language, person=one.person, role_key=f"web.role.{one.role}", day=one.at[:10], reason=one.reason)
            for one in overrides]
