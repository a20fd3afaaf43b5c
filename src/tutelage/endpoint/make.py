"""Makes a deployment of a copy whose gate is open; refuses any other."""

from __future__ import annotations

from tutelage.core.errors import ArtifactError, GateClosed
from tutelage.core.files import file_sha256, write_whole
from tutelage.core.language import text
from tutelage.core.records import Deployment, GateDecision
from tutelage.core.store import Artifact, Making
from tutelage.endpoint.settings import EndpointSettings


def read_gate(scores: Artifact) -> GateDecision:
    """The decision of a scores artifact."""
    return GateDecision.model_validate_json(scores.file("gate.json").read_text("utf-8"))


def find_gguf(model: Artifact) -> str:
    """Name of the GGUF copy within a model artifact. Raises ArtifactError if it has none or several."""
    names = sorted(name for name in model.manifest.files if name.startswith("model-") and name.endswith(".gguf"))
    if len(names) != 1:
        raise ArtifactError(f"{model.folder}: has {len(names)} GGUF copies; expected one. Run `tutelage make` again.")
    return names[0]


def make(making: Making, *, base: str, chat_format_hash: str) -> None:
    """Write deployment.json for the model whose gate is open.

    Raises GateClosed with the evidence and the next step when it is closed.
    """
    assert isinstance(making.settings, EndpointSettings)
    model, scores = making.parents["model"], making.parents["scores"]
    gate = read_gate(scores)
    if not gate.is_open:
        raise GateClosed(f"the gate is closed for {gate.candidate} (scores {scores.id}, n = {gate.n}): {gate.verdict}; "
                         f"{gate.metric} differs by {gate.difference:+.4f} [{gate.low:+.4f}, {gate.high:+.4f}] from {gate.versus}. "
                         f"It is not served. Next: {text(gate.next_key, 'en', **gate.facts)}")
    gguf = find_gguf(model)
    path = model.file(gguf)
    if file_sha256(path) != model.manifest.files[gguf]:
        raise ArtifactError(f"{path}: is not the file that was scored (SHA-256 differs). "
                            f"Delete {model.folder} and run `tutelage make` again.")
    deployment = Deployment(
        name=making.settings.name, gguf=path.relative_to(making.work).as_posix(), gguf_sha256=model.manifest.files[gguf],
        chat_format_hash=chat_format_hash, base=base, model_id=model.id, scores_id=scores.id, gate=gate,
        permissions=making.permissions or ("everyone",))
    write_whole(making.folder / "deployment.json", deployment.model_dump_json(indent=1))
    making.events.note("endpoint", "endpoint.deployed", name=deployment.name, model=model.id)
