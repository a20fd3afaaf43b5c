"""The engine of an OpenAI-compatible service (vLLM, llama.cpp, Ollama, our own endpoint): what it answers, as it is served."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np

from tutelage.core.chat import ChatFormat
from tutelage.core.engine import CannotDo
from tutelage.core.errors import InputError, ServiceUnavailable
from tutelage.core.records import Answer, Constraint, Sampling, TokenScore
from tutelage.engine.remote_http import Connection, Json, Refused
from tutelage.engine.remote_wire import Wire, messages_of, spell
from tutelage.engine.sampling import check_prompt, check_rows

NO_LIMIT = 1 << 30  # the service counts its own tokens and says itself what is too long
TIMEOUT = 120.0
NEWER_LIMIT = "max_completion_tokens"
MOST_CHARACTERS = 64  # of one token; a service that sends more than asked is stopped


class RemoteEngine:
    """Answers through a service. Prompts are rendered in the format `remote_wire.SERVED`; the service renders them in its own.

    `model` "" takes the only model that the service lists. `scored_as` is the chat format of the served model: with it, and where the
    service gives log-probabilities of prompts (/completions with echo and logprobs, as vLLM does), texts are scored. Up to `parallel`
    requests are made at once. Raises ServiceUnavailable if nobody answers, InputError for a wrong address, key or model.
    """

    def __init__(self, address: str, *, name: str, model: str = "", key: str = "", scored_as: ChatFormat | None = None,
                 timeout: float = TIMEOUT, parallel: int = 4, wait: float = 0.5) -> None:
        self.name = name
        self.context_length = NO_LIMIT
        self._connection = Connection(address, key=key, timeout=timeout, wait=wait)
        self._wire = Wire()
        self._scored_as = scored_as
        self._stops = 0
        self._limit_name = "max_tokens"
        self._extra: Json = {"add_special_tokens": False}  # vLLM's own; left out where it is refused
        try:
            self.model = model or self._only_model()
        except BaseException:
            self._connection.close()
            raise
        self._workers = ThreadPoolExecutor(max_workers=max(1, parallel), thread_name_prefix="remote")

    def tokenize(self, text: str) -> list[int]:
        """One id for each character: the service's own tokens are not known here."""
        return self._wire.tokenize(text)

    def special(self, token: str) -> int:
        """The id of a mark of the format SERVED."""
        return self._wire.special(token)

    def detokenize(self, token_ids: Sequence[int]) -> str:
        """The characters, marks left out."""
        return self._wire.detokenize(token_ids)

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, *, end_ids: Sequence[int],
                 constraint: Constraint | None = None) -> list[Answer]:
        """One reply to each prompt; the service ends replies itself. Raises ContextTooLong if the service says so of one."""
        for prompt in prompts:
            check_prompt(prompt, sampling, self.context_length)
        return list(self._workers.map(lambda prompt: self._answer(prompt, sampling, constraint), prompts))

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling, *, end_ids: Sequence[int],
               constraint: Constraint | None = None) -> Iterator[str | Answer]:
        """Pieces of text as they come, then the Answer. Closing the iterator hangs up."""
        check_prompt(prompt_ids, sampling, self.context_length)
        return self._pieces(prompt_ids, sampling, constraint)

    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
        """The log-probability of each reply, on its first character; the others get 0, since the service's tokens are not ours.

        Raises CannotDo where the service gives none, or its model's chat format was not named.
        """
        check_rows(rows, starts)
        if self._scored_as is None:
            raise CannotDo(f"{self.name}: texts are scored as the served model reads them, and its chat format was not named. "
                           "Name it, such as chatml.")
        found = self._workers.map(lambda one: self._logprob(*one), zip(rows, starts, strict=True))
        return [[TokenScore(token_id=token, logprob=logprob if place == 0 else 0.0) for place, token in enumerate(row[start:])]
                for row, start, logprob in zip(rows, starts, list(found), strict=True)]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Not offered."""
        raise CannotDo("a service that answers gives no vectors here. Use TorchEngine.embed with a model folder.")

    def load_adapter(self, name: str, folder: str) -> None:
        """Not offered: the service has its adapters under names of their own."""
        raise CannotDo(f"adapter {name!r}: a service loads its adapters itself and serves each as a model. Name that model.")

    def unload_adapter(self, name: str) -> None:
        """Not offered: there is never an adapter."""
        raise CannotDo(f"adapter {name!r}: a service unloads its adapters itself.")

    def memory_bytes(self) -> int:
        """Nothing on this machine."""
        return 0

    def cancel(self) -> None:
        """Stop generations under way at the next piece of text; their answers end with "length"."""
        self._stops += 1

    def close(self) -> None:
        """Stop what runs and hang up."""
        self.cancel()
        self._workers.shutdown(wait=True)
        self._connection.close()

    def _only_model(self) -> str:
        """The model to ask for where none was named."""
        try:
            listed = self._connection.get("/models").get("data") or []
        except Refused as error:
            raise InputError(f"{self._connection.address}: lists no models ({error.status}: {error.message}). The address usually ends in "
                             "/v1; where the service has no such list, name the model.") from None
        names = [str(one.get("id")) for one in listed if isinstance(one, dict)]
        if len(names) != 1:
            raise InputError(f"{self._connection.address}: serves {len(names)} models ({', '.join(names[:10]) or 'none'}). "
                             "Name the one to ask.")
        return names[0]

    def _answer(self, prompt: Sequence[int], sampling: Sampling, constraint: Constraint | None) -> Answer:
        for piece in self._pieces(prompt, sampling, constraint):
            if isinstance(piece, Answer):
                return piece
        raise ServiceUnavailable(f"{self._connection.address}: ended its answer before it was whole. Try again.")

    def _pieces(self, prompt: Sequence[int], sampling: Sampling, constraint: Constraint | None) -> Iterator[str | Answer]:
        if sampling.repetition_penalty != 1.0:
            raise CannotDo(f"{self.name}: services have no common name for a repetition penalty. Set it to 1.0, and in the service itself.")
        if sampling.logit_bias:
            raise CannotDo(f"{self.name}: the service's token ids are not known here, so logit_bias has none to name. Leave it out.")
        if constraint and not constraint.schema_text:
            raise CannotDo(f"{self.name}: services take a JSON schema and no grammar of ours. Serve a GGUF file for tools.")
        stops, text, reason, counted = self._stops, "", "", 0
        for event in self._events(prompt, sampling, constraint):
            counted = int((event.get("usage") or {}).get("prompt_tokens") or counted)
            for choice in event.get("choices") or []:
                piece = (choice.get("delta") or choice.get("message") or {}).get("content") or ""
                text += piece
                reason = choice.get("finish_reason") or reason
                if piece:
                    yield piece
            if self._stops != stops:
                reason = "length"
                break
            if len(text) > MOST_CHARACTERS * (sampling.max_tokens + 1):
                raise ServiceUnavailable(f"{self._connection.address}: sends more than the {sampling.max_tokens} tokens that were asked "
                                         "for. Look at the service.")
        ended: Literal["stop", "length"] = "length" if reason == "length" else "stop"
        yield Answer(text=text, token_ids=tuple(self._wire.tokenize(text)), prompt_tokens=counted, finish_reason=ended, model=self.model)

    def _events(self, prompt: Sequence[int], sampling: Sampling, constraint: Constraint | None) -> Iterator[Json]:
        """The events of one answer. Newer services have another name for the limit, which they tell by refusing the old one."""
        messages = [message.model_dump() for message in messages_of(prompt)]
        body: Json = {"model": self.model, "messages": messages, "temperature": sampling.temperature, "top_p": sampling.top_p,
                      "seed": sampling.seed, "stream": True, "stream_options": {"include_usage": True}}
        body |= {name: value for name, value in (("presence_penalty", sampling.presence_penalty),
                                                 ("frequency_penalty", sampling.frequency_penalty)) if value}
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if constraint:
            schema = {"name": "reply", "schema": json.loads(constraint.schema_text), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        limit_name = self._limit_name
        try:
            yield from self._connection.events("/chat/completions", {**body, limit_name: sampling.max_tokens})
        except Refused as error:
            if limit_name == NEWER_LIMIT or NEWER_LIMIT not in error.message:
                raise self._refusal(error) from None
            self._limit_name = NEWER_LIMIT
            yield from self._events(prompt, sampling, constraint)

    def _refusal(self, error: Refused) -> InputError:
        return InputError(f"{self._connection.address}: refuses the request for model {self.model!r} ({error.status}: {error.message}). "
                          "Check the model's name and the address.")

    def _logprob(self, row: Sequence[int], start: int) -> float:
        """Natural log of the probability that the served model gives to a reply and the mark that ends it."""
        assert self._scored_as is not None
        prompt = messages_of(row[:start])
        reply = messages_of(row)[len(prompt):]
        before = self._echoed(spell(prompt, self._scored_as, reply=True))
        whole = self._echoed(spell([*prompt, *reply], self._scored_as, reply=False))
        shared = next((place for place, (one, other) in enumerate(zip(before, whole, strict=False)) if one[0] != other[0]),
                      min(len(before), len(whole)))
        return float(sum(logprob for _, logprob in whole[shared:]))

    def _echoed(self, text: str) -> list[tuple[str, float]]:
        """The service's tokens of a text with their log-probabilities; that of the very first token, which has none, is 0."""
        body = {"model": self.model, "prompt": text, "max_tokens": 1, "temperature": 0.0, "echo": True, "logprobs": 1}
        while True:
            extra = self._extra
            try:
                answer = self._connection.post("/completions", {**body, **extra})
                break
            except Refused as error:
                if not extra:
                    raise self._no_logprobs(f"{error.status}: {error.message}") from None
                self._extra = {}
        return self._tokens(answer)

    def _tokens(self, answer: Json) -> list[tuple[str, float]]:
        choice: Any = (answer.get("choices") or [{}])[0]
        given = choice.get("logprobs") or {}
        tokens, logprobs = given.get("tokens") or [], given.get("token_logprobs") or []
        usage = answer.get("usage") or {}
        count = int(usage.get("prompt_tokens") or len(tokens) - 1)
        if count < 2 or len(tokens) < count or len(logprobs) != len(tokens) or any(one is None for one in logprobs[1:count]):
            raise self._no_logprobs(f"its answer has log-probabilities of {len(tokens)} tokens, and none of the prompt")
        return [(str(token), float(logprob or 0.0)) for token, logprob in zip(tokens[:count], logprobs[:count], strict=True)]

    def _no_logprobs(self, why: str) -> CannotDo:
        return CannotDo(f"{self._connection.address} gives no log-probabilities of a prompt (/completions with echo and logprobs: {why}). "
                        "vLLM does; llama.cpp and Ollama do not: give them as a .gguf file.")
