"""ONNX copies of tiny models, made once for whoever asks for the same one again."""

from __future__ import annotations

from pathlib import Path

from tutelage.core.chat import CHATML
from tutelage.engine.onnx_folder import OnnxKind
from tutelage.model.export_onnx import export_onnx


def make_onnx(folder: Path, kind: OnnxKind) -> Path:
    """The copy of a model folder, beside it."""
    copy = folder.parent / f"{folder.name}-onnx-{kind}"
    if not copy.is_dir():
        export_onnx(folder, copy, kind=kind, chat_format=CHATML)
    return copy
