"""The text of one reply while its tokens come: whole characters, and nothing of a stop text."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from tutelage.core.records import Answer, Sampling


class Reply:
    """Collects the tokens of one reply and says which piece of text may be shown now.

    A piece is held back while it ends within a character, or could be the beginning of a stop text.
    """

    def __init__(self, prompt_tokens: int, sampling: Sampling, *, model: str) -> None:
        self.token_ids: list[int] = []
        self.finish_reason = ""
        self._prompt_tokens = prompt_tokens
        self._sampling = sampling
        self._model = model
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._shown = ""
        self._held = ""

    @property
    def is_finished(self) -> bool:
        """Whether the reply has ended; further tokens are not for it."""
        return bool(self.finish_reason)

    def add(self, token_id: int, data: bytes, end_ids: Sequence[int]) -> str:
        """Take one token with its bytes, and give the text to show now, "" for none yet."""
        if token_id in end_ids:
            return self.end("stop")
        self.token_ids.append(token_id)
        self._held += self._decoder.decode(data)
        places = [place for stop in self._sampling.stop if stop and (place := self._held.find(stop)) >= 0]
        if places:
            self._held = self._held[:min(places)]
            return self.end("stop")
        if len(self.token_ids) >= self._sampling.max_tokens:
            return self.end("length")
        return self._show(len(self._held) - self._overlap())

    def end(self, reason: str) -> str:
        """End the reply, and give the text held back. Bytes of a character that was never finished are left out."""
        self.finish_reason = reason
        return self._show(len(self._held))

    def answer(self) -> Answer:
        """The reply as an Answer."""
        reason = "stop" if self.finish_reason == "stop" else "length"
        return Answer(text=self._shown, token_ids=tuple(self.token_ids), prompt_tokens=self._prompt_tokens, finish_reason=reason,
                      model=self._model)

    def _show(self, length: int) -> str:
        piece, self._held = self._held[:length], self._held[length:]
        self._shown += piece
        return piece

    def _overlap(self) -> int:
        """How many of the last held characters could begin a stop text."""
        longest = max((len(stop) for stop in self._sampling.stop), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._sampling.stop):
                return length
        return 0
