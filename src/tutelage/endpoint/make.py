"""Makes a deployment of a copy whose gate is open, or for which people answer; refuses any other."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.errors import ArtifactError, GateClosed
from tutelage.core.files import file_sha256, write_whole
from tutelage.core.language import failures, text
from tutelage.core.records import Deployment, GateDecision, Override
from tutelage.core.store import Artifact, Making
from tutelage.endpoint.overrides import covering, read_gate, told, verdict_key
from tutelage.endpoint.settings import EndpointSettings

CARD = "model_card.md"


def find_gguf(model: Artifact) -> str:
    """Name of the GGUF copy within a model artifact. Raises ArtifactError if it has none or several."""
    names = sorted(name for name in model.manifest.files if name.startswith("model-") and name.endswith(".gguf"))
    if len(names) != 1:
        raise ArtifactError(f"{model.folder}: has {len(names)} GGUF copies; expected one. Run `tutelage make` again.")
    return names[0]


def make(making: Making, *, base: str, chat_format_hash: str, overrides: Sequence[Override] = ()) -> None:
    """Write deployment.json, and a model card that tells of overrides, for the model whose gate is open or is overridden.

    `overrides` are those that stand; they count only for the gate that they were given for. Raises GateClosed with the evidence and the
    next step when the gate is closed and not enough people answer for it.
    """
    assert isinstance(making.settings, EndpointSettings)
    model, scores = making.parents["model"], making.parents["scores"]
    gate = read_gate(scores)
    answering = () if gate.is_open else covering(overrides, scores)
    _check(gate, scores.id, answering, making.settings.override_people)
    gguf = find_gguf(model)
    path = model.file(gguf)
    if file_sha256(path) != model.manifest.files[gguf]:
        raise ArtifactError(f"{path}: is not the file that was scored (SHA-256 differs). "
                            f"Delete {model.folder} and run `tutelage make` again.")
    deployment = Deployment(
        name=making.settings.name, gguf=path.relative_to(making.work).as_posix(), gguf_sha256=model.manifest.files[gguf],
        chat_format_hash=chat_format_hash, base=base, model_id=model.id, scores_id=scores.id, gate=gate,
        permissions=making.permissions or ("everyone",), overrides=answering)
    write_whole(making.folder / "deployment.json", deployment.model_dump_json(indent=1))
    if CARD in scores.manifest.files:
        write_whole(making.folder / CARD, _card(scores.file(CARD).read_text("utf-8"), answering, making.language))
    if answering:
        making.facts["overridden_by"] = ", ".join(one.person for one in answering)
        making.events.warning("endpoint", "endpoint.deployed_overridden", name=deployment.name, model=model.id,
                              people=making.facts["overridden_by"])
    else:
        making.events.note("endpoint", "endpoint.deployed", name=deployment.name, model=model.id)


def _check(gate: GateDecision, scores_id: str, answering: Sequence[Override], needed: int) -> None:
    """Raise GateClosed unless the gate is open, or enough people answer for what the evidence does not decide."""
    if gate.is_open or (gate.undecided and len(answering) >= needed):
        return
    closed = {"candidate": gate.candidate, "scores": scores_id, "n": gate.n, "verdict_key": verdict_key(gate), "versus": gate.versus,
              "metric_key": f"scores.metric.{gate.metric}", "difference": gate.difference, "low": gate.low, "high": gate.high}
    answer = [("endpoint.or_answer", {"given": len(answering), "needed": needed})] if gate.undecided else []
    raise failures(GateClosed, [("endpoint.closed", closed), (gate.next_key, gate.facts), *answer], between=" ")


def _card(card: str, overrides: Sequence[Override], language: str) -> str:
    """The model card of the scores, with who answers for the model below its title."""
    if not overrides:
        return card
    head, title, rest = card.partition("\n# ")
    name, _, below = rest.partition("\n")
    warning = "\n".join([f"> **{text('endpoint.card_overridden', language)}**", *(f"> - {line}" for line in told(overrides, language))])
    return f"{head}{title}{name}\n\n{warning}\n{below}"
