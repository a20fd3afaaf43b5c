"""A decoder as an ONNX graph, traced by PyTorch: new tokens with the keys and values of those before them -> logits, and the longer cache.

Weights are inputs of the graph, by their names in the model folder; `onnx_graph.py` puts them in.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tutelage.core.errors import InputError
from tutelage.engine.onnx_session import cache_names

OPSET = 18
INPUTS = ("input_ids", "attention_mask", "position_ids", "places")
OUTPUTS = ("logits", "hidden")
PREFIX = "model."  # what the traced module puts before the names of weights
ROWS, BEFORE, NEW = 2, 3, 4  # of the example; none of them is fixed in the graph
STATIC_ROTARY = ("default", "linear", "llama3", "yarn")  # positions do not change with the length of the text
SUPPORTED = ("llama", "mistral", "qwen2", "qwen3", "gemma3_text")


def check_traceable(config: Any, place: str) -> None:
    """Raise InputError for an architecture that was not compared with its ONNX copy, or whose rotary positions depend on the text."""
    if config.model_type not in SUPPORTED:
        raise InputError(f"{place}: the architecture is {config.model_type!r}; ONNX copies are made of {', '.join(SUPPORTED)}. "
                         "Leave the ONNX copy out, or choose such a base.")
    rotary = config.rope_parameters
    kinds = [one["rope_type"] for one in (rotary.values() if "rope_type" not in rotary else [rotary])]
    wrong = [kind for kind in kinds if kind not in STATIC_ROTARY]
    if wrong:
        raise InputError(f"{place}: its rotary positions are of type {wrong[0]!r}, which changes with the length of the text; ONNX copies "
                         f"have {', '.join(STATIC_ROTARY)}. Leave the ONNX copy out.")


def trace(model: Any, *, place: str) -> bytes:
    """The graph of a decoder as an ONNX model. `place` names it in errors. Raises InputError for an operator that ONNX lacks."""
    config = model.config
    names = cache_names("past", config.num_hidden_layers)
    ids = torch.ones(ROWS, NEW, dtype=torch.long)
    positions = torch.arange(BEFORE, BEFORE + NEW).expand(ROWS, NEW)
    mask = torch.ones(ROWS, BEFORE + NEW, dtype=torch.long)
    past = [torch.zeros(ROWS, config.num_key_value_heads, BEFORE, head_size(config)) for _ in names]
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)
        with torch.no_grad(), warnings.catch_warnings(), tempfile.TemporaryDirectory() as beside:
            written = Path(beside) / "graph.onnx"
            warnings.simplefilter("ignore")
            # The exporter that traces. That of torch.export gives the same numbers, and took more than 20 times as long (docs/decisions).
            torch.onnx.export(
                _Step(model).eval(), (ids, mask, positions, torch.tensor([1, 3]), past), written, dynamo=False, export_params=False,
                do_constant_folding=False, opset_version=OPSET, input_names=[*INPUTS, *names],
                output_names=[*OUTPUTS, *cache_names("present", config.num_hidden_layers)], dynamic_axes=_axes(config.num_hidden_layers))
            return written.read_bytes()
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise InputError(f"{place}: PyTorch cannot write this model as ONNX ({str(error).strip().splitlines()[0]}). "
                         "Leave the ONNX copy out.") from None
    finally:
        logger.setLevel(level)


def head_size(config: Any) -> int:
    """The width of an attention head."""
    size: int = config.to_dict().get("head_dim") or config.hidden_size // config.num_attention_heads
    return size


class _Kept:
    """Keys and values of each layer, before and with the new tokens; what the layers of transformers ask of a cache."""

    is_compileable = False

    def __init__(self, past: Sequence[torch.Tensor]) -> None:
        self.past = past
        self.present: list[torch.Tensor] = [torch.empty(0)] * len(past)

    def update(self, keys: torch.Tensor, values: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The layer's keys and values with the new ones behind."""
        both = torch.cat([self.past[2 * layer], keys], 2), torch.cat([self.past[2 * layer + 1], values], 2)
        self.present[2 * layer:2 * layer + 2] = both
        return both

    def get_seq_length(self, layer: int = 0) -> int:
        """How many tokens came before."""
        return self.past[2 * layer].shape[2]


class _Step(torch.nn.Module):
    """What is traced: masks are made here, so that no code of transformers that looks at lengths is in the graph."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, places: torch.Tensor,
                past: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Logits at `places` of the new tokens, all their last hidden states, and the longer cache."""
        kept = _Kept(past)
        hidden = self.model.get_decoder()(input_ids=ids, attention_mask=self._masks(mask, ids.shape[1], past[0].shape[2]),
                                          position_ids=positions, past_key_values=kept, use_cache=True).last_hidden_state
        chosen = hidden.index_select(1, places)
        # A plain matrix, so that weights shared with the embedding need not turn.
        logits = self.model.get_output_embeddings()(chosen.reshape(-1, chosen.shape[2]))
        logits = logits.reshape(ids.shape[0], places.shape[0], -1)
        cap = self.model.config.to_dict().get("final_logit_softcapping")
        return (torch.tanh(logits / cap) * cap if cap else logits, hidden, *kept.present)

    def _masks(self, mask: torch.Tensor, new: int, before: int) -> Any:
        """What is added to the attention's scores: 0 for tokens that are seen. By kind of layer where the model has kinds."""
        config = self.model.config
        rows, columns = (torch.arange(new) + before)[:, None], torch.arange(before + new)[None]
        seen = (columns <= rows)[None, None] & (mask[:, None, None, :] > 0)
        window = config.to_dict().get("sliding_window")
        near = seen & (rows - columns < window)[None, None] if window else seen
        full, sliding = (torch.where(one, 0.0, torch.finfo(torch.float32).min) for one in (seen, near))
        if config.to_dict().get("layer_types"):
            return {"full_attention": full, "sliding_attention": sliding}
        return sliding


def _axes(layers: int) -> dict[str, dict[int, str]]:
    """Which dimensions of inputs and outputs are free."""
    axes = {"input_ids": {0: "rows", 1: "new"}, "position_ids": {0: "rows", 1: "new"}, "attention_mask": {0: "rows", 1: "all"},
            "places": {0: "places"}, "logits": {0: "rows", 1: "places"}, "hidden": {0: "rows", 1: "new"}}
    axes |= {name: {0: "rows", 2: "before"} for name in cache_names("past", layers)}
    return axes | {name: {0: "rows", 2: "all"} for name in cache_names("present", layers)}
