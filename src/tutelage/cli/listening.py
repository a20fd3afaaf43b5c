"""Where `tutelage serve` listens: on this machine alone, and for other machines only where a key stands between them and the model."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

from tutelage.core.errors import InputError, ServiceUnavailable
from tutelage.core.language import failure
from tutelage.desk.records import Key


@dataclass(frozen=True)
class Listening:
    """A bound socket; nobody is answered before it is told to listen. `name` is how the service is called, for addresses and requests."""

    bound: socket.socket
    name: str
    is_local: bool

    @property
    def address(self) -> str:
        """Where a browser finds the pages."""
        return f"http://{self.name}:{self.bound.getsockname()[1]}/"


def listen(host: str, port: int) -> Listening:
    """A socket bound to an address of this machine; 0.0.0.0 and :: stand for all of them.

    Raises InputError for what is no address of this machine, ServiceUnavailable when the port is taken.
    """
    try:
        family, _, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError):
        raise failure(InputError, "run.host_unknown", host=host) from None
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(target)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise failure(InputError, "run.host_elsewhere", host=host) from None
        raise failure(ServiceUnavailable, "run.port_taken", host=host, port=port, reason=error.strerror,
                      other=port + 1 if port < 65535 else port - 1) from None
    found = ip_address(target[0])
    name = socket.gethostname().lower() if found.is_unspecified else host.lower()
    return Listening(bound, f"[{name}]" if ":" in name else name, found.is_loopback)


def check_guarded(listening: Listening, keys: Iterable[Key], recipe: str) -> None:
    """Raise InputError, and close the socket, where other machines would reach a service that nobody has a key for."""
    if listening.is_local or any(key.is_valid(datetime.now(UTC)) for key in keys):
        return
    address = listening.address
    listening.bound.close()
    raise failure(InputError, "run.host_unguarded", address=address, recipe=recipe)
