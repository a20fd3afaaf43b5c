"""Counts what was served and how fast, and tells it as Prometheus reads it, under vLLM's names."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tutelage.core.records import Answer, GateDecision

# Upper ends in seconds, those of vLLM's request_latency_buckets as far as a processor needs them.
BUCKETS = (0.1, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 240.0)

GATE: dict[str, Callable[[GateDecision], float]] = {"difference": lambda gate: gate.difference, "low": lambda gate: gate.low,
                                                    "high": lambda gate: gate.high, "rows": lambda gate: float(gate.n)}


@dataclass
class Spread:
    """How often a duration fell into each bucket; the last one has no end."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


class Meter:
    """What was served since the start; safe with threads. It keeps numbers only, never a text."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._ended: Counter[tuple[str, str]] = Counter()
        self._refused: Counter[int] = Counter()
        self._first: dict[str, Spread] = {}
        self._whole: dict[str, Spread] = {}

    def answered(self, model: str, answers: Sequence[Answer], *, choices_a_prompt: int, first_seconds: float, seconds: float) -> None:
        """Count one request that was answered to its end."""
        with self._lock:
            self._tokens[model, "prompt"] += sum(answer.prompt_tokens for answer in answers[::choices_a_prompt])
            self._tokens[model, "generation"] += sum(len(answer.token_ids) for answer in answers)
            for answer in answers:
                self._ended[model, answer.finish_reason] += 1
            self._first.setdefault(model, Spread()).add(first_seconds)
            self._whole.setdefault(model, Spread()).add(seconds)

    def broke_off(self, model: str) -> None:
        """Count one request whose client left or whose engine failed."""
        with self._lock:
            self._ended[model, "abort"] += 1

    def refused(self, status: int) -> None:
        """Count one request that was refused with this status."""
        with self._lock:
            self._refused[status] += 1

    def page(self, *, model: str, running: int, waiting: int, gates: Mapping[str, GateDecision], more: Sequence[str] = ()) -> str:
        """Everything in Prometheus' text format; `gates` are those of the served models, `more` are lines about their engines."""
        with self._lock:
            lines = [*one_metric("vllm:num_requests_running", "gauge", [({"model_name": model}, running)]),
                     *one_metric("vllm:num_requests_waiting", "gauge", [({"model_name": model}, waiting)])]
            for what in ("prompt", "generation"):
                lines += one_metric(f"vllm:{what}_tokens_total", "counter",
                                    [({"model_name": name}, count) for (name, kind), count in sorted(self._tokens.items()) if kind == what])
            lines += one_metric("vllm:request_success_total", "counter", [({"model_name": name, "finished_reason": reason}, count)
                                                                          for (name, reason), count in sorted(self._ended.items())])
            lines += one_metric("tutelage:requests_refused_total", "counter",
                                [({"status": str(status)}, count) for status, count in sorted(self._refused.items())])
            lines += _spread("vllm:time_to_first_token_seconds", self._first)
            lines += _spread("vllm:e2e_request_latency_seconds", self._whole)
        labelled = [({"model_name": name, "metric": gate.metric, "verdict": gate.verdict}, gate) for name, gate in gates.items()]
        for what in GATE if labelled else {}:
            lines += one_metric(f"tutelage:gate_{what}", "gauge", [(labels, GATE[what](gate)) for labels, gate in labelled])
        return "\n".join([*lines, *more]) + "\n"


def one_metric(name: str, kind: str, values: Sequence[tuple[dict[str, str], float]]) -> list[str]:
    """The lines of one number, with its labels."""
    return [f"# TYPE {name} {kind}", *(f"{name}{_labels(labels)} {value}" for labels, value in values)]


def _spread(name: str, spreads: dict[str, Spread]) -> list[str]:
    lines = [f"# TYPE {name} histogram"]
    for model, spread in sorted(spreads.items()):
        seen = 0
        for end, count in zip([*(f"{end:g}" for end in BUCKETS), "+Inf"], spread.counts, strict=True):
            seen += count
            lines.append(f"{name}_bucket{_labels({'model_name': model, 'le': end})} {seen}")
        lines += [f"{name}_sum{_labels({'model_name': model})} {spread.total:.6f}", f"{name}_count{_labels({'model_name': model})} {seen}"]
    return lines


def _labels(labels: dict[str, str]) -> str:
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for value in labels.values())
    return "{" + ",".join(f'{name}="{value}"' for name, value in zip(labels, escaped, strict=True)) + "}" if labels else ""
