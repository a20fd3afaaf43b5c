"""Weights in 8 and 4 bits as ONNX Runtime computes with them: unsigned numbers about a middle, a scale for each block of a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK = 32
MIDDLE = {8: 128, 4: 8}
SHRINKS = (1.0, 0.95, 0.9, 0.85, 0.8)  # of a block's largest number: cutting it may round the others better


@dataclass(frozen=True)
class Rounded:
    """A matrix (rows, columns) as (numbers - middle) x scales. `numbers` (rows, blocks, block) uint8, `scales` (rows, blocks) fp32."""

    numbers: np.ndarray
    scales: np.ndarray
    bits: int

    def packed(self) -> np.ndarray:
        """Numbers as they are stored: two of 4 bits in a byte, the first in the lower half."""
        if self.bits == 8:
            return self.numbers
        both: np.ndarray = self.numbers[..., ::2] | (self.numbers[..., 1::2] << 4)
        return both

    def restored(self) -> np.ndarray:
        """The matrix as it is computed with, shape (rows, columns)."""
        whole: np.ndarray = (self.numbers.astype(np.float32) - MIDDLE[self.bits]) * self.scales[..., None]
        matrix: np.ndarray = whole.reshape(len(whole), -1)
        return matrix


def round_rows(weight: np.ndarray, *, bits: int, block: int) -> Rounded:
    """The matrix in 8 or 4 bits; `block` must divide its columns. In 4 bits each block takes the scale that errs least."""
    blocks = weight.reshape(len(weight), -1, block).astype(np.float32)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(2)[..., None], 2)
    if bits == 8:
        scales = np.abs(largest) / 127
        return Rounded(_numbers(blocks, scales, bits), scales[..., 0], bits)
    best, scales, errors = np.zeros(blocks.shape, np.uint8), np.zeros_like(largest), np.full(largest.shape, np.inf, np.float32)
    for shrink in SHRINKS:
        tried = -largest * shrink / 8  # the largest becomes -8, of which there is no opposite
        numbers = _numbers(blocks, tried, bits)
        found = np.square((numbers.astype(np.float32) - MIDDLE[bits]) * tried - blocks).sum(2, keepdims=True)
        better = found < errors
        best, scales, errors = np.where(better, numbers, best), np.where(better, tried, scales), np.where(better, found, errors)
    return Rounded(best, scales[..., 0], bits)


def _numbers(blocks: np.ndarray, scales: np.ndarray, bits: int) -> np.ndarray:
    turned = np.divide(blocks, scales, out=np.zeros_like(blocks), where=scales != 0)
    numbers: np.ndarray = np.clip(np.rint(turned) + MIDDLE[bits], 0, 2 ** bits - 1).astype(np.uint8)
    return numbers
