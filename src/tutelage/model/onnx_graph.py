"""Puts weights into a traced graph: as they are, in 8 bits with activations rounded as they come, or in 8 or 4 bits by blocks.

Source: the ONNX specification (MatMulInteger, DynamicQuantizeLinear) and ONNX Runtime's contributed operators (MatMulNBits).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from tutelage.core.errors import ExtraMissing, InputError
from tutelage.engine.onnx_folder import GRAPH, WEIGHTS, OnnxKind
from tutelage.engine.onnx_session import INSTALL
from tutelage.model.onnx_numbers import BLOCK, MIDDLE, Rounded, round_rows
from tutelage.model.onnx_trace import PREFIX

ALIGNMENT = 4096  # a page, so that the file can be mapped into memory
INLINE_BYTES = 65_536  # smaller tensors stand in the graph itself
CONTRIBUTED = "com.microsoft"
INT8_ACTIVATIONS = 4  # MatMulNBits' accuracy_level: it multiplies in 8 bits, each block of activations rounded by itself


def load_onnx() -> Any:
    """The library that builds graphs. Raises ExtraMissing if it is not installed."""
    try:
        import onnx
    except ImportError:
        raise ExtraMissing(f"ONNX copies need the package onnx, which is not installed. Install it with `{INSTALL}`.") from None
    return onnx


def write_graph(traced: bytes, weights: Mapping[str, np.ndarray], folder: Path, *, kind: OnnxKind) -> None:
    """Write model.onnx and model.onnx.data. `weights` are those of the model folder, by name.

    Raises InputError for a weight that is not finite, or whose rows cannot be cut into blocks.
    """
    model = load_onnx().load_from_string(traced)
    with (folder / WEIGHTS).open("wb") as file:
        _Builder(model, weights, kind, file).build()
    (folder / GRAPH).write_bytes(model.SerializeToString())


class _Builder:
    """Rewrites one graph. Weights come as inputs; matrices are multiplied after a Transpose, the embedding is looked up by Gather."""

    def __init__(self, model: Any, weights: Mapping[str, np.ndarray], kind: OnnxKind, file: IO[bytes]) -> None:
        self._onnx = load_onnx()
        self._model = model
        self._graph = model.graph
        self._weights = weights
        self._kind = kind
        self._file = file
        self._nodes: list[Any] = []
        self._stored: set[str] = set()
        self._rounded: dict[str, tuple[str, str, str]] = {}
        named = {one.name for one in self._graph.input}
        self._ours = {name: name.removeprefix(PREFIX) for name in named if name.removeprefix(PREFIX) in weights}
        self._looked_up = {node.input[0] for node in self._graph.node if node.op_type == "Gather" and node.input[0] in self._ours}
        self._turned = {node.output[0]: node.input[0] for node in self._graph.node
                        if node.op_type == "Transpose" and node.input[0] in self._ours}

    def build(self) -> None:
        """Rewrite the graph, and write its large tensors to the file."""
        for name in sorted(self._ours):
            if not np.isfinite(self._weights[self._ours[name]]).all():
                raise InputError(f"{self._ours[name]}: holds numbers that are not finite, so no copy is made. Train again with a lower "
                                 "learning rate.")
        for node in list(self._graph.node):
            self._take(node)
        kept = [one for one in self._graph.input if one.name not in self._ours]
        del self._graph.input[:], self._graph.node[:]
        self._graph.input.extend(kept)
        self._graph.node.extend(self._nodes)
        if self._kind in ("int8_blocks", "int4"):
            self._model.opset_import.append(self._onnx.helper.make_opsetid(CONTRIBUTED, 1))

    def _take(self, node: Any) -> None:
        if node.output[0] in self._turned:
            return
        if node.op_type == "MatMul" and node.input[1] in self._turned:
            self._multiply(node, self._turned[node.input[1]])
        elif node.op_type == "Gather" and node.input[0] in self._looked_up and self._kind != "fp32":
            self._look_up(node)
        else:
            for name in node.input:
                if name in self._ours:
                    self._store(name, self._weight(name))
            self._nodes.append(node)

    def _multiply(self, node: Any, name: str) -> None:
        given, result = node.input[0], node.output[0]
        is_outer = name in self._looked_up or name.endswith("lm_head.weight")
        if self._kind == "fp32":
            if name in self._looked_up:  # shared with the embedding, so it must not turn
                self._store(name, self._weight(name))
                self._add("Gemm", [given, name], [result], transB=1)
            else:
                self._store(f"{name}.turned", self._weight(name).T)
                self._add("MatMul", [given, f"{name}.turned"], [result])
        elif self._kind == "int8":
            self._multiply_integers(given, result, name)
        else:
            rounded = self._store_rounded(name, bits=4 if self._kind == "int4" and not is_outer else 8)
            rows, blocks, block = rounded.numbers.shape
            self._add("MatMulNBits", [given, f"{name}.numbers", f"{name}.scales"], [result], domain=CONTRIBUTED, K=blocks * block, N=rows,
                      bits=rounded.bits, block_size=block, accuracy_level=INT8_ACTIVATIONS)

    def _multiply_integers(self, given: str, result: str, name: str) -> None:
        """Unsigned weights: with signed ones, processors without VNNI cut sums off, and the same file would answer otherwise there."""
        if given not in self._rounded:
            self._rounded[given] = (f"{given}.rounded", f"{given}.scale", f"{given}.zero")
            self._add("DynamicQuantizeLinear", [given], list(self._rounded[given]))
        numbers, scale, zero = self._rounded[given]
        rounded = self._store_rounded(name, bits=8)
        matrix = f"{name}.turned"
        if name in self._looked_up:
            self._store(f"{name}.shape", np.array([len(rounded.numbers), -1], np.int64))
            self._add("Reshape", [f"{name}.numbers", f"{name}.shape"], [f"{name}.matrix"])
            self._add("Transpose", [f"{name}.matrix"], [matrix], perm=[1, 0])
        self._store("middle8", np.array(MIDDLE[8], np.uint8))
        self._add("MatMulInteger", [numbers, matrix, zero, "middle8"], [f"{result}.sums"])
        self._add("Cast", [f"{result}.sums"], [f"{result}.floats"], to=self._onnx.TensorProto.FLOAT)
        self._add("Mul", [scale, f"{name}.scales"], [f"{result}.scale"])
        self._add("Mul", [f"{result}.floats", f"{result}.scale"], [result])

    def _look_up(self, node: Any) -> None:
        """The embedding's rows in 8 bits, made fp32 only where they are asked for."""
        name, ids, result = node.input[0], node.input[1], node.output[0]
        rounded = self._store_rounded(name, bits=8)
        rows, blocks, block = rounded.numbers.shape
        self._store(f"{name}.width", np.array([0, 0, blocks * block], np.int64))
        self._store(f"{name}.table", np.array([rows, blocks, 1], np.int64))
        self._store("middle", np.array(MIDDLE[8], np.float32))
        self._add("Gather", [f"{name}.numbers", ids], [f"{result}.numbers"])
        self._add("Cast", [f"{result}.numbers"], [f"{result}.floats"], to=self._onnx.TensorProto.FLOAT)
        self._add("Sub", [f"{result}.floats", "middle"], [f"{result}.about"])
        self._add("Reshape", [f"{name}.scales", f"{name}.table"], [f"{result}.table"])
        self._add("Gather", [f"{result}.table", ids], [f"{result}.scales"])
        self._add("Mul", [f"{result}.about", f"{result}.scales"], [f"{result}.blocks"])
        self._add("Reshape", [f"{result}.blocks", f"{name}.width"], [result])

    def _store_rounded(self, name: str, *, bits: int) -> Rounded:
        """The weight in fewer bits, stored once: (rows, blocks, block), and (columns, rows) where integers are multiplied."""
        weight = self._weight(name)
        block = weight.shape[1] if self._kind == "int8" else BLOCK
        if weight.shape[1] % block:
            raise InputError(f"{self._ours[name]}: its rows have {weight.shape[1]} numbers; {self._kind} cuts rows into blocks of {block}. "
                             "Choose fp32 or int8.")
        rounded = round_rows(weight, bits=bits, block=block)
        self._store(f"{name}.scales", rounded.scales.reshape(-1))
        if self._kind == "int8" and name not in self._looked_up:
            self._store(f"{name}.turned", rounded.numbers[:, 0].T)
        else:
            self._store(f"{name}.numbers", rounded.packed())
        return rounded

    def _weight(self, name: str) -> np.ndarray:
        return self._weights[self._ours[name]]

    def _store(self, name: str, array: np.ndarray) -> None:
        """Keep a tensor under this name: a small one in the graph, a large one in the file."""
        if name in self._stored:
            return
        self._stored.add(name)
        array = np.ascontiguousarray(array) if array.ndim else array
        if array.nbytes < INLINE_BYTES:
            self._graph.initializer.append(self._onnx.numpy_helper.from_array(array, name))
            return
        self._file.write(b"\0" * (-self._file.tell() % ALIGNMENT))
        tensor = self._onnx.TensorProto(name=name, dims=array.shape, data_location=self._onnx.TensorProto.EXTERNAL,
                                        data_type=self._onnx.helper.np_dtype_to_tensor_dtype(array.dtype))
        for key, value in (("location", WEIGHTS), ("offset", self._file.tell()), ("length", array.nbytes)):
            tensor.external_data.add(key=key, value=str(value))
        self._file.write(array.data)
        self._graph.initializer.append(tensor)

    def _add(self, operator: str, given: list[str], results: list[str], *, domain: str = "", **settings: Any) -> None:
        self._nodes.append(self._onnx.helper.make_node(operator, given, results, domain=domain, **settings))
