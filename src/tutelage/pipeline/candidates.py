"""Who is compared in the scores: the base, the tuned model, and the copy that would be served."""

from __future__ import annotations

from functools import partial

from tutelage.core.files import size_of
from tutelage.core.store import Making
from tutelage.endpoint.make import find_gguf
from tutelage.engine.gguf_adapter import check_base, parts_of
from tutelage.pipeline.apart import gguf_apart, torch_apart
from tutelage.pipeline.stages import Site
from tutelage.scores.make import Candidate

SCORING_STREAMS = 8


def candidates(making: Making, site: Site) -> tuple[Candidate, ...]:
    """Base, tuned and GGUF copy, each opened only while it is scored, in a process of its own. Raises ArtifactError if a file of the model
    is not the one that was made: a truncated or changed copy is not scored.
    """
    model = making.parents["model"]
    model.check()
    gguf = model.file(find_gguf(model))
    parts = parts_of(gguf)
    check_base(parts)
    copy = f"gguf-{gguf.stem.removeprefix('model-')}"
    base, tuned = site.base_folder(), model.folder / "merged"
    length = site.recipe.endpoint.context_length
    return (
        Candidate("base", "base", partial(torch_apart, base, name="base"), site.chat_format, size_bytes=size_of(base)),
        Candidate("tuned", "tuned", partial(torch_apart, tuned, name="tuned"), site.chat_format, size_bytes=size_of(tuned)),
        Candidate(copy, "copy", partial(gguf_apart, gguf, name=copy, context_length=length, parallel=SCORING_STREAMS), site.chat_format,
                  size_bytes=parts.size_bytes),
    )
