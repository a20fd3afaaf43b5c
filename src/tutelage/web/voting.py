"""Self-consistency at /v1/chat/completions: the samples vote, and the rest is not made once the vote is decided."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

from starlette.responses import Response

from tutelage.core.records import Answer
from tutelage.endpoint.serving import Served
from tutelage.prompts.vote import Tally, is_decided, tally
from tutelage.web.answering import Answering, Pieces
from tutelage.web.generation import Wanted
from tutelage.web.openai_answers import Json, usage
from tutelage.web.openai_shapes import AnswerRequest, ChatRequest, VoteWish


class Voting(Answering):
    """Answers a chat; where a vote is asked for, with the reply that won and the count."""

    _wish: VoteWish | None = None

    async def answer(self, served: Served, asked: AnswerRequest, choices: Sequence[Wanted]) -> Response:
        """As any answer; the vote is counted while the replies come."""
        self._wish = asked.vote if isinstance(asked, ChatRequest) else None
        return await super().answer(served, asked, choices)

    async def _held(self, served: Served, choices: Sequence[Wanted]) -> Pieces:
        replies: list[str] = []
        async with aclosing(super()._held(served, choices)) as pieces:
            async for piece in pieces:
                yield piece
                if self._wish and isinstance(piece, Answer):
                    replies.append(piece.text)
                    if self._wish.stop_early and is_decided(self._count(self._wish, replies), left=len(choices) - len(replies)):
                        return

    async def _finished(self, head: Json, asked: AnswerRequest, choices: Sequence[Wanted], answers: Sequence[Answer]) -> Json:
        if self._wish is None:
            return await super()._finished(head, asked, choices, answers)
        counted = self._count(self._wish, [answer.text for answer in answers])
        winner = answers[counted.votes[0].replies[0] if counted.votes else 0]
        told = [{"answer": vote.answer, "votes": len(vote.replies)} for vote in counted.votes]
        vote: Json = {"rule": self._wish.rule, "answer": counted.votes[0].answer if counted.votes else None, "margin": counted.margin,
                      "votes": told, "unread": len(counted.unread), "asked": len(choices), "made": len(answers)}
        return await self._told({**head, "vote": vote}, asked, choices[:1], [winner], usage(answers, len(choices)))

    def _count(self, wish: VoteWish, replies: Sequence[str]) -> Tally:
        return tally(replies, wish.rule, wish.choices)
