"""A copy that is an adapter (LoRA) alone, in a GGUF file: it is read on top of a copy of its base, which it names by place and hash.

All that reads a copy takes its path, whole or not: `parts_of` says which files that means.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tutelage.core.errors import ArtifactError
from tutelage.core.files import file_sha256, size_of
from tutelage.engine.gguf_file import read_head

KIND = "adapter"  # of general.type
TYPE = "adapter.type"
ALPHA = "adapter.lora.alpha"
BASE_FILE = "tutelage.base_file"  # from the folder of the adapter
BASE_SHA256 = "tutelage.base_sha256"
BEGINNING = 4096  # bytes of a file in which an adapter says that it is one: it has few facts and no vocabulary


@dataclass(frozen=True)
class Parts:
    """The files of a copy: weights, and the adapter on them (None for a whole model)."""

    weights: Path
    adapter: Path | None = None

    @property
    def size_bytes(self) -> int:
        """Of both together."""
        return size_of(self.weights) + (size_of(self.adapter) if self.adapter else 0)


def parts_of(path: Path) -> Parts:
    """The files that a copy stands for. Raises ArtifactError for an adapter whose base copy is gone."""
    if not _is_adapter(path):
        return Parts(path)
    facts = read_head(path).facts
    weights = (path.parent / str(facts.get(BASE_FILE, ""))).resolve()
    if not weights.is_file():
        raise ArtifactError(f"{path}: is an adapter, and the copy of its base is not at {weights}. Run `tutelage make` again.")
    return Parts(weights, path)


def check_base(parts: Parts) -> None:
    """Raise ArtifactError unless the base copy below an adapter is the very file that it was scored on."""
    if parts.adapter and file_sha256(parts.weights) != read_head(parts.adapter).facts.get(BASE_SHA256):
        raise ArtifactError(f"{parts.weights}: is not the base copy on which {parts.adapter} passed the gate (SHA-256 differs). "
                            "Delete both and run `tutelage make` again.")


def _is_adapter(path: Path) -> bool:
    """Whether a file says so in its beginning. A file that cannot be read is none: whoever reads on says why."""
    try:
        with path.open("rb") as file:
            return TYPE.encode() in file.read(BEGINNING)
    except OSError:
        return False
