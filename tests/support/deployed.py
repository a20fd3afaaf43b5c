"""Artifacts as a deployment needs them, and an engine that only opens and closes."""

from __future__ import annotations

from pathlib import Path

from tutelage.core.events import Events
from tutelage.core.files import write_whole
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store


class Silent:
    """An engine of which only the closing matters here."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name, self.is_closed = path, name, False

    def close(self) -> None:
        self.is_closed = True


def put_artifact(store: Store, stage: str, artifact_id: str, files: dict[str, str]) -> Artifact:
    """A finished artifact that holds these texts."""
    with store.making(stage, artifact_id, version=1, recipe="r", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        for name, text in files.items():
            write_whole(making.folder / name, text)
    made = store.look_up(stage, artifact_id)
    assert made is not None
    return made
