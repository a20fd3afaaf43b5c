"""A model with only some of its layers: the student that a distillation starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from tutelage.core.errors import InputError
from tutelage.core.files import write_whole
from tutelage.core.records import Record

STUDENT = "student.json"


def kept_layers(layers: int, wanted: int) -> tuple[int, ...]:
    """Which `wanted` of so many layers a student keeps, counted from 0: evenly spread, the first and the last among them.

    Source: DistilBERT keeps 0, 2, 4, 7, 9 and 11 of 12 (Sanh et al. 2019, arXiv:1910.01108, section 3, and its published script);
    this rule gives the same. Raises InputError for more layers than there are.
    """
    if wanted > layers:
        raise InputError(f"training.student_layers: is {wanted}, but the base, which is the teacher, has {layers} layers; a student is "
                         f"made of its teacher's own layers and cannot be deeper. Give at most {layers}.")
    return tuple(round(place * (layers - 1) / max(wanted - 1, 1)) for place in range(wanted))


def count_layers(model: PreTrainedModel) -> int:
    """How many layers the model has."""
    return int(model.config.get_text_config().num_hidden_layers)


def keep_layers(model: PreTrainedModel, kept: tuple[int, ...]) -> PreTrainedModel:
    """The same model with only these of its layers, in this order; it is changed in place, its configuration as well.

    Raises InputError for an architecture whose layers do not stand in one list.
    """
    config: Any = model.config.get_text_config()
    parent, name = _place_of_layers(model)
    layers = getattr(parent, name)
    setattr(parent, name, torch.nn.ModuleList(layers[number] for number in kept))
    for number, layer in enumerate(getattr(parent, name)):
        for module in layer.modules():
            if "layer_idx" in vars(module):
                module.layer_idx = number
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[number] for number in kept]
    config.num_hidden_layers = len(kept)
    return model


def layers_of(model: PreTrainedModel) -> torch.nn.ModuleList:
    """The model's layers, first to last. Raises InputError for an architecture whose layers do not stand in one list."""
    parent, name = _place_of_layers(model)
    layers = getattr(parent, name)
    assert isinstance(layers, torch.nn.ModuleList)
    return layers


def _place_of_layers(model: PreTrainedModel) -> tuple[torch.nn.Module, str]:
    """The module that has the layers in a list, and the list's name."""
    before = count_layers(model)
    lists = [(parent, name) for parent in model.modules() for name, child in parent.named_children()
             if isinstance(child, torch.nn.ModuleList) and len(child) == before]
    if len(lists) != 1:
        raise InputError(f"training.base: {model.config.model_type!r} models have {len(lists)} lists of {before} layers; a student can be "
                         "made of a model with exactly one. Choose another base.")
    return lists[0]


class Student(Record):
    """`student.json`: which layers of the base, counted from 0, the trained model has. What was learned is put on this model."""

    layers: tuple[int, ...]


def write_student(folder: Path, layers: tuple[int, ...]) -> None:
    """Say in an artifact's folder that its model has only these layers of the base."""
    write_whole(folder / STUDENT, Student(layers=layers).model_dump_json(indent=1))


def as_trained(base: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """The base as the training whose artifact is in `folder` began with it: with fewer layers, if that was a distillation."""
    path = folder / STUDENT
    return keep_layers(base, Student.model_validate_json(path.read_text("utf-8")).layers) if path.is_file() else base
