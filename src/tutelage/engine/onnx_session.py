"""ONNX Runtime: one pass of a model over new tokens with the keys and values of those before them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.core.errors import ExtraMissing, InputError
from tutelage.engine.onnx_folder import GRAPH, OnnxCopy

INSTALL = 'pip install "tutelage[onnx]"'
PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")  # the first that are there
FATAL_ONLY = 4  # what goes wrong is raised as well; ONNX Runtime need not write it too
Cache = list[Any]  # an OrtValue for the keys and one for the values of each layer, in turn


@dataclass(frozen=True)
class Batch:
    """New tokens of some rows. `ids` and `positions` have the shape (rows, new); `mask` (rows, before + new), 0 for padding."""

    ids: np.ndarray
    positions: np.ndarray
    mask: np.ndarray


def load_onnxruntime() -> Any:
    """The library. Raises ExtraMissing if it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        raise ExtraMissing(f"ONNX copies need the package onnxruntime, which is not installed. Install it with `{INSTALL}`.") from None
    return onnxruntime


def available_providers() -> list[str]:
    """Where this machine's ONNX Runtime can compute, the fastest first: TensorRT, CUDA, the processor."""
    have = load_onnxruntime().get_available_providers()
    return [provider for provider in PROVIDERS if provider in have]


class OnnxSession:
    """A loaded copy. Several threads may run it at once; all share its threads."""

    def __init__(self, folder: Path, copy: OnnxCopy, *, threads: int | None) -> None:
        self._library = load_onnxruntime()
        self._copy = copy
        options = self._library.SessionOptions()
        options.intra_op_num_threads = threads or max(1, (os.cpu_count() or 2) - 1)
        options.inter_op_num_threads = 1
        options.log_severity_level = FATAL_ONLY
        try:
            self._session = self._library.InferenceSession(str(folder / GRAPH), options, providers=available_providers())
        except _errors() as error:
            raise InputError(f"{folder / GRAPH}: ONNX Runtime {self._library.__version__} cannot load this copy "
                             f"({str(error).splitlines()[0]}). Make it again with the installed version.") from None
        self.providers: list[str] = self._session.get_providers()
        self._device = "cuda" if self.providers[0] != "CPUExecutionProvider" else "cpu"

    def empty_cache(self, rows: int) -> Cache:
        """The keys and values of no token."""
        return self._to_cache([np.zeros((rows, self._copy.groups, 0, self._copy.head_size), np.float32)] * (2 * self._copy.layers))

    def keep_rows(self, cache: Cache, places: list[int]) -> Cache:
        """The keys and values of these rows only."""
        return self._to_cache([np.ascontiguousarray(value.numpy()[places]) for value in cache])

    def logits(self, batch: Batch, cache: Cache, places: np.ndarray) -> tuple[np.ndarray, Cache]:
        """Logits at these places of the new tokens, shape (rows, places, vocabulary), and the longer cache."""
        found = self._run(batch, cache, places, "logits")
        return found[0].numpy(), found[1:]

    def hidden(self, batch: Batch) -> np.ndarray:
        """The last hidden states of rows without a past, shape (rows, new, width)."""
        states: np.ndarray = self._run(batch, self.empty_cache(len(batch.ids)), np.zeros(1, np.int64), "hidden")[0].numpy()
        return states

    def _run(self, batch: Batch, cache: Cache, places: np.ndarray, wanted: str) -> list[Any]:
        binding = self._session.io_binding()
        given = {"input_ids": batch.ids, "position_ids": batch.positions, "attention_mask": batch.mask, "places": places}
        for name, array in given.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(array, np.int64))
        for name, value in zip(cache_names("past", self._copy.layers), cache, strict=True):
            binding.bind_ortvalue_input(name, value)
        binding.bind_output(wanted, "cpu")
        for name in cache_names("present", self._copy.layers):
            binding.bind_output(name, self._device)
        self._session.run_with_iobinding(binding)
        outputs: list[Any] = binding.get_outputs()
        return outputs

    def _to_cache(self, arrays: list[np.ndarray]) -> Cache:
        return [self._library.OrtValue.ortvalue_from_numpy(array, self._device, 0) for array in arrays]


def _errors() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises: classes of its own that share no base."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (RuntimeError, *(kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception)))


def cache_names(when: str, layers: int) -> list[str]:
    """Names of the graph's inputs ("past") or outputs ("present") that hold keys and values."""
    return [f"{when}.{layer}.{what}" for layer in range(layers) for what in ("key", "value")]
