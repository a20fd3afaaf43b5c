"""The engine of one or several services that serve our model (vLLM, or any with OpenAI's /completions): they get token ids, never text.

The chat is rendered here, as for every engine; the service only continues ids. So its own template does not matter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Literal

import numpy as np

from tutelage.core.engine import CannotDo
from tutelage.core.errors import ContextTooLong, InputError, ServiceUnavailable
from tutelage.core.records import Answer, Constraint, Sampling, TokenScore
from tutelage.engine.remote_http import Json, Refused
from tutelage.engine.remote_pool import AddressState, Pool, Replica
from tutelage.engine.sampling import check_prompt, check_tokens
from tutelage.engine.spelling import Spelling
from tutelage.engine.vocabulary import Vocabulary

NOT_THERE = 404
MOST_CHARACTERS = 256  # of one token; a service that sends more than asked is stopped


class PooledEngine(Spelling[Vocabulary]):
    """Answers as `name` through `pool`. `vocabulary` is that of the served model. `closed` is called when the engine is closed, and
    `restarts` tells how often a service that we started ourselves came back.

    A request that fails before its first piece goes to the next address; after it, it breaks off: what was said cannot be taken back.
    """

    def __init__(self, pool: Pool, *, name: str, vocabulary: Vocabulary, context_length: int, parallel: int,
                 restarts: Callable[[], int] = lambda: 0, closed: Callable[[], None] = lambda: None) -> None:
        self.name, self.context_length = name, context_length
        self._pool, self._vocabulary = pool, vocabulary
        self._restarts, self._closed = restarts, closed
        self._stops = 0
        self._workers = ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="pooled")

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, *, end_ids: Sequence[int],
                 constraint: Constraint | None = None) -> list[Answer]:
        """One reply to each prompt, several at once."""
        for prompt in prompts:
            self._check(prompt, sampling, constraint)
        return list(self._workers.map(lambda prompt: self._answer(prompt, sampling, end_ids, constraint), prompts))

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling, *, end_ids: Sequence[int],
               constraint: Constraint | None = None) -> Iterator[str | Answer]:
        """Pieces of text as they come, then the Answer. Closing the iterator hangs up."""
        self._check(prompt_ids, sampling, constraint)
        return self._pieces(prompt_ids, sampling, end_ids, constraint)

    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
        """Not offered: services have no common way to it."""
        raise CannotDo(f"{self.name}: a service behind the door gives no log-probabilities here. Serve the GGUF file (endpoint.engine: "
                       "llama.cpp).")

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Not offered."""
        raise CannotDo(f"{self.name}: a service behind the door gives no vectors here. Serve the GGUF file (endpoint.engine: llama.cpp).")

    def load_adapter(self, name: str, folder: str) -> None:
        """Not offered: a service loads its adapters itself."""
        raise CannotDo(f"adapter {name!r}: a service loads its adapters itself and serves each as a model.")

    def unload_adapter(self, name: str) -> None:
        """Not offered."""
        raise CannotDo(f"adapter {name!r}: a service unloads its adapters itself.")

    def memory_bytes(self) -> int:
        """Nothing in our own process."""
        return 0

    def is_ready(self) -> bool:
        """Whether any address answers."""
        return self._pool.is_up

    def restarts(self) -> int:
        """How often a service that was started here came back."""
        return self._restarts()

    def addresses(self) -> list[AddressState]:
        """How each address fares."""
        return self._pool.states()

    def whereabouts(self) -> str:
        """What is known of who answers, and what is not."""
        return (f"a service at {', '.join(self._pool.addresses)} that lists the model as {self._pool.model}; its program, its version and "
                "the weights that it holds are not known here")

    def cancel(self) -> None:
        """Stop generations under way at the next piece of text; their answers end with "length"."""
        self._stops += 1

    def close(self) -> None:
        """Stop what runs and hang up."""
        self.cancel()
        self._workers.shutdown(wait=True)
        self._pool.close()
        self._closed()

    def _check(self, prompt: Sequence[int], sampling: Sampling, constraint: Constraint | None) -> None:
        check_prompt(prompt, sampling, self.context_length)
        check_tokens([*prompt, *(token for token, _ in sampling.logit_bias)], self._vocabulary.size)
        if constraint and not constraint.schema_text:
            raise CannotDo(f"{self.name}: services take a JSON schema and no grammar of ours. Serve the GGUF file for tools "
                           "(endpoint.engine: llama.cpp).")

    def _answer(self, prompt: Sequence[int], sampling: Sampling, end_ids: Sequence[int], constraint: Constraint | None) -> Answer:
        *_, last = self._pieces(prompt, sampling, end_ids, constraint)
        assert isinstance(last, Answer)
        return last

    def _pieces(self, prompt: Sequence[int], sampling: Sampling, end_ids: Sequence[int],
                constraint: Constraint | None) -> Iterator[str | Answer]:
        tried: list[Replica] = []
        failures: list[str] = []
        while replica := self._pool.choose(prompt, tried):
            tried.append(replica)
            is_begun = False
            try:
                with self._pool.asking(replica), closing(self._asked(replica, prompt, sampling, end_ids, constraint)) as pieces:
                    for piece in pieces:
                        is_begun = True
                        yield piece
                return
            except ServiceUnavailable as error:
                self._pool.failed(replica, error)
                if is_begun:
                    raise ServiceUnavailable(f"{self.name}: its service broke off in the middle of the answer ({error}). Send the request "
                                             "again.") from None
                failures.append(str(error))
        asked = [one.address for one in tried]
        states = self._pool.states()
        whys = [*failures, *(state.why for state in states if state.why and state.address not in asked)]
        raise ServiceUnavailable(f"{self.name}: none of its {len(states)} addresses can answer: {' '.join(whys)}")

    def _asked(self, replica: Replica, prompt: Sequence[int], sampling: Sampling, end_ids: Sequence[int],
               constraint: Constraint | None) -> Generator[str | Answer, None, None]:
        """The pieces from one address; without vLLM's own fields where it refuses them."""
        body = self._body(prompt, sampling, constraint)
        extra = {"return_token_ids": True, "stop_token_ids": list(end_ids), "add_special_tokens": False}
        extra |= {"repetition_penalty": sampling.repetition_penalty} if sampling.repetition_penalty != 1.0 else {}
        if not replica.extras and "repetition_penalty" in extra:
            raise CannotDo(f"{self.name}: {replica.address} takes no repetition_penalty, which is vLLM's own. Set it to 1.0.")
        try:
            yield from self._read(replica, {**body, **extra} if replica.extras else body, sampling, end_ids, len(prompt))
        except ContextTooLong:
            raise
        except InputError as error:  # it refuses our key: not the fault of who asked
            raise ServiceUnavailable(str(error)) from None
        except Refused as error:
            if error.status == NOT_THERE or not replica.extras:
                raise ServiceUnavailable(f"{replica.address}: refuses a request for model {self._pool.model!r} ({error.status}: "
                                         f"{error.message}).") from None
            replica.extras = False
            yield from self._asked(replica, prompt, sampling, end_ids, constraint)

    def _body(self, prompt: Sequence[int], sampling: Sampling, constraint: Constraint | None) -> Json:
        body: Json = {"model": self._pool.model, "prompt": list(prompt), "max_tokens": sampling.max_tokens,
                      "temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed, "stream": True}
        told: Json = {"presence_penalty": sampling.presence_penalty, "frequency_penalty": sampling.frequency_penalty,
                      "stop": list(sampling.stop), "logit_bias": {str(token): bias for token, bias in sampling.logit_bias}}
        body |= {name: value for name, value in told.items() if value}
        if constraint:
            schema = {"name": "reply", "schema": json.loads(constraint.schema_text), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _read(self, replica: Replica, body: Json, sampling: Sampling, end_ids: Sequence[int], prompt_tokens: int) -> Iterator[str | Answer]:
        stops, text, reason = self._stops, "", ""
        ids: list[int] = []
        for event in replica.connection.events("/completions", body):
            for choice in event.get("choices") or []:
                piece = choice.get("text") or ""
                text += piece
                ids += choice.get("token_ids") or []
                reason = choice.get("finish_reason") or reason
                if piece:
                    yield piece
            if self._stops != stops:
                reason = "length"
                break
            if len(text) > MOST_CHARACTERS * (sampling.max_tokens + 1):
                raise ServiceUnavailable(f"{replica.address}: sends more than the {sampling.max_tokens} tokens that were asked for.")
        if not reason:
            raise ServiceUnavailable(f"{replica.address}: ended its answer before it was whole.")
        ended: Literal["stop", "length"] = "length" if reason == "length" else "stop"
        told = [token for token in ids if token not in end_ids] if ids else self._vocabulary.tokenize(text)
        yield Answer(text=text, token_ids=tuple(told), prompt_tokens=prompt_tokens, finish_reason=ended, model=self.name)
