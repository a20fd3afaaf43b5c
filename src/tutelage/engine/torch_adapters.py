"""Adapters (PEFT) on a model: load, answer with the newest, and forget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from peft import PeftModel
from safetensors import SafetensorError

from tutelage.core.errors import InputError
from tutelage.engine.vocabulary import ADAPTER_MARK, VOCABULARY_MARK


class Adapters:
    """The adapters loaded on one model, oldest first. The last one answers."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}  # our name -> the key inside PEFT, where names must not have a dot
        self._loaded = 0

    @property
    def active(self) -> str:
        """The name of the adapter that answers, "" for none."""
        return next(reversed(self._keys), "")

    def load(self, model: Any, name: str, folder: Path) -> Any:
        """Put the adapter in `folder` on `model`, and give the model to use from now on."""
        if name in self._keys:
            raise InputError(f"an adapter {name!r} is loaded already; unload it first, or choose another name.")
        if not (folder / "adapter_config.json").is_file():
            raise InputError(f"{folder}: has no adapter_config.json; expected an adapter that `tutelage make --until training` made.")
        _check_vocabulary(folder, model.config.to_dict().get(VOCABULARY_MARK))
        key = f"adapter_{self._loaded}"
        try:
            if self._keys:
                model.load_adapter(str(folder), key, local_files_only=True)
            else:
                model = PeftModel.from_pretrained(model, str(folder), adapter_name=key, local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            raise InputError(f"{folder}: this adapter does not fit the model ({str(error).splitlines()[0]}). "
                             "Use the base that it was trained on.") from None
        self._loaded += 1
        self._keys[name] = key
        model.set_adapter(key)
        return model.eval()

    def unload(self, model: Any, name: str) -> Any:
        """Take an adapter off `model`, and give the model to use from now on."""
        if name not in self._keys:
            raise InputError(f"no adapter {name!r} is loaded; loaded are {', '.join(self._keys) or 'none'}.")
        key = self._keys.pop(name)
        if not self._keys:
            return model.unload()
        model.set_adapter(self._keys[self.active])
        model.delete_adapter(key)
        return model


def _check_vocabulary(folder: Path, mark: str | None) -> None:
    """Raise InputError for an adapter that was trained on a trimmed vocabulary, and a model with another one than that."""
    path = folder / ADAPTER_MARK
    if not path.is_file() or (trained := json.loads(path.read_text("utf-8"))[VOCABULARY_MARK]) == mark:
        return
    raise InputError(f"{folder}: this adapter was trained on a trimmed vocabulary with the hash {trained}; the model has "
                     f"{f'another one, {mark}' if mark else 'a whole one'}. Load it on the folder trimmed/ beside it in its training.")
