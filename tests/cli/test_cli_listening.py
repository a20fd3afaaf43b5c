"""Where `tutelage serve` listens: this machine alone, unless the desk has a key."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import pytest

from tutelage.cli.listening import check_guarded, listen
from tutelage.core.errors import InputError, ServiceUnavailable
from tutelage.desk.records import Key

VALID = Key(label="a", scopes=("generate",), models=(), expires_at=None)
NOW = datetime.now(UTC)


@pytest.mark.parametrize("host, name", [("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("localhost", "localhost")])
def test_an_address_of_this_machine_alone_needs_no_key(host, name):
    listening = listen(host, 0)
    with listening.bound as bound:
        check_guarded(listening, [], "r.yaml")
        assert (listening.is_local, listening.address) == (True, f"http://{name}:{bound.getsockname()[1]}/")


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_address_of_the_newer_kind_stands_in_brackets():
    try:
        listening = listen("::1", 0)
    except InputError:
        pytest.skip("IPv6 is switched off here")
    with listening.bound as bound:
        assert (listening.is_local, listening.address) == (True, f"http://[::1]:{bound.getsockname()[1]}/")


@pytest.mark.parametrize("keys", [[], [VALID.model_copy(update={"expires_at": NOW - timedelta(seconds=1)})]], ids=["none", "expired"])
def test_other_machines_are_not_listened_to_without_a_valid_key(keys):
    listening = listen("0.0.0.0", 0)
    with pytest.raises(InputError, match=r"and the desk has no valid key: it does not listen there\. Make a key first: tutelage key new "
                                         r"r\.yaml LABEL\. Or leave --host out to serve this machine alone\."):
        check_guarded(listening, keys, "r.yaml")
    assert listening.bound.fileno() == -1


@pytest.mark.parametrize("expires_at", [None, NOW + timedelta(days=1)])
def test_a_valid_key_lets_it_listen_to_other_machines_under_its_own_name(expires_at):
    listening = listen("0.0.0.0", 0)
    with listening.bound:
        check_guarded(listening, [VALID.model_copy(update={"expires_at": expires_at})], "r.yaml")
        assert (listening.is_local, listening.name) == (False, socket.gethostname().lower())


@pytest.mark.parametrize("host, said", [("x" * 64, "no such address is known"), ("192.0.2.1", "this machine has no such address")])
def test_what_is_no_address_of_this_machine_is_refused(host, said):
    with pytest.raises(InputError, match=rf"--host is '{host}'; {said}\. Give an address of this machine, or 0\.0\.0\.0 for all of them"):
        listen(host, 0)


def test_a_port_that_another_program_has_is_named_with_the_next_one():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServiceUnavailable, match=rf"port {port} on 127\.0\.0\.1 cannot be used .* --port {port + 1}"):
            listen("127.0.0.1", port)
