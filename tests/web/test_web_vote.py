"""A vote over several replies: the winner, the count, and an early end; and one reading of the prompt for all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from web_site import TUNED, CharacterEngine, make_site

from tutelage.core.engine import SharesPrompts
from tutelage.core.records import Answer, Sampling
from tutelage.desk.receipts import verify
from tutelage.web.receipts import ReceiptBook

CHAT = {"model": TUNED, "messages": [{"role": "user", "content": "3 + 4?"}], "seed": 1}


class Sayings(CharacterEngine):
    """Says one thing after another."""

    def __init__(self, *replies: str) -> None:
        super().__init__(TUNED)
        self.replies = list(replies)

    def stream(self, *arguments, **named):
        self.reply = self.replies[self.begun]
        return super().stream(*arguments, **named)


class Sharing(Sayings):
    """The same, with prompts read once."""

    shared = 0

    def stream_each(self, prompt_ids, samplings, *, end_ids, constraint=None):
        self.shared += 1
        for sampling in samplings:
            yield from self.stream(prompt_ids, sampling, end_ids=end_ids, constraint=constraint)


def asked(tmp_path, visit, engine, **more):
    site = make_site(tmp_path / "work", tuned=engine)
    site = replace(site, receipts=ReceiptBook(site.desk, site.work))
    answer = visit(site).post("/v1/chat/completions", json={**CHAT, **more}, headers={"authorization": f"Bearer {site.desk.new_key('k')}"})
    assert answer.status_code == 200, answer.text
    receipt = verify(site.receipts.exported(answer.json()["id"]), site.receipts.key).receipt
    site.receipts.close()
    return answer.json(), receipt


@pytest.mark.parametrize("kind", [Sayings, Sharing])
def test_the_reply_that_won_is_the_answer_and_the_rest_is_not_made(tmp_path, visit, kind):
    engine = kind("8", "It is 7.", "7", "x", "7.0", "7", "8", "8")
    answer, receipt = asked(tmp_path, visit, engine, n=8, vote={"rule": "number"})
    [choice] = answer["choices"]
    assert (choice["index"], choice["message"]["content"], choice["finish_reason"]) == (0, "It is 7.", "stop")
    # After six replies 7 has 4 votes and 8 has 1: a lead of 3, and two are left.
    assert answer["vote"] == {"rule": "number", "answer": "7", "margin": 0.5, "unread": 1, "asked": 8, "made": 6,
                              "votes": [{"answer": "7", "votes": 4}, {"answer": "8", "votes": 1}]}
    made = len("8") + len("It is 7.") + len("7") + len("x") + len("7.0") + len("7")
    assert (answer["usage"]["completion_tokens"], engine.begun, engine.ended) == (made, 6, 6)
    assert answer["usage"]["prompt_tokens"] == receipt.prompt_tokens == len(engine.prompts[0])
    assert (receipt.completion_tokens, len(receipt.finish_reasons)) == (made, 6)
    assert getattr(engine, "shared", 1) == 1


def test_without_the_early_end_all_replies_are_made(tmp_path, visit):
    engine = Sayings("A", "A", "A", "(A)")
    answer, _ = asked(tmp_path, visit, engine, n=4, vote={"rule": "choice", "stop_early": False})
    assert (answer["vote"]["made"], answer["vote"]["margin"], engine.begun) == (4, 1.0, 4)


def test_own_choices_and_a_vote_that_nobody_cast(tmp_path, visit):
    engine = Sayings("keine", "条款无效。", "有效", "无效")
    answer, _ = asked(tmp_path, visit, engine, n=4, vote={"rule": "choice", "choices": ["有效", "无效"]})
    assert (answer["vote"]["answer"], answer["choices"][0]["message"]["content"]) == ("无效", "条款无效。")
    answer, _ = asked(tmp_path / "second", visit, Sayings("a", "b"), n=2, vote={"rule": "number"})
    assert (answer["vote"]["answer"], answer["vote"]["margin"], answer["choices"][0]["message"]["content"]) == (None, 0.0, "a")


@pytest.mark.parametrize("change, param", [
    ({"vote": {"rule": "exact"}}, "vote"), ({"vote": {"rule": "exact"}, "n": 2, "stream": True}, "vote"),
    ({"vote": {"rule": "most"}, "n": 2}, "vote.rule"), ({"vote": {}, "n": 2}, "vote.rule"),
    ({"vote": {"rule": "exact", "choices": ["A", "B"]}, "n": 2}, "vote.choices"),
    ({"vote": {"rule": "choice", "choices": ["A"]}, "n": 2}, "vote.choices"), ({"vote": {"rule": "exact", "x": 1}, "n": 2}, "vote.x")])
def test_a_vote_that_cannot_be_held_is_refused_by_name(strict_client, change, param):
    answer = strict_client.post("/v1/chat/completions", json={**CHAT, **change})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_choices_of_one_prompt_share_its_reading_and_two_prompts_do_not(tmp_path, visit):
    engine = Sharing(*"abcdef")
    site = make_site(tmp_path / "work", tuned=engine)
    headers = {"authorization": f"Bearer {site.desk.new_key('k')}"}
    body = {"model": TUNED, "prompt": ["x", "y"], "n": 3}
    answer = visit(site).post("/v1/completions", json=body, headers=headers).json()
    assert ([choice["text"] for choice in answer["choices"]], engine.shared) == (list("abcdef"), 2)
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 6, "total_tokens": 8}


def test_replies_that_share_a_prompt_come_again_and_the_first_is_that_of_a_single_request(engine):
    """The others may differ from single requests where two tokens are all but equally likely: the last token of the prompt is computed
    by itself for them, not within the prompt, and rounds otherwise.
    """
    assert isinstance(engine, SharesPrompts)
    prompt = engine.tokenize("The Supplier pays within thirty days of the invoice. 保密期限为三年。" * 4)
    samplings = [Sampling(max_tokens=12, temperature=1.0, seed=seed) for seed in range(6)]
    first, again = ([piece for piece in engine.stream_each(prompt, samplings, end_ids=[]) if isinstance(piece, Answer)] for _ in range(2))
    assert first == again
    assert len({answer.text for answer in first}) > 3
    assert first[0] == list(engine.stream(prompt, samplings[0], end_ids=[]))[-1]
    assert {answer.prompt_tokens for answer in first} == {len(prompt)}


def test_a_shared_prompt_that_is_left_early_gives_its_place_back(engine):
    prompt = engine.tokenize("Term")
    for _ in range(5):  # more often than there are places
        replies = engine.stream_each(prompt, [Sampling(max_tokens=50, seed=seed, temperature=1.0) for seed in range(4)], end_ids=[])
        next(replies)
        replies.close()
    assert len(engine.generate([prompt, prompt, prompt], Sampling(max_tokens=3), end_ids=[])) == 3
