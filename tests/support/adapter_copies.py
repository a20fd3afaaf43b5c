"""Copies of a tiny model as they are served: one base copy, and LoRA adapters on it in files of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tiny_adapter import make_adapter
from tiny_model import make_tiny_model

from tutelage.core.chat import CHATML
from tutelage.model.export_adapter import export_adapter, write_base

SCALE = 0.3  # so that each adapter writes other words than the base


@dataclass(frozen=True)
class Copies:
    """`folder` is the base as a model folder, `weights` its copy; `learned` are PEFT's adapters, `adapters` the same as copies."""

    folder: Path
    weights: Path
    learned: tuple[Path, ...]
    adapters: tuple[Path, ...]


def make_copies(work: Path, seeds: Sequence[int] = (1, 2), *, base: Path | None = None, scale: float = SCALE) -> Copies:
    """A base copy in fp16, and as many adapters as seeds, each in a model folder of the work folder. Without a `base`, a tiny Llama."""
    folder = base or make_tiny_model(work / "tiny")
    weights = write_base(folder, work / "base", quantisation="f16", chat_format=CHATML)
    learned, adapters = [], []
    for seed in seeds:
        learned.append(make_adapter(folder, work / "training" / f"t{seed}", seed=seed, scale=scale))
        path = work / "model" / f"m{seed}" / "model-f16.gguf"
        path.parent.mkdir(parents=True)
        export_adapter(learned[-1], folder, weights, path, name=f"m{seed}")
        adapters.append(path)
    return Copies(folder, weights, tuple(learned), tuple(adapters))
