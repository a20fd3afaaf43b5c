"""How large copies would be, by the shapes of the base's weights alone: told before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from gguf.constants import GGML_QUANT_SIZES
from safetensors import safe_open

from tutelage.engine.bases import Base
from tutelage.engine.gguf_file import read_head
from tutelage.engine.kinds import read_config
from tutelage.engine.onnx_folder import OnnxKind
from tutelage.model.export_gguf import SUPPORTED
from tutelage.model.mixture import ONNX_SEARCH, SEARCH, Quantisation, format_of
from tutelage.model.onnx_numbers import BLOCK
from tutelage.model.settings import ModelSettings

MEGABYTE = 1e6
GGUF_TOKEN_BYTES = 30  # of a token: its text, length, kind, and the merge or score that makes it
ONNX_TOKEN_BYTES = 60  # the same in tokenizer.json
GRAPH_BYTES = 1_500_000
SCALE_BYTES = 4


@dataclass(frozen=True)
class Shapes:
    """Weights by llama.cpp's names with their shapes (out, in); how many heads of queries, and `groups` of keys and values, a layer has."""

    weights: Mapping[str, tuple[int, ...]]
    heads: int
    groups: int

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return self.weights["token_embd.weight"][0]

    @property
    def layers(self) -> int:
        """How many layers there are."""
        return len({name.split(".")[1] for name in self.weights if name.startswith("blk.")})

    def of_tokens(self, tokens: int) -> Shapes:
        """With at most so many tokens."""
        kept = min(tokens, self.vocabulary) or self.vocabulary
        return replace(self, weights={name: (kept, *shape[1:]) if name in ("token_embd.weight", "output.weight") else shape
                                      for name, shape in self.weights.items()})

    def without_layers(self, dropped: int) -> Shapes:
        """With so many layers fewer."""
        left = {str(layer) for layer in range(self.layers - dropped)}
        return replace(self, weights={name: shape for name, shape in self.weights.items()
                                      if not name.startswith("blk.") or name.split(".")[1] in left})

    def narrower(self, channels: float, heads: int) -> Shapes:
        """Without this share of the channels and so many heads; blocks are not looked at."""
        each = self.heads // self.groups
        groups = self.groups - heads // each if heads % each == 0 else self.groups
        shares = {"attn_q": (1 - heads / self.heads, 1.0), "attn_output": (1.0, 1 - heads / self.heads),
                  "attn_k": (groups / self.groups, 1.0), "attn_v": (groups / self.groups, 1.0),
                  "ffn_gate": (1 - channels, 1.0), "ffn_up": (1 - channels, 1.0), "ffn_down": (1.0, 1 - channels)}

        def left(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
            share = shares.get(name.split(".")[-2])
            return shape if share is None or len(shape) == 1 else tuple(round(one * part) for one, part in zip(shape, share, strict=True))
        return Shapes({name: left(name, shape) for name, shape in self.weights.items()}, self.heads - heads, groups)


def base_shapes(base: Base) -> Shapes | None:
    """The shapes of a base, read from the heads of its files; None where they do not tell."""
    if base.gguf:
        head = read_head(Path(base.gguf))
        facts = {name.split(".", 1)[1]: value for name, value in head.facts.items() if "." in name}
        heads = int(facts["attention.head_count"])
        return Shapes({one.name: one.shape for one in head.tensors}, heads, int(facts.get("attention.head_count_kv", heads)))
    config = read_config(Path(base.folder))
    found: dict[str, tuple[int, ...]] = {}
    family = SUPPORTED.get(config["model_type"])
    for file in Path(base.folder).glob("*.safetensors"):
        with safe_open(file, framework="numpy") as weights:
            for name in weights.keys():  # noqa: SIM118 (it is no dictionary)
                if family and (theirs := family.gguf_name(name)) and not (theirs == "output.weight" and config.get("tie_word_embeddings")):
                    found[theirs] = tuple(weights.get_slice(name).get_shape())
    heads = config.get("num_attention_heads", 0)
    return Shapes(found, heads, config.get("num_key_value_heads", heads)) if "token_embd.weight" in found else None


@dataclass(frozen=True)
class Reckoned:
    """A copy that a search would try, and about how large it would be."""

    name: str
    megabytes: float


def reckon(base: Shapes, settings: ModelSettings) -> list[Reckoned]:
    """All copies that a search under `settings.target` would try, in this order. A shape that is undone is not tried, so there may be
    fewer; ONNX copies are reckoned of the whole model, as which shape they get is found out first.
    """
    found = [Reckoned(f"{size}-{name}" if name else size, _gguf_bytes(shapes, size) / MEGABYTE)
             for name, shapes in _steps(base, settings) for size in SEARCH]
    kinds = () if settings.onnx == "none" else ONNX_SEARCH
    return found + [Reckoned(f"onnx-{kind}", _onnx_bytes(base, kind) / MEGABYTE) for kind in kinds]


def _steps(base: Shapes, settings: ModelSettings) -> list[tuple[str, Shapes]]:
    """The base and what it would become after each step that is asked for, with the names of the steps up to there."""
    found, now = [("", base)], base
    names: list[str] = []
    for name, is_wanted in (("trim", settings.trim != "none"), ("drop_layers", settings.drop_layers > 0),
                            ("narrow", bool(settings.drop_channels or settings.drop_heads)), ("sparsity", bool(settings.sparsity))):
        if not is_wanted:
            continue
        if name == "trim":
            now = now.of_tokens(settings.trim_tokens)
        elif name == "drop_layers":
            now = now.without_layers(settings.drop_layers)
        elif name == "narrow":
            now = now.narrower(settings.drop_channels, settings.drop_heads)
        names.append(name)
        found.append(("+".join(names), now))
    return found


def _gguf_bytes(shapes: Shapes, quantisation: Quantisation) -> int:
    size = GGUF_TOKEN_BYTES * shapes.vocabulary
    for name, shape in shapes.weights.items():
        block, size_bytes = GGML_QUANT_SIZES[format_of(name, shape, quantisation, shapes.layers)]
        size += prod(shape) // block * size_bytes
    return size


def _onnx_bytes(shapes: Shapes, kind: OnnxKind) -> int:
    size = GRAPH_BYTES + ONNX_TOKEN_BYTES * shapes.vocabulary
    for name, shape in shapes.weights.items():
        numbers = prod(shape)
        if len(shape) == 1 or kind == "fp32":
            size += 4 * numbers
        elif kind == "int8":
            size += numbers + SCALE_BYTES * shape[0]
        else:
            is_half = kind == "int4" and name.startswith("blk.")
            size += numbers // (2 if is_half else 1) + SCALE_BYTES * numbers // BLOCK
    return size
