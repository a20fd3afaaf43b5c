"""Who is compared in the scores: the base, the tuned model, and the copy that would be served."""

from __future__ import annotations

from tutelage.core.files import size_of
from tutelage.core.store import Making
from tutelage.endpoint.make import find_gguf
from tutelage.engine.gguf_adapter import check_base, parts_of
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.torch_engine import TorchEngine
from tutelage.pipeline.stages import Site
from tutelage.scores.make import Candidate

SCORING_STREAMS = 8


def candidates(making: Making, site: Site) -> tuple[Candidate, ...]:
    """Base, tuned and GGUF copy, each opened only while it is scored. Raises ArtifactError if a file of the model is not the one that was
    made: a truncated or changed copy is not scored.
    """
    model = making.parents["model"]
    model.check()
    gguf = model.file(find_gguf(model))
    parts = parts_of(gguf)
    check_base(parts)
    quantisation = gguf.stem.removeprefix("model-")
    base_folder = site.base_folder()
    length = site.recipe.endpoint.context_length
    return (
        Candidate("base", "base", lambda: TorchEngine(base_folder, name="base"), site.chat_format,
                  size_bytes=size_of(base_folder)),
        Candidate("tuned", "tuned", lambda: TorchEngine(model.folder / "merged", name="tuned"), site.chat_format,
                  size_bytes=size_of(model.folder / "merged")),
        Candidate(f"gguf-{quantisation}", "copy",
                  lambda: GgufEngine(gguf, name=f"gguf-{quantisation}", context_length=length, parallel=SCORING_STREAMS), site.chat_format,
                  size_bytes=parts.size_bytes),
    )
