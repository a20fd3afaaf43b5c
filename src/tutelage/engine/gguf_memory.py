"""How much memory a GGUF file takes when it is served, reckoned from its head before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from tutelage.core.errors import InputError
from tutelage.engine.gguf_file import Head

HALF_BYTES = 2  # llama.cpp keeps keys and values in 16 bits
BATCH = 512  # tokens that llama.cpp reads at once
# Taken from resident memory of SmolLM2-135M and Gemma 3 270M under load (tests/real/test_endpoint_memory_real.py holds the first to it).
PROCESS_BYTES = 80_000_000
TOKEN_BYTES = 400  # a token of the vocabulary, which is held twice


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes, by what they are for. `weights` is the file with the adapters on it; `scoring` is a second reader of it, opened by the first
    request for log-probabilities; `work` is the process, the vocabulary and what one batch needs.
    """

    weights: int
    keys_and_values: int
    scoring: int
    work: int

    @property
    def total(self) -> int:
        """All together."""
        return self.weights + self.keys_and_values + self.scoring + self.work


def memory_need(head: Head, *, context_length: int, parallel: int, scorers: int, adapters: int = 0) -> MemoryNeed:
    """What an engine takes at most: `parallel` answers and `scorers` rows at once, each of `context_length` tokens, and `adapters` bytes of
    adapters on the file.

    Sliding windows are counted as full attention, as llama.cpp may keep them so.
    """
    tokens = max((tensor.shape[0] for tensor in head.tensors if tensor.name == "token_embd.weight"), default=0)
    weights = head.path.stat().st_size + adapters
    place = _bytes_a_token(head) * context_length
    width = number(head, "embedding_length")
    batch = BATCH * 4 * (8 * width + 3 * _largest(head, "feed_forward_length"))
    return MemoryNeed(weights=weights, keys_and_values=place * parallel,
                      scoring=weights + scorers * (place + 3 * BATCH * 4 * tokens) if scorers else 0,
                      work=PROCESS_BYTES + TOKEN_BYTES * tokens + batch)


def number(head: Head, fact: str) -> int:
    """A number of the architecture, such as "block_count". Raises InputError if the head has none of that name."""
    value = head.facts.get(_key(head, fact))
    if not isinstance(value, int):
        raise InputError(f"{head.path}: its head has no number {_key(head, fact)!r}. Make the file again.")
    return value


def largest_context(head: Head, budget: int, *, parallel: int, scorers: int, least: int, adapters: int = 0, step: int = 256) -> int:
    """The longest context, in steps, with which the file fits into `budget` bytes; 0 if not even `least` tokens do."""
    need = memory_need(head, context_length=0, parallel=parallel, scorers=scorers, adapters=adapters).total
    a_token = _bytes_a_token(head) * (parallel + scorers)
    fits = (budget - need) // a_token // step * step if a_token else 0
    return fits if fits >= least else 0


def _bytes_a_token(head: Head) -> int:
    """Bytes of keys and values of one token in all layers."""
    layers, heads = number(head, "block_count"), _largest(head, "attention.head_count")
    each = head.lists.get(_key(head, "attention.head_count_kv"))
    all_heads = sum(int(count) for count in each) if each else layers * int(head.facts.get(_key(head, "attention.head_count_kv"), heads))
    usual = number(head, "embedding_length") // max(heads, 1)
    sizes = (int(head.facts.get(_key(head, f"attention.{what}_length"), usual)) for what in ("key", "value"))
    return HALF_BYTES * all_heads * sum(sizes)


def _largest(head: Head, fact: str) -> int:
    each = head.lists.get(_key(head, fact))
    return max(int(value) for value in each) if each else number(head, fact)


def _key(head: Head, fact: str) -> str:
    return f"{head.facts['general.architecture']}.{fact}"
