"""The PyTorch engine: exact fp32 answers and scores of a model folder, with or without an adapter."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from tutelage.core.errors import InputError
from tutelage.core.records import Constraint, Sampling, TokenScore
from tutelage.engine.batch_engine import BATCH_PROMPTS, BatchEngine
from tutelage.engine.packed_score import PackedScorer, is_exact
from tutelage.engine.reply import Reply
from tutelage.engine.sampling import check_embedded, check_fits, check_prompt, check_rows, check_tokens, penalty_window, refuse_constraint
from tutelage.engine.torch_adapters import Adapters
from tutelage.engine.torch_base import load_causal
from tutelage.engine.torch_decode import decode_steps
from tutelage.engine.torch_score import Body, foretell, score_rows
from tutelage.engine.vocabulary import Vocabulary

FP32_BYTES = 4
HEAD_TOLERANCE = 1e-3


class TorchEngine(BatchEngine):
    """Answers with a model folder in fp32. `threads` is for the whole process; None leaves PyTorch's choice (physical cores)."""

    def __init__(self, folder: Path, *, name: str, adapter: Path | None = None, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.name = name
        self._vocabulary = Vocabulary(folder)
        self._model: Any = load_causal(folder)
        self._adapters = Adapters()
        self._scorer: PackedScorer | None = None
        self.context_length = int(self._model.config.max_position_embeddings)
        self._check_head()
        if adapter is not None:
            self.load_adapter(name, str(adapter))

    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
        """Log-probabilities of each row's tokens from its start on."""
        check_rows(rows, starts)
        for row in rows:
            check_fits(len(row), 0, self.context_length)
        packed = self._packed()
        return packed.score(rows, starts) if packed else score_rows(self._after, self._head, rows, starts)

    def foretell(self, row: Sequence[int], start: int) -> Iterator[np.ndarray]:
        """Logits for each token of a row from `start` on, shape (vocabulary,)."""
        check_rows([row], [start])
        check_fits(len(row), 0, self.context_length)
        return foretell(self._body, self._head, row, start)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """The mean of the last hidden states, of unit length. A language model is a weak source of such vectors."""
        vectors = [self._vector(text) for text in texts]
        return np.stack(vectors) if vectors else np.zeros((0, self._model.config.hidden_size), np.float32)

    def load_adapter(self, name: str, folder: str) -> None:
        """Answer with this adapter, under `name`, until it is unloaded or another is loaded."""
        self._model = self._adapters.load(self._model, name, Path(folder))

    def unload_adapter(self, name: str) -> None:
        """Forget an adapter; the one loaded before it answers again, else the model itself."""
        self._model = self._adapters.unload(self._model, name)

    def memory_bytes(self) -> int:
        """Bytes of the weights, and of the caches of a full batch at full length."""
        config = self._model.config
        width = (config.to_dict().get("head_dim") or config.hidden_size // config.num_attention_heads) * config.num_key_value_heads
        cache = 2 * config.num_hidden_layers * width * FP32_BYTES * self.context_length * BATCH_PROMPTS
        weights = sum(weight.numel() * weight.element_size() for weight in self._model.parameters())
        return int(weights + cache)

    def close(self) -> None:
        """Free the weights."""
        self.cancel()
        self._model = self._scorer = None

    def _check_asked(self, prompt: Sequence[int], sampling: Sampling, constraint: Constraint | None) -> None:
        refuse_constraint(self.name, constraint)
        check_prompt(prompt, sampling, self.context_length)
        check_tokens([token for token, _ in sampling.logit_bias], self._vocabulary.size)

    def _reply(self, prompt: Sequence[int], sampling: Sampling) -> Reply:
        return Reply(len(prompt), sampling, model=self._adapters.active or self.name)

    def _decode(self, prompts: Sequence[Sequence[int]], sampling: Sampling, finished: set[int]) -> Iterator[dict[int, int]]:
        return decode_steps(self._model, prompts, sampling, finished, window=penalty_window(sampling, self.context_length))

    def _vector(self, text: str) -> np.ndarray:
        ids = self.tokenize(text)
        check_embedded(ids, self.context_length)
        with torch.inference_mode():
            vector: np.ndarray = torch.nn.functional.normalize(self._body(torch.tensor([ids]))[0].mean(0), dim=0).numpy()
        return vector

    def _body(self, ids: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self._model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
        return states

    def _packed(self) -> PackedScorer | None:
        """The faster forward, where it computes exactly this model; None with an adapter."""
        if self._adapters.active:
            return None
        if self._scorer is None and is_exact(self._model):
            self._scorer = PackedScorer(self._model)
        return self._scorer

    def _after(self, beginning: Sequence[int]) -> Body:
        """What follows this beginning, whose keys and values are computed once."""
        if not beginning:
            return self._body
        decoder = self._model.get_decoder()
        with torch.inference_mode():
            known = decoder(input_ids=torch.tensor([list(beginning)]), past_key_values=DynamicCache(config=self._model.config),
                            use_cache=True).past_key_values

        def body(ids: torch.Tensor) -> torch.Tensor:
            cache = copy.deepcopy(known)
            cache.batch_repeat_interleave(len(ids))
            states: torch.Tensor = decoder(input_ids=ids, past_key_values=cache, use_cache=True).last_hidden_state
            return states

        return body

    def _head(self, states: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self._model.get_output_embeddings()(states)
        return logits

    def _check_head(self) -> None:
        """Raise InputError for a model that does more to its logits than its output layer says: scores would be wrong."""
        ids = torch.arange(min(4, self._vocabulary.size))[None]
        with torch.inference_mode():
            whole, parts = self._model(input_ids=ids, use_cache=False).logits, self._head(self._body(ids))
        if not torch.allclose(whole, parts, atol=HEAD_TOLERANCE):
            raise InputError(f"{self.name}: this architecture ({self._model.config.model_type}) changes its logits after the output layer, "
                             "which scoring here does not know. Use a Llama-like model.")
