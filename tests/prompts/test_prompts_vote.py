"""Votes over replies: what counts as the same answer, who wins, and when it is decided."""

import pytest

from tutelage.prompts.vote import is_decided, read_answer, tally


@pytest.mark.parametrize("reply, answer", [("  Yes. ", "yes"), ("ＹＥＳ！", "yes"), ("thirty\n days", "thirty days"), ("“是。”", "是"),
                                           (" . ", None)])
def test_exact_takes_the_whole_reply_without_case_width_and_punctuation_at_its_ends(reply, answer):
    assert read_answer(reply, "exact") == answer


@pytest.mark.parametrize("reply, answer", [
    ("3 apples and 4 pears make 7.", "7"), ("#### 1,234", "1234"), ("总价为１，２００．５０元。", "1200.5"), ("-3.0", "-3"), ("100", "100"),
    ("between 10,20", "20"), ("none", None)])
def test_number_takes_the_last_number(reply, answer):
    assert read_answer(reply, "number") == answer


@pytest.mark.parametrize("reply, choices, answer", [
    ("The answer is (B).", "ABC", "B"), ("A or B? It is A", "ABC", "A"), ("选Ｂ。", "ABC", "B"), ("ABC", "ABC", None), ("B2", "ABC", None),
    ("the clause is not valid", ("valid", "not valid"), "not valid"), ("有效", ("有效", "无效"), "有效")])
def test_choice_takes_the_one_that_stands_last_as_a_word(reply, choices, answer):
    assert read_answer(reply, "choice", tuple(choices)) == answer


def test_the_most_frequent_answer_wins_and_the_first_of_equal_ones():
    counted = tally(["It is 7.", "8", "7", "no idea", "7.0"], "number")
    assert [(vote.answer, vote.replies) for vote in counted.votes] == [("7", (0, 2, 4)), ("8", (1,))]
    assert (counted.unread, counted.lead, counted.margin) == ((3,), 2, 0.4)  # (3 - 1) of 5 replies
    assert [vote.answer for vote in tally(["b", "a"], "exact").votes] == ["b", "a"]
    assert (tally([], "exact").votes, tally(["?"], "number").margin) == ((), 0.0)


def test_a_vote_is_decided_when_the_rest_cannot_change_it():
    counted = tally(["7", "7", "7", "8"], "number")
    assert is_decided(counted, left=1)
    assert not is_decided(counted, left=2)  # two more 8s would make it even
    assert not is_decided(tally(["?"], "number"), left=0)
