"""Several addresses that serve one model: which of them gets a request, which is taken out, and when it comes back."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from tutelage.core.errors import TutelageError
from tutelage.engine.remote_http import Busy, Connection, Refused

CHECK_SECONDS = 5.0
ANSWER_SECONDS = 4.0  # an address that needs longer to list its models is taken out
REST_SECONDS = 1.0  # an address that said it is busy is asked last for so long
PREFIX_TOKENS = 256  # prompts with the same beginning like to go to the same address: it may have read it already
LEAD = 2  # by how many requests the liked address may be busier than the idlest one

Tell = Callable[[str, dict[str, object]], None]


@dataclass(frozen=True)
class AddressState:
    """How one address fares: `requests` it got and `failures` of them since the start, `outstanding` now; `why` it is out, "" if not."""

    address: str
    is_up: bool
    outstanding: int
    requests: int
    failures: int
    why: str


class Replica:
    """One address. Its numbers are changed by the pool's lock only. `extras` says whether it takes fields of vLLM's own."""

    def __init__(self, address: str, *, key: str, timeout: float) -> None:
        self.connection = Connection(address, key=key, timeout=timeout, tries=1)
        self.watch = Connection(address, key=key, timeout=ANSWER_SECONDS, tries=1)
        self.address = self.connection.address
        self.extras = True
        self.why = "not asked yet"
        self.outstanding = self.requests = self.failures = 0
        self.rests_until = 0.0

    @property
    def is_up(self) -> bool:
        """Whether it gets requests."""
        return not self.why


class Pool:
    """The addresses of the model `model`, of which each must list that name and hold `context_length` tokens. Safe with threads.

    A request goes to the address with the fewest requests outstanding; among those that are not much busier, to the one that gets
    prompts with this beginning. An address that does not answer is taken out, looked at every `check_seconds`, and taken back.
    """

    def __init__(self, addresses: Sequence[str], *, model: str, context_length: int, key: str, timeout: float, tell: Tell,
                 check_seconds: float = CHECK_SECONDS) -> None:
        self.model, self._context_length, self._tell = model, context_length, tell
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._check_seconds = check_seconds
        self._replicas = [Replica(address, key=key, timeout=timeout) for address in addresses]
        self._lookers = ThreadPoolExecutor(len(self._replicas), thread_name_prefix="look")
        self._look_at_all(is_first=True)
        threading.Thread(target=self._watch, name="addresses", daemon=True).start()

    @property
    def addresses(self) -> list[str]:
        """All of them, whether they answer or not."""
        return [replica.address for replica in self._replicas]

    @property
    def is_up(self) -> bool:
        """Whether any address gets requests."""
        return any(replica.is_up for replica in self._replicas)

    def states(self) -> list[AddressState]:
        """How each address fares now."""
        with self._lock:
            return [AddressState(one.address, one.is_up, one.outstanding, one.requests, one.failures, one.why) for one in self._replicas]

    def choose(self, prompt: Sequence[int], tried: Sequence[Replica]) -> Replica | None:
        """The address for this prompt, none of those that were tried; None if no other is up."""
        beginning = hashlib.sha256(repr(tuple(prompt[:PREFIX_TOKENS])).encode()).digest()
        now = time.monotonic()
        with self._lock:
            up = [one for one in self._replicas if one.is_up and one not in tried]
            up = [one for one in up if one.rests_until <= now] or up
            least = min((one.outstanding for one in up), default=0)
            near = [one for one in up if one.outstanding <= least + LEAD]
        return max(near, key=lambda one: hashlib.sha256(beginning + one.address.encode()).digest(), default=None)

    @contextmanager
    def asking(self, replica: Replica) -> Iterator[None]:
        """Count a request to this address while it lasts."""
        with self._lock:
            replica.outstanding += 1
            replica.requests += 1
        try:
            yield
        finally:
            with self._lock:
                replica.outstanding -= 1

    def failed(self, replica: Replica, error: Exception) -> None:
        """Count a request that this address did not answer; unless it was only busy, it is out until it answers again."""
        with self._lock:
            replica.failures += 1
            if isinstance(error, Busy):
                replica.rests_until = time.monotonic() + REST_SECONDS
                return
        self._set(replica, str(error))

    def close(self) -> None:
        """Hang up."""
        self._over.set()
        self._lookers.shutdown(wait=True)
        for replica in self._replicas:
            replica.connection.close()
            replica.watch.close()

    def _watch(self) -> None:
        while not self._over.wait(self._check_seconds):
            self._look_at_all()

    def _look_at_all(self, *, is_first: bool = False) -> None:
        try:
            found = list(self._lookers.map(self._look, self._replicas))
        except RuntimeError:
            return  # it was closed meanwhile
        for replica, why in zip(self._replicas, found, strict=True):
            self._set(replica, why, is_told=not is_first)

    def _look(self, replica: Replica) -> str:
        """Why this address cannot answer for the model; "" if it can."""
        try:
            listed = replica.watch.get("/models").get("data")
        except Refused as error:
            return f"{replica.address}: lists no models ({error.status}: {error.message}). The address usually ends in /v1."
        except TutelageError as error:
            return str(error)
        models = {str(one.get("id")): one for one in listed if isinstance(one, dict)} if isinstance(listed, list) else {}
        if self.model not in models:
            return f"{replica.address}: serves {', '.join(list(models)[:10]) or 'no model'}, not {self.model}."
        length = models[self.model].get("max_model_len") or models[self.model].get("context_length")
        if isinstance(length, int) and length < self._context_length:
            return (f"{replica.address}: holds {length} tokens a request; endpoint.context_length is {self._context_length}. "
                    "Lower that, or start the service with more.")
        return ""

    def _set(self, replica: Replica, why: str, *, is_told: bool = True) -> None:
        with self._lock:
            was, replica.why = replica.why, why
        if is_told and bool(was) != bool(why):
            self._tell("run.address_out" if why else "run.address_back", {"address": replica.address, "why": why})
