"""The ways in which several processes share a model, by their names in a recipe."""

from __future__ import annotations

from typing import Any

from tutelage.training.together import Copies, Shards, Together
from tutelage.training.zero import Zero2, Zero3

TEAMS: dict[str, type[Together[Any]]] = {"ddp": Copies, "fsdp": Shards, "zero2": Zero2, "zero3": Zero3}
