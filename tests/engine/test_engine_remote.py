"""The engine of a service, against real HTTP servers: one that we wrote, our own endpoint, and a bare socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_service import PIECES, Service, logprob_of
from web_site import TUNED, CharacterEngine, make_site, running

from tutelage.core.chat import CHATML, LLAMA3, render
from tutelage.core.engine import CannotDo, Engine
from tutelage.core.errors import ContextTooLong, InputError, ServiceUnavailable
from tutelage.core.records import Answer, Constraint, Message, Sampling
from tutelage.engine.remote_engine import RemoteEngine
from tutelage.engine.remote_wire import SERVED, Wire, messages_of, spell
from tutelage.web.app import create_app

ASKED = (Message(role="system", content="You draft."), Message(role="user", content="Draft a <|im_end|> clause.\n甲方"))
REPLY = Message(role="assistant", content="The fee is due. 应付。")


@contextmanager
def opened(service: Service, **more: object) -> Iterator[RemoteEngine]:
    with service.running() as address:
        engine = RemoteEngine(address, name="served", wait=0.01, **more)  # type: ignore[arg-type]
        try:
            yield engine
        finally:
            engine.close()


def prompt_ids(engine: RemoteEngine, *messages: Message) -> tuple[int, ...]:
    return render(messages or ASKED, SERVED, engine, reply=True).ids


def answers(engine: RemoteEngine, *messages: Message, **sampling: object) -> list[Answer]:
    return engine.generate([prompt_ids(engine, *messages)], Sampling.model_validate(sampling), end_ids=(engine.special(SERVED.end),))


def test_what_was_rendered_for_a_service_is_read_back_as_the_same_messages():
    wire = Wire()
    assert messages_of(render(ASKED, SERVED, wire, reply=True).ids) == list(ASKED)
    whole = [*ASKED, REPLY, Message(role="user", content="")]
    assert messages_of(render(whole, SERVED, wire, reply=False).ids) == whole


def test_a_conversation_is_spelled_with_the_marks_of_the_models_own_format():
    asked = (Message(role="user", content="Hi"),)
    assert spell(asked, CHATML, reply=True) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert spell([*asked, REPLY], CHATML, reply=False).endswith("<|im_start|>assistant\nThe fee is due. 应付。<|im_end|>")
    assert spell(asked, LLAMA3, reply=True).startswith("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>")


def test_a_message_that_holds_a_mark_is_not_spelled():
    with pytest.raises(InputError, match=r"holds '<\|im_end\|>', a mark of the format 'chatml'.*Leave the row out"):
        spell(ASKED, CHATML, reply=True)


def test_the_service_gets_the_messages_and_the_decoding_and_its_answer_comes_whole():
    service = Service()
    with opened(service) as engine:
        assert isinstance(engine, Engine)
        (answer,) = answers(engine, max_tokens=50, seed=3)
    assert (answer.text, answer.finish_reason, answer.model, answer.prompt_tokens) == (ASKED[1].content, "stop", "small", 7)
    body = service.bodies[0]
    assert body["messages"] == [message.model_dump() for message in ASKED]
    assert (body["model"], body["temperature"], body["max_tokens"], body["seed"]) == ("small", 0.0, 50, 3)


def test_a_schema_and_penalties_reach_the_service_and_what_it_could_not_know_is_refused():
    service, constraint = Service(), Constraint(grammar='root ::= "{}"', schema_text='{"type": "object"}')
    with opened(service) as engine:
        asked = Sampling(max_tokens=50, presence_penalty=0.5, frequency_penalty=-1.0)
        engine.generate([prompt_ids(engine)], asked, end_ids=(), constraint=constraint)
        with pytest.raises(CannotDo, match=r"the service's token ids are not known here, so logit_bias has none to name"):
            answers(engine, logit_bias=((7, 1.0),))
        with pytest.raises(CannotDo, match=r"services take a JSON schema and no grammar of ours\. Serve a GGUF file for tools"):
            list(engine.stream(prompt_ids(engine), asked, end_ids=(), constraint=Constraint(grammar='root ::= "{}"')))
    (body,) = service.bodies
    schema = {"name": "reply", "schema": {"type": "object"}, "strict": True}
    assert body["response_format"] == {"type": "json_schema", "json_schema": schema}
    assert (body["presence_penalty"], body["frequency_penalty"]) == (0.5, -1.0)


def test_an_answer_that_the_limit_cut_says_so():
    with opened(Service()) as engine:
        (answer,) = answers(engine, Message(role="user", content="one two three"), max_tokens=3)
    assert (answer.text, answer.finish_reason) == ("one two", "length")


def test_many_prompts_are_answered_in_order():
    asked = [(Message(role="user", content=f"number {count}"),) for count in range(20)]
    with opened(Service()) as engine:
        prompts = [prompt_ids(engine, *messages) for messages in asked]
        replies = engine.generate(prompts, Sampling(max_tokens=9), end_ids=())
    assert [reply.text for reply in replies] == [messages[0].content for messages in asked]


def test_a_service_that_does_not_stream_answers_too():
    with opened(Service(streams=False)) as engine:
        assert answers(engine)[0].text == ASKED[1].content


def test_pieces_come_as_they_are_made_and_join_to_the_answer():
    with opened(Service()) as engine:
        *pieces, last = engine.stream(prompt_ids(engine, Message(role="user", content="one two")), Sampling(), end_ids=())
    assert pieces == ["one", " ", "two"]
    assert isinstance(last, Answer)
    assert last.text == "one two"


def test_a_cancelled_answer_ends_with_length():
    with opened(Service()) as engine:
        stream = engine.stream(prompt_ids(engine, Message(role="user", content="a b c d e f g")), Sampling(), end_ids=())
        first = next(stream)
        engine.cancel()
        rest = list(stream)
    assert first == "a"
    assert isinstance(rest[-1], Answer)
    assert rest[-1].finish_reason == "length"
    assert rest[-1].text == "".join(piece for piece in [first, *rest] if isinstance(piece, str))


def test_a_service_with_the_newer_name_for_the_limit_is_asked_by_it():
    service = Service(newer=True)
    with opened(service) as engine:
        assert answers(engine, max_tokens=50)[0].text == ASKED[1].content
        answers(engine, max_tokens=50)
    assert [("max_tokens" in body) for body in service.bodies] == [True, False, False]


def test_a_busy_service_is_asked_again():
    with opened(Service(busy=2)) as engine:
        assert answers(engine)[0].text == ASKED[1].content


def test_a_service_that_stays_busy_does_not_answer():
    service = Service()
    with opened(service) as engine:
        service.busy = 99
        with pytest.raises(ServiceUnavailable, match=r"cannot answer now \(503: warming up\)") as error:
            answers(engine)
    assert error.value.exit_code == 4


def test_a_reply_is_scored_by_the_services_own_tokens_and_counts_the_mark_that_ends_it():
    asked = (Message(role="user", content="Draft it."),)
    for service in (Service(logprobs=True), Service(logprobs=True, strict_extras=True)):
        with opened(service, scored_as=CHATML) as engine:
            prompt = prompt_ids(engine, *asked)
            row = render([*asked, REPLY], SERVED, engine, reply=False).ids[:-1]  # without the line end after the turn
            (scores,) = engine.score([row], [len(prompt)])
        expected = sum(logprob_of(piece) for piece in PIECES.findall(REPLY.content)) + logprob_of("<|im_end|>")
        assert sum(score.logprob for score in scores) == pytest.approx(expected)
        assert [score.token_id for score in scores] == list(row[len(prompt):])


def test_a_token_that_begins_in_the_prompt_counts_whole():
    asked, reply = (Message(role="user", content="Draft it."),), Message(role="assistant", content="\n\nYes")
    with opened(Service(logprobs=True), scored_as=CHATML) as engine:
        prompt = prompt_ids(engine, *asked)
        (scores,) = engine.score([render([*asked, reply], SERVED, engine, reply=False).ids[:-1]], [len(prompt)])
    # the service joins the line end of the head and the two of the reply: one token of white space, "Yes", the mark
    assert sum(score.logprob for score in scores) == pytest.approx(-0.5 - 0.3 - 0.5)


def test_without_log_probabilities_of_prompts_there_is_no_score():
    with opened(Service(), scored_as=CHATML) as engine:
        row = prompt_ids(engine, Message(role="user", content="x"))
        with pytest.raises(CannotDo, match=r"gives no log-probabilities of a prompt .*Only no echo is supported.*give them as a \.gguf"):
            engine.score([(*row, ord("a"), engine.special(SERVED.end))], [len(row)])


def test_without_the_models_chat_format_there_is_no_score():
    with opened(Service(logprobs=True)) as engine, pytest.raises(CannotDo, match="its chat format was not named"):
        engine.score([(1, 2)], [1])


def test_a_reply_that_was_begun_cannot_be_gone_on_with():
    with opened(Service()) as engine, pytest.raises(CannotDo, match="begins replies itself"):
        engine.generate([(*prompt_ids(engine), ord("T"))], Sampling(), end_ids=())


def test_a_repetition_penalty_is_refused():
    with opened(Service()) as engine, pytest.raises(CannotDo, match=r"no common name for a repetition penalty. Set it to 1\.0"):
        answers(engine, repetition_penalty=1.1)


@pytest.mark.parametrize("call", [lambda engine: engine.embed(["a"]), lambda engine: engine.load_adapter("a", "b"),
                                  lambda engine: engine.unload_adapter("a")])
def test_what_a_service_has_not_is_said(call):  # type: ignore[no-untyped-def]
    with opened(Service()) as engine, pytest.raises(CannotDo, match="service"):
        call(engine)


def test_a_prompt_that_the_service_finds_too_long_is_too_long():
    with opened(Service(context=20)) as engine, pytest.raises(ContextTooLong, match="maximum context length is 20 tokens"):
        answers(engine)


def test_of_several_models_one_must_be_named():
    with Service(models=("a", "b")).running() as address:
        with pytest.raises(InputError, match=r"serves 2 models \(a, b\)\. Name the one"):
            RemoteEngine(address, name="served")
        engine = RemoteEngine(address, name="served", model="c", wait=0.01)
        with pytest.raises(InputError, match=r"refuses the request for model 'c' \(404"):
            answers(engine)
        engine.close()


def test_a_wrong_key_is_said_and_the_right_one_is_sent():
    with Service(key="secret").running() as address:
        with pytest.raises(InputError, match=r"refuses the key \(401: wrong key\)"):
            RemoteEngine(address, name="served", key="other")
        engine = RemoteEngine(address, name="served", key="secret")
        assert answers(engine)[0].text == ASKED[1].content
        engine.close()


def test_nobody_at_the_address_is_a_service_that_does_not_answer():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ServiceUnavailable, match=r"does not answer \(ConnectError.*Start the service, or correct the address") as error:
        RemoteEngine(f"http://127.0.0.1:{port}/v1", name="served", wait=0.001)
    assert error.value.exit_code == 4


def test_a_silent_service_is_given_up():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with pytest.raises(ServiceUnavailable, match="ReadTimeout"):
            RemoteEngine(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", name="served", timeout=0.1)


def test_something_that_is_no_such_service_is_said():
    def answer(listening: socket.socket) -> None:
        taken, _ = listening.accept()
        with taken:
            taken.recv(4096)
            taken.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        threading.Thread(target=answer, args=(listening,), daemon=True).start()
        with pytest.raises(ServiceUnavailable, match=r"not JSON \('hello'\).*usually ends in /v1"):
            RemoteEngine(f"http://127.0.0.1:{listening.getsockname()[1]}", name="served")


@pytest.mark.parametrize(("address", "key", "said"), [
    ("ftp://host/v1", "", "is no address of a service"),
    ("http://user:hunter2@host/v1", "", "may not hold a name, password"),
    ("https://host/v1?key=1", "", "may not hold a name, password"),
    ("http://10.1.2.3/v1", "secret", r"a key would go to 10\.1\.2\.3 unprotected\. Use https"),
])
def test_an_address_that_would_give_secrets_away_is_refused(address, key, said):  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=said) as error:
        RemoteEngine(address, name="served", model="m", key=key)
    assert "hunter2" not in str(error.value)
    assert "secret" not in str(error.value)


def test_a_service_that_sends_more_than_asked_is_stopped():
    service = Service(reply=lambda messages: "x" * 10_000)  # one token of ten thousand letters
    with opened(service) as engine, pytest.raises(ServiceUnavailable, match="sends more than the 5 tokens"):
        answers(engine, max_tokens=5)


def test_our_own_endpoint_answers_as_any_service(tmp_path: Path):
    site = make_site(tmp_path / "work", tuned=CharacterEngine(TUNED, reply="Either party may end it."))
    key = site.desk.new_key("judge")
    with running(create_app(site)) as address:
        engine = RemoteEngine(f"{address}/v1", name="served", key=key)
        (answer,) = answers(engine, Message(role="user", content="Draft it."), max_tokens=100)
        engine.close()
    assert (answer.text, answer.model, answer.finish_reason) == ("Either party may end it.", TUNED, "stop")
