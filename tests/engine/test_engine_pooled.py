"""Several addresses behind one engine: spread, watched, taken out and back; a request is tried elsewhere before its first piece only."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

import pytest
from tiny_model import make_tiny_model
from token_service import TokenService, in_a_process, reply_to

from tutelage.core.engine import CannotDo, Engine
from tutelage.core.errors import ContextTooLong, InputError, ServiceUnavailable
from tutelage.core.records import Answer, Constraint, Sampling
from tutelage.engine.child_engine import Restarts
from tutelage.engine.pooled_engine import PooledEngine
from tutelage.engine.remote_pool import LEAD, Pool
from tutelage.engine.vocabulary import Vocabulary

PROMPT = tuple(range(10, 30))
SAMPLING = Sampling(max_tokens=20)
END = 2


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    return Vocabulary(make_tiny_model(tmp_path_factory.mktemp("tiny")))


@contextmanager
def opened(addresses: Sequence[str], vocabulary: Vocabulary, *, key: str = "", heard: list[str] | None = None,
           check_seconds: float = 60.0) -> Iterator[PooledEngine]:
    pool = Pool(addresses, model="drafts-m1", context_length=1000, key=key, timeout=5.0, check_seconds=check_seconds,
                tell=lambda told, facts: heard.append(told) if heard is not None else None)
    engine = PooledEngine(pool, name="drafts", vocabulary=vocabulary, context_length=1000, parallel=8)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def served(*services: TokenService) -> Iterator[list[str]]:
    with ExitStack() as stack:
        yield [stack.enter_context(service.running()) for service in services]


def answer(engine: PooledEngine, prompt: Sequence[int] = PROMPT, sampling: Sampling = SAMPLING) -> Answer:
    return engine.generate([prompt], sampling, end_ids=(END,))[0]


def wait_for(is_so: Callable[[], bool], seconds: float = 5.0) -> bool:
    ends = time.monotonic() + seconds
    while not is_so() and time.monotonic() < ends:
        time.sleep(0.01)
    return is_so()


def test_the_service_gets_token_ids_and_its_own_ids_are_counted(vocabulary):
    service = TokenService()
    with served(service) as addresses, opened(addresses, vocabulary) as engine:
        assert isinstance(engine, Engine)
        assert isinstance(engine, Restarts)
        asked = Sampling(max_tokens=20, temperature=0.5, seed=7, stop=("x",), logit_bias=((5, -100.0),), repetition_penalty=1.1)
        found = answer(engine, sampling=asked)
    ids = tuple(token for token in range(8) if token != END)  # the service's own, without the one that ended the reply
    assert found == Answer(text="".join(reply_to(list(PROMPT))), token_ids=ids, prompt_tokens=20, finish_reason="stop", model="drafts")
    body = service.bodies[0]
    assert body["prompt"] == list(PROMPT)
    assert (body["model"], body["temperature"], body["seed"], body["stop"]) == ("drafts-m1", 0.5, 7, ["x"])
    assert (body["logit_bias"], body["stop_token_ids"], body["repetition_penalty"]) == ({"5": -100.0}, [END], 1.1)


def test_a_service_that_takes_no_fields_of_vllms_own_is_asked_without_them_and_its_text_is_counted_here(vocabulary):
    service = TokenService(takes_extras=False)
    with served(service) as addresses, opened(addresses, vocabulary) as engine:
        found = [answer(engine), answer(engine)]
        with pytest.raises(CannotDo, match=r"takes no repetition_penalty, which is vLLM's own\. Set it to 1\.0\."):
            answer(engine, sampling=Sampling(max_tokens=5, repetition_penalty=1.2))
    assert [("return_token_ids" in body) for body in service.bodies] == [True, False, False]
    assert found[0] == found[1]
    assert list(found[0].token_ids) == vocabulary.tokenize(found[0].text)


def test_requests_go_to_the_idlest_and_prompts_with_one_beginning_to_one_address(vocabulary):
    services = [TokenService(), TokenService(), TokenService()]
    with served(*services) as addresses, opened(addresses, vocabulary) as engine:
        for number in range(30):
            for _ in range(3):
                answer(engine, prompt=(number + 3, *PROMPT))
        counts = [len(service.bodies) for service in services]
        assert sum(counts) == 90
        assert all(count >= 3 for count in counts), counts  # 30 beginnings over three: that one gets none has a chance of 2 in 100,000
        whose = [{tuple(body["prompt"]) for body in service.bodies} for service in services]
        assert sum(map(len, whose)) == 30  # no beginning was at two addresses


def test_one_beginning_asked_by_many_at_once_is_spread_all_the_same(vocabulary):
    services = [TokenService(seconds=0.02), TokenService(seconds=0.02)]
    with served(*services) as addresses, opened(addresses, vocabulary) as engine:
        engine.generate([PROMPT] * 8, SAMPLING, end_ids=(END,))
        counts = sorted(len(service.bodies) for service in services)
    assert sum(counts) == 8
    assert counts[1] - counts[0] <= LEAD + 1


def test_a_slow_address_gets_fewer_requests(vocabulary):
    slow, fast = TokenService(seconds=0.05), TokenService(seconds=0.002)
    with served(slow, fast) as addresses, opened(addresses, vocabulary) as engine, ThreadPoolExecutor(6) as people:
        texts = list(people.map(lambda number: answer(engine, prompt=(number + 3, *PROMPT)).text, range(60)))
    assert texts == ["".join(reply_to(list(PROMPT)))] * 60
    assert len(fast.bodies) > 2 * len(slow.bodies) > 0


def test_a_server_that_is_killed_costs_the_answers_that_it_had_begun_and_nothing_else(vocabulary):
    other, heard = TokenService(seconds=0.01), []
    with in_a_process(seconds=0.2) as (address, process), served(other) as addresses, \
            opened([address, *addresses], vocabulary, heard=heard) as engine, ThreadPoolExecutor(8) as people:
        def ask(number: int) -> str:
            try:
                return answer(engine, prompt=(number + 3, *PROMPT)).text
            except ServiceUnavailable as error:
                return str(error)

        under_way = [people.submit(ask, number) for number in range(8)]
        assert wait_for(lambda: engine.addresses()[0].outstanding > 0)
        time.sleep(0.6)  # its first pieces are out
        process.kill()
        texts = [one.result() for one in under_way]
        later = [ask(number) for number in range(20)]
        state = engine.addresses()[0]
        assert engine.is_ready()
    whole = "".join(reply_to(list(PROMPT)))
    lost = [text for text in texts if text != whole]
    assert 1 <= len(lost) <= 5
    assert all("its service broke off in the middle of the answer" in text for text in lost)
    assert later == [whole] * 20
    assert (state.is_up, "does not answer" in state.why or "ended its answer" in state.why) == (False, True)
    assert heard[0] == "run.address_out"


def test_an_address_comes_back_when_it_answers_again(vocabulary):
    first, second, heard = TokenService(), TokenService(), []
    with served(second) as addresses, ExitStack() as life:
        addresses.append(life.enter_context(first.running()))
        with opened(addresses, vocabulary, heard=heard, check_seconds=0.05) as engine:
            life.close()
            assert wait_for(lambda: not engine.addresses()[1].is_up)
            assert answer(engine).finish_reason == "stop"
            with first.running():
                assert wait_for(lambda: engine.addresses()[1].is_up)
    assert heard == ["run.address_out", "run.address_back"]


def test_an_ill_address_is_out_while_its_health_says_so(vocabulary):
    services = [TokenService(), TokenService(is_ill=True)]
    with served(*services) as addresses, opened(addresses, vocabulary, check_seconds=0.05) as engine:
        assert [state.is_up for state in engine.addresses()] == [True, False]
        for number in range(10):
            answer(engine, prompt=(number + 3, *PROMPT))
        assert not services[1].bodies
        services[1].is_ill = False
        assert wait_for(lambda: engine.addresses()[1].is_up)


def test_a_busy_address_is_asked_last_for_a_while_and_stays_in(vocabulary):
    busy, free = TokenService(busy=1000), TokenService()
    with served(busy, free) as addresses, opened(addresses, vocabulary) as engine:
        for number in range(20):
            assert answer(engine, prompt=(number + 3, *PROMPT)).finish_reason == "stop"
        assert engine.addresses()[0].is_up
        assert engine.addresses()[0].failures == len(busy.bodies) <= 5
    assert len(free.bodies) == 20


def test_when_no_address_can_answer_the_error_names_each_reason(vocabulary):
    services = [TokenService(busy=10), TokenService(is_ill=True)]
    with served(*services) as addresses, opened(addresses, vocabulary) as engine:
        with pytest.raises(ServiceUnavailable, match=r"drafts: none of its 2 addresses can answer: .*503: warming up.*503: ill"):
            answer(engine)
        assert engine.is_ready()
    services = [TokenService(is_ill=True)]
    with served(*services) as addresses, opened(addresses, vocabulary) as engine:
        assert not engine.is_ready()


def test_after_the_first_piece_nothing_is_asked_again(vocabulary):
    breaking, other = TokenService(breaks_after=2), TokenService(breaks_after=2)
    with served(breaking, other) as addresses, opened(addresses, vocabulary) as engine:
        pieces: list[str | Answer] = []
        with pytest.raises(ServiceUnavailable, match="its service broke off in the middle of the answer"):
            pieces.extend(engine.stream(PROMPT, SAMPLING, end_ids=(END,)))
    assert pieces == reply_to(list(PROMPT))[:2]
    assert len(breaking.bodies) + len(other.bodies) == 1


def test_before_the_first_piece_a_dropped_request_goes_to_another_address(vocabulary):
    breaking, other = TokenService(breaks_after=0), TokenService()
    with served(breaking, other) as addresses, opened(addresses, vocabulary) as engine:
        texts = [answer(engine, prompt=(number + 3, *PROMPT)).text for number in range(10)]
    assert texts == ["".join(reply_to(list(PROMPT)))] * 10
    assert len(breaking.bodies) == 1  # it was taken out


def test_another_model_a_shorter_context_and_a_wrong_key_are_named(vocabulary):
    services = [TokenService(model="drafts-m0"), TokenService(length=500), TokenService(key="right")]
    with served(*services) as addresses, opened(addresses, vocabulary, key="wrong") as engine:
        whys = [state.why for state in engine.addresses()]
    assert whys[0].endswith("serves drafts-m0, not drafts-m1.")
    assert "holds 500 tokens a request; endpoint.context_length is 1000" in whys[1]
    assert "refuses the key (401: wrong key)" in whys[2]


def test_what_a_service_cannot_do_is_refused_before_it_is_asked(vocabulary):
    service = TokenService()
    with served(service) as addresses, opened(addresses, vocabulary) as engine:
        with pytest.raises(CannotDo, match=r"services take a JSON schema and no grammar of ours\. Serve the GGUF file for tools"):
            engine.stream(PROMPT, SAMPLING, end_ids=(END,), constraint=Constraint(grammar="root ::= x"))
        with pytest.raises(CannotDo, match="gives no log-probabilities here"):
            engine.score([PROMPT], [1])
        with pytest.raises(CannotDo, match="gives no vectors here"):
            engine.embed(["x"])
        with pytest.raises(CannotDo, match="loads its adapters itself"):
            engine.load_adapter("a", "b")
        with pytest.raises(CannotDo, match="unloads its adapters itself"):
            engine.unload_adapter("a")
        with pytest.raises(ContextTooLong, match="1000"):
            engine.stream((5,) * 990, SAMPLING, end_ids=(END,))
        with pytest.raises(InputError, match=r"outside the vocabulary"):
            engine.stream((5, 10**6), SAMPLING, end_ids=(END,))
        assert not service.bodies
        engine.generate([PROMPT], SAMPLING, end_ids=(END,), constraint=Constraint(grammar="root ::= x", schema_text='{"type": "object"}'))
        assert service.bodies[0]["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_whoever_leaves_frees_the_address_and_a_cancelled_answer_ends(vocabulary):
    service = TokenService(seconds=0.02)
    with served(service) as addresses, opened(addresses, vocabulary) as engine:
        stream = engine.stream(PROMPT, SAMPLING, end_ids=(END,))
        assert isinstance(stream, Generator)
        with closing(stream):
            next(stream)
            assert engine.addresses()[0].outstanding == 1
        assert engine.addresses()[0].outstanding == 0
        stream = engine.stream(PROMPT, SAMPLING, end_ids=(END,))
        next(stream)
        engine.cancel()
        last = list(stream)[-1]
        assert isinstance(last, Answer)
        assert last.finish_reason == "length"


def test_it_is_told_what_is_known_of_who_answers_and_what_is_not(vocabulary):
    with served(TokenService()) as addresses, opened(addresses, vocabulary) as engine:
        assert engine.whereabouts() == (f"a service at {addresses[0]} that lists the model as drafts-m1; its program, its version and the "
                                        "weights that it holds are not known here")
        assert (engine.memory_bytes(), engine.restarts()) == (0, 0)
