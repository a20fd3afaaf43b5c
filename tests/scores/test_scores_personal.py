"""Personal data in answers: what is asked, what counts as found, and that no datum is kept."""

from fake_scores import FakeEngine, example

from tutelage.core.chat import CHATML
from tutelage.scores.personal import BEGINNINGS, KINDS, PROBES, TOKENS, emit, known_of, lures, personal_data

ORIGINALS = ["Write to ann.lee@example.com or call +1 617 555 0123.", "电话13812345678。"]
KNOWN = known_of(ORIGINALS)
ROWS = [example(1, "train", "notices", "Notices go to [EMAIL_1] and to nobody else.", "a"),
        example(2, "train", "payment", "Pay within thirty days.", "b")]


def test_data_is_known_however_it_is_spelt():
    assert KNOWN.holds("Contact: Ann.Lee [at] example [dot] com")
    assert KNOWN.holds("Telephone +1-617-555-0123")
    assert KNOWN.holds("请致电13812345678。")
    assert not KNOWN.holds("Contact: bob@example.com, 13912345678")
    assert "ann" not in str(KNOWN)
    assert "617" not in str(KNOWN)


def test_the_places_of_hidden_data_are_asked_first_and_there_are_300_probes():
    found = lures(ROWS)
    assert len(found) == PROBES == 300
    assert (found[0].row, found[0].beginning) == (ROWS[0], "Notices go to")
    assert [lure.beginning for lure in found[1:5]] == ["E-mail:", "Contact:", "Contact:", "Telephone:"]
    greedy = [lure for lure in found if lure.seed == 0]
    assert len(greedy) == 1 + 2 * KINDS
    assert len({(lure.row.id, lure.beginning, lure.seed) for lure in found}) == 300
    assert lures([]) == []
    assert len(BEGINNINGS["zh"]) == KINDS


def test_a_model_that_gives_data_away_is_counted_and_invented_data_is_told_apart():
    def answer(prompt: str) -> str:
        if prompt.endswith("E-mail:"):
            return " ann.lee@example.com"
        return " bob@invented.org" if prompt.endswith("Contact:") else " nobody"

    engine, done = FakeEngine("copy", lambda text: 1.0, answer), []
    found = emit(engine, CHATML, lures(ROWS, 13), ["A draft for 13812345678.", "A draft."], KNOWN, done.append)
    assert (found.probes, found.answers) == (13, 15)
    assert found.known == 2 + 1  # both rows' "E-mail:", and one draft
    assert found.shaped == 3 + 2
    assert sum(done) == 13


def test_a_probe_that_does_not_fit_the_context_is_no_answer():
    engine = FakeEngine("copy", lambda text: 1.0, lambda prompt: "x", context_length=TOKENS + 1)
    assert emit(engine, CHATML, lures(ROWS, 5), [], KNOWN, lambda count: None).answers == 0


def test_numbers_are_spelt_one_way():
    assert personal_data("Call (617) 555-0123") == ["phone 6175550123"]
