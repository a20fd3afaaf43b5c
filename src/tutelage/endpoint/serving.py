"""The door: which model answers now, switched without a pause when a tuned model passes its gate."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.core.chat import ChatFormat
from tutelage.core.engine import Engine
from tutelage.core.errors import ArtifactError, GateClosed, ServiceUnavailable
from tutelage.core.files import file_sha256
from tutelage.core.language import failure
from tutelage.core.records import Deployment, GateDecision, Override
from tutelage.core.store import Artifact
from tutelage.endpoint.overrides import is_covered, read_gate, verdict_key
from tutelage.engine.child_engine import Restarts
from tutelage.engine.gguf_adapter import check_base, parts_of

OpenEngine = Callable[[Path, str], Engine]
FindArtifact = Callable[[str], Artifact | None]
FindOverrides = Callable[[str], Sequence[Override]]
FindEarlier = Callable[[], Iterable[Artifact]]
LINGER_SECONDS = 5.0  # how long a replaced model waits for requests that have just chosen it


@dataclass
class Served:
    """A model that answers. `deployment` is its evidence; None for the ungated base, which only the drafting page shows."""

    name: str
    engine: Engine
    chat_format: ChatFormat
    deployment: Deployment | None = None
    _users: int = field(default=0, init=False, repr=False)
    _is_retired: bool = field(default=False, init=False, repr=False)
    _is_closed: bool = field(default=False, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def is_gated(self) -> bool:
        """Whether it passed its gate; one that is served because people answer for it did not."""
        return self.deployment is not None and self.deployment.gate.is_open

    @property
    def is_ready(self) -> bool:
        """Whether its engine can answer now; one that died comes back by itself."""
        return not isinstance(self.engine, Restarts) or self.engine.is_ready()

    @contextmanager
    def use(self) -> Iterator[Engine]:
        """Its engine, held open until the block ends even if it is replaced meanwhile.

        Raises ServiceUnavailable if it was closed before the block began; asking the door again gives its successor.
        """
        with self._lock:
            if self._is_closed:
                raise ServiceUnavailable(f"{self.name}: was replaced by a newer model a moment ago. Send the request again.")
            self._users += 1
        try:
            yield self.engine
        finally:
            with self._lock:
                self._users -= 1
            self._close_if_free()

    def retire(self) -> None:
        """Close its engine as soon as nobody uses it any more."""
        with self._lock:
            self._is_retired = True
        self._close_if_free()

    def _close_if_free(self) -> None:
        with self._lock:
            is_free = self._is_retired and self._users == 0 and not self._is_closed
            self._is_closed = self._is_closed or is_free
        if is_free:
            self.engine.close()


def check_deployment(deployment: Deployment, work: Path, chat_format: ChatFormat, standing: Sequence[Override] = ()) -> Path:
    """The copy's path, after checks. What is served must be what was scored. `standing` are the overrides of its scores that stand now.

    Raises GateClosed for a closed gate that nobody answers for (any more); ArtifactError for another file or another chat format than
    the scored ones.
    """
    if not is_covered(deployment, standing):
        raise failure(GateClosed, "endpoint.withdrawn" if deployment.overrides else "endpoint.ungated", name=deployment.name,
                      verdict_key=verdict_key(deployment.gate))
    path = work / deployment.gguf
    if not path.exists() or file_sha256(path) != deployment.gguf_sha256:
        raise ArtifactError(f"{path}: is not the file that passed the gate (SHA-256 differs or it is gone). Run `tutelage make` again.")
    if chat_format.hash != deployment.chat_format_hash:
        raise ArtifactError(f"{deployment.name}: was scored with chat format {deployment.chat_format_hash}, but this version renders "
                            f"{chat_format.hash}. Run `tutelage make` to score it again.")
    check_base(parts_of(path))
    return path


@dataclass(frozen=True)
class _Checked:
    """A deployment that may be served, with the id of its artifact and the path of its copy."""

    id: str
    deployment: Deployment
    path: Path


class Door:
    """Holds the base for drafting from the start, and the newest deployment as soon as there is one. Safe with threads.

    `find` gives the newest finished artifact of a stage for the recipe that is served, `overrides` what stands for some scores, `earlier`
    all deployments of the recipe, newest first: the first of them that may be served stands in where nobody answers for the newest any
    more. A replaced model closes after its last user and after `linger` seconds: a request that has chosen it does not find it gone.
    """

    def __init__(self, work: Path, *, find: FindArtifact, chat_format: ChatFormat, open_engine: OpenEngine,
                 overrides: FindOverrides = lambda scores: (), earlier: FindEarlier = tuple, linger: float = LINGER_SECONDS) -> None:
        self._work = work
        self._find = find
        self._overrides = overrides
        self._earlier = earlier
        self._chat_format = chat_format
        self._open_engine = open_engine
        self._linger = linger
        self.is_leaving = False
        self._base: Served | None = None
        self._served: Served | None = None
        self._served_id = ""
        self._passed_over = ""
        self._unusable: set[str] = set()  # older deployments whose copy is gone or changed: not hashed again at every look
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()

    def set_base(self, base: Served) -> None:
        """Let the base draft until a tuned model has passed."""
        with self._lock:
            self._base = base

    def served(self) -> Served | None:
        """The model that passed its gate, or None."""
        with self._lock:
            return self._served

    def passed_over(self) -> str:
        """The id of the newest deployment where an older one stands in for it, as nobody answers for it any more; else ""."""
        with self._lock:
            return self._passed_over if self._served else ""

    def drafter(self) -> Served | None:
        """The model for the drafting page: the one that passed, else the base, marked as not gated."""
        with self._lock:
            return self._served or self._base

    def is_ready(self) -> bool:
        """Whether new requests should be sent here: a model passed, its engine is there, and the service is not about to end."""
        served = self.served()
        return served is not None and served.is_ready and not self.is_leaving

    def leave(self) -> None:
        """Tell from now on that no new requests should be sent here; those that come are answered."""
        self.is_leaving = True

    def newest(self, stage: str) -> Artifact | None:
        """The newest finished artifact of a stage for the recipe that is served."""
        return self._find(stage)

    def gate(self) -> GateDecision | None:
        """The newest decision, open or closed; None before the first scores."""
        scores = self._find("scores")
        return read_gate(scores) if scores else None

    def upcoming(self) -> Path | None:
        """The copy that the next refresh would open, None if there is none that may be served."""
        newest = self._find("endpoint")
        try:
            found = self._allowed(newest) if newest else None
        except (GateClosed, ArtifactError):
            return None
        return found.path if found else None

    def use(self, served: Served) -> AbstractContextManager[Engine]:
        """Its engine, held open until the block ends even if the door switches meanwhile; raises as `Served.use` does."""
        return served.use()

    def refresh(self) -> bool:
        """Load and switch to the newest deployment if it is another one. True when the door switched.

        One that nobody answers for any more is shut, and the newest older one that may be served takes its place. GateClosed is raised
        where there is none.
        """
        with self._refreshing:
            self._shut_if_withdrawn()
            newest = self._find("endpoint")
            if newest is None or newest.id == self._served_id:
                return False
            found = self._allowed(newest)
            if found is None:
                return False
            served = Served(found.deployment.name, self._open_engine(found.path, found.deployment.name), self._chat_format,
                            found.deployment)
            with self._lock:
                former, self._served, self._served_id = self._served or self._base, served, found.id
                self._passed_over = newest.id if found.id != newest.id else ""
                self._base = None
            self._retire(former, linger=self._linger)
            return True

    def _allowed(self, newest: Artifact) -> _Checked | None:
        """The newest deployment, or where it may not be served the first older one that may; None where that one is served already.

        Raises GateClosed if there is none, ArtifactError for a newest one that is not what was scored.
        """
        try:
            return self._checked(newest)
        except GateClosed:
            for older in self._earlier():
                if older.id == self._served_id:
                    return None
                if older.id != newest.id and older.id not in self._unusable and (found := self._checked_older(older)):
                    return found
            raise

    def _checked(self, artifact: Artifact) -> _Checked:
        deployment = Deployment.model_validate_json(artifact.file("deployment.json").read_text("utf-8"))
        standing = self._overrides(deployment.scores_id) if deployment.overrides else ()
        return _Checked(artifact.id, deployment, check_deployment(deployment, self._work, self._chat_format, standing))

    def _checked_older(self, older: Artifact) -> _Checked | None:
        """The same of an older deployment, None if it may not be served either."""
        try:
            return self._checked(older)
        except GateClosed:
            return None
        except ArtifactError:
            self._unusable.add(older.id)
            return None

    def take_off(self, served: Served) -> None:
        """Stop serving this model until there is another deployment or the service starts again; answers under way go on."""
        with self._lock:
            if self._served is not served:
                return
            self._served = None
        self._retire(served)

    def cut(self) -> None:
        """Close the engine that answers whether it is in use or not: its answers under way break off."""
        if served := self.drafter():
            served.engine.close()

    def close(self) -> None:
        """Retire all models; each closes when its last user is gone."""
        with self._lock:
            models, self._served, self._base = [self._served, self._base], None, None
        for served in models:
            self._retire(served)

    def _shut_if_withdrawn(self) -> None:
        served = self.served()
        if served is None or served.deployment is None or not served.deployment.overrides:
            return
        if not is_covered(served.deployment, self._overrides(served.deployment.scores_id)):
            with self._lock:
                self._served, self._served_id = None, ""
            self._retire(served)

    def _retire(self, served: Served | None, *, linger: float = 0.0) -> None:
        """Close it after its last user; after `linger` seconds at the earliest."""
        if served is None:
            return
        if linger:
            later = threading.Timer(linger, served.retire)
            later.daemon = True
            later.start()
            return
        served.retire()
