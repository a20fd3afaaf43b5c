"""Artifact folders `work/<stage>/<id>/`: made beside and renamed in, never changed, found again by their content id."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tutelage import __version__
from tutelage.core.errors import ArtifactError
from tutelage.core.events import Events, Fact
from tutelage.core.files import file_sha256, read_rows, short_hash, write_rows, write_whole
from tutelage.core.history import Fate, Ledger
from tutelage.core.records import Record
from tutelage.core.settings import Settings

FORMAT = 1
MANIFEST = "manifest.json"
HISTORY = "history.jsonl"
DROPPED = "dropped.jsonl"
PACKAGES = ("torch", "transformers", "peft", "tokenizers", "numpy", "xllamacpp")


class Manifest(Record):
    """What an artifact is and where it came from.

    `inputs` are fingerprints of things outside the store (source files, approved rows), `files` the SHA-256 of each file,
    `permissions` who may use it ("everyone", or labels inherited from the sources).
    """

    format: int
    kind: str
    id: str
    version: int
    recipe: str
    made_at: float
    seconds: float
    settings: dict[str, object]
    parents: dict[str, str]
    inputs: dict[str, str]
    counts: dict[str, int]
    facts: dict[str, Fact]
    permissions: tuple[str, ...]
    packages: dict[str, str]
    files: dict[str, str]


@dataclass(frozen=True)
class Artifact:
    """A finished artifact on the disk."""

    folder: Path
    manifest: Manifest

    @property
    def id(self) -> str:
        """Its content id."""
        return self.manifest.id

    def file(self, name: str) -> Path:
        """Path of one of its files. Raises ArtifactError if the manifest does not list it."""
        if name not in self.manifest.files:
            raise ArtifactError(f"{self.folder}: has no file {name!r}; it has {', '.join(sorted(self.manifest.files))}.")
        return self.folder / name

    def check(self) -> None:
        """Raise ArtifactError if any file differs from the manifest (tampered with or truncated)."""
        for name, expected in self.manifest.files.items():
            path = self.folder / name
            if not path.exists() or file_sha256(path) != expected:
                raise ArtifactError(f"{path}: is not the file that was made (SHA-256 differs or it is gone). "
                                    f"Delete {self.folder} and run `tutelage make` again.")

    def history(self) -> Iterator[Fate]:
        """What happened to each row in this stage."""
        return read_rows(self.folder / HISTORY, Fate)


@dataclass
class Making:
    """All that a stage gets while it makes its artifact.

    `folder` becomes the artifact; `scratch` survives a kill and is removed at the end (checkpoints go there);
    `parents` are the artifacts of the stages that it takes; `work` is the root of the store.
    """

    settings: Settings
    parents: Mapping[str, Artifact]
    folder: Path
    scratch: Path
    work: Path
    events: Events
    language: str = "en"
    ledger: Ledger = field(default_factory=Ledger)
    counts: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    permissions: tuple[str, ...] = ()


def installed_versions() -> dict[str, str]:
    """Versions of Tutelage and of the packages that shape results, as far as they are installed."""
    found = {"tutelage": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def content_id(kind: str, *, version: int, settings: Settings, parents: Mapping[str, str], inputs: Mapping[str, str]) -> str:
    """The id of what a stage would make: a hash of its version, settings, parents' ids and outside inputs."""
    described = {"kind": kind, "format": FORMAT, "version": version, "settings": settings.model_dump(mode="json"),
                 "parents": dict(sorted(parents.items())), "inputs": dict(sorted(inputs.items()))}
    return short_hash(json.dumps(described, sort_keys=True, ensure_ascii=False))


class Store:
    """The artifacts under one work folder."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def look_up(self, stage: str, artifact_id: str) -> Artifact | None:
        """The finished artifact, or None. Raises ArtifactError if its manifest cannot be read."""
        folder = self.work / stage / artifact_id
        if not (folder / MANIFEST).exists():
            return None
        try:
            data = json.loads((folder / MANIFEST).read_text("utf-8"))
            if data.get("format") != FORMAT:
                raise ArtifactError(f"{folder}: has format {data.get('format')}; this version reads {FORMAT}. "
                                    "Use another --work folder, or delete this one and run `tutelage make` again.")
            return Artifact(folder, Manifest.model_validate(data))
        except ValueError as error:
            raise ArtifactError(f"{folder / MANIFEST}: cannot be read ({error}). Delete {folder} and run `tutelage make` again.") from None

    def all(self, stage: str) -> list[Artifact]:
        """Finished artifacts of a stage, oldest first."""
        root = self.work / stage
        names = [entry.name for entry in root.iterdir() if not entry.name.startswith(".")] if root.is_dir() else []
        found = [artifact for name in names if (artifact := self.look_up(stage, name))]
        return sorted(found, key=lambda artifact: (artifact.manifest.made_at, artifact.id))

    def latest(self, stage: str) -> Artifact | None:
        """The newest finished artifact of a stage, or None."""
        return next(reversed(self.all(stage)), None)

    def scratch(self, stage: str, artifact_id: str) -> Path:
        """The folder for what an artifact that is not finished needs again, such as checkpoints: it is made, and goes with the finish."""
        folder = self.work / stage / f".{artifact_id}.scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def making(self, stage: str, artifact_id: str, *, version: int, recipe: str, settings: Settings, parents: Mapping[str, Artifact],
               inputs: Mapping[str, str], events: Events, language: str = "en") -> Iterator[Making]:
        """Make an artifact: on success it is checked, described and renamed in; on an error nothing of it remains.

        What stands in `Making.scratch` survives an error or a kill, so that the next run can go on.
        """
        started = time.time()
        folder = self.work / stage / f".{artifact_id}.{os.getpid()}"
        scratch = self.scratch(stage, artifact_id)
        for leftover in (self.work / stage).glob(f".{artifact_id}.[0-9]*"):
            shutil.rmtree(leftover)
        folder.mkdir(parents=True)
        inherited = {label for parent in parents.values() for label in parent.manifest.permissions}
        making = Making(settings=settings, parents=parents, folder=folder, scratch=scratch, work=self.work, events=events,
                        language=language, permissions=tuple(sorted(inherited)))
        try:
            yield making
            making.ledger.check_balance()
            write_rows(folder / HISTORY, making.ledger.fates)
            write_rows(folder / DROPPED, (fate for fate in making.ledger.fates if fate.what == "dropped"))
            manifest = Manifest(
                format=FORMAT, kind=stage, id=artifact_id, version=version, recipe=recipe, made_at=time.time(),
                seconds=round(time.time() - started, 2), settings=settings.model_dump(mode="json"),
                parents={name: parent.id for name, parent in parents.items()}, inputs=dict(inputs),
                counts={**making.ledger.counts(), **making.counts}, facts=making.facts, permissions=making.permissions or ("everyone",),
                packages=installed_versions(), files=_hashes(folder))
            write_whole(folder / MANIFEST, manifest.model_dump_json(indent=1))
            _rename_in(folder, self.work / stage / artifact_id)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(scratch, ignore_errors=True)


def _hashes(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _rename_in(folder: Path, place: Path) -> None:
    """Rename the folder in. If another run was faster, its equal artifact stays."""
    if (place / MANIFEST).exists():
        shutil.rmtree(folder)
        return
    shutil.rmtree(place, ignore_errors=True)
    folder.replace(place)
