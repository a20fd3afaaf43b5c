"""One copy while a search tries it, and the target as a comparison."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.core.copies import CopyEvidence, Speed
from tutelage.core.errors import InputError
from tutelage.core.files import size_of
from tutelage.engine.onnx_folder import OnnxKind
from tutelage.model.copying import MEGABYTE, Facts, Parent, cost_facts, evidence
from tutelage.model.evidence import Measured, Measuring, measure
from tutelage.model.evidence_speed import measure_speed
from tutelage.model.mixture import Quantisation
from tutelage.model.onnx_copy import OnnxParity, check_onnx, compare_onnx, disagreement, folder_name
from tutelage.model.parity import Parity, agrees
from tutelage.model.settings import Target


@dataclass
class Trial(ABC):
    """One copy among `tried`. `reason` is "" as long as nothing speaks against it."""

    parent: Parent
    path: Path
    tried: int
    reason: str = ""
    facts: Facts = field(default_factory=dict)
    speed: Speed | None = None
    measured: Measured | None = None

    @property
    @abstractmethod
    def size(self) -> str:
        """Its bits."""

    @abstractmethod
    def compare(self) -> None:
        """Drop it unless it spells and begins its answers as its parent does."""

    @property
    def name(self) -> str:
        """Its bits and its shape."""
        return self.parent.name_of(self.size)

    @property
    def measuring(self) -> Measuring:
        """What it is measured with; a search always has that."""
        assert self.parent.measuring is not None
        return self.parent.measuring

    @property
    def megabytes(self) -> float:
        """Of its file or folder."""
        return size_of(self.path) / MEGABYTE

    def timed(self) -> Speed:
        """How it runs, measured when it is first asked for."""
        self.speed = self.speed or measure_speed(self.path, self.measuring.timing)
        return self.speed

    def weighed(self) -> Measured:
        """What it costs, measured when it is first asked for."""
        self.measured = self.measured or measure(self.measuring, self.path, tried=self.tried)
        return self.measured

    def weigh(self) -> None:
        """Drop it unless it is proven to stay within the margin."""
        state = self.weighed().loss.cost.state
        if state != "holds":
            self.drop("model.copy.costs" if state == "fails" else "model.copy.undecided", tried=self.tried,
                      **cost_facts(self.weighed(), self.parent))

    def drop(self, reason: str, **facts: str | int | float) -> None:
        """Say why it is not taken."""
        self.reason, self.facts = reason, facts

    def line(self, *, kept: bool) -> CopyEvidence:
        """Its line of evidence.json."""
        return evidence(self.parent, self.size, self.path, self.reason, self.facts, self.measured, self.speed, kept=kept)

    def remove(self) -> None:
        """Take it off the disk."""
        if self.path.is_dir():
            shutil.rmtree(self.path)
        else:
            self.path.unlink()


@dataclass(kw_only=True)
class GgufTrial(Trial):
    """A copy for llama.cpp."""

    quantisation: Quantisation
    parity: Parity | None = None

    @property
    def size(self) -> str:
        """Its bits."""
        return self.quantisation

    def compare(self) -> None:
        """Drop it unless it spells and begins its answers as its parent does."""
        needed = self.parent.settings.minimum_agreement
        self.parity = parity = self.parent.parity(self.path, self.quantisation)
        if not agrees(parity, minimum_agreement=needed):
            self.drop("model.copy.disagrees", equal=parity.argmax_equal, prompts=parity.prompts, share=round(100 * parity.share, 1),
                      needed=round(100 * needed, 1))


@dataclass(kw_only=True)
class OnnxTrial(Trial):
    """A copy for ONNX Runtime."""

    kind: OnnxKind
    parity: OnnxParity | None = None

    @property
    def size(self) -> str:
        """Its bits, and that it is an ONNX copy."""
        return folder_name(self.kind)

    def compare(self) -> None:
        """The same; in fp32 its logits must be the parent's too, else GateClosed is raised."""
        self.parity = compare_onnx(self.parent, self.path, self.kind, self.weighed())
        if not self.parity.kept:
            check_onnx(self.parent, self.parity)
            self.drop("model.copy.disagrees", **disagreement(self.parent, self.parity))


@dataclass(frozen=True)
class Goal:
    """A target as a comparison: `figure` of a trial must be at most `limit`, or at least where `is_floor`.

    `setting` is its name in the recipe, `reason` the text for a copy that misses it.
    """

    setting: str
    limit: float
    unit: str
    reason: str
    figure: Callable[[Trial], float]
    is_floor: bool = False

    def is_met(self, trial: Trial) -> bool:
        """Whether the copy keeps to the target."""
        return self.figure(trial) >= self.limit if self.is_floor else self.figure(trial) <= self.limit

    def rank(self, trial: Trial) -> tuple[float, float]:
        """Lower is better: the smallest where a speed is asked for, else the fastest."""
        smallest, fastest = trial.megabytes, -trial.timed().tokens_per_second
        return (smallest, fastest) if self.is_floor else (fastest, smallest)

    @property
    def words(self) -> str:
        """The target in a line."""
        return f"{self.setting} {'>=' if self.is_floor else '<='} {self.limit:g}"


def goal_of(target: Target) -> Goal:
    """The one that is set. Raises InputError if there is none."""
    if target.megabytes:
        return Goal("megabytes", target.megabytes, "MB", "model.copy.too_large", lambda trial: trial.megabytes)
    if target.memory_megabytes:
        return Goal("memory_megabytes", target.memory_megabytes, "MB of memory", "model.copy.too_much_memory",
                    lambda trial: trial.timed().peak_rss_mb)
    if target.tokens_per_second:
        return Goal("tokens_per_second", target.tokens_per_second, "tokens/s", "model.copy.too_slow",
                    lambda trial: trial.timed().tokens_per_second, is_floor=True)
    raise InputError("model.target: sets no limit. Give megabytes, memory_megabytes or tokens_per_second.")
