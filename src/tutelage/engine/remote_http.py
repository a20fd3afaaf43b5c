"""The connection to an OpenAI-compatible service: requests with limits and second tries, and errors that say what to do."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tutelage.core.errors import ContextTooLong, InputError, ServiceUnavailable

Json = dict[str, Any]
CONNECT_SECONDS = 10.0
TRIES = 4
BUSY = (408, 425, 429, 500, 502, 503, 504)
LONGEST_WAIT = 30.0
LONGEST_LINE = 1 << 20  # characters of one event
TOO_LONG = ("context_length_exceeded", "context length", "context size", "maximum context", "too long", "exceeds the available context",
            "context holds")


class Refused(Exception):
    """The service answered and refused the request; it will not help to ask again."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Busy(ServiceUnavailable):
    """The service is there and cannot answer this now."""


def is_address(text: str) -> bool:
    """Whether a text is meant as the address of a service."""
    return text.startswith(("http://", "https://"))


def checked_address(address: str, *, has_key: bool) -> str:
    """The address without its last slash. Raises InputError for one that is none, or over which a key would travel unprotected."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{address}: is no address of a service; expected such as http://127.0.0.1:8000/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InputError(f"{parts.scheme}://{parts.hostname}: an address may not hold a name, password, question mark or #, which would be "
                         "written into reports. Give a key by its environment variable.")
    if has_key and parts.scheme == "http" and not is_loopback(parts.hostname):
        raise InputError(f"{address}: a key would go to {parts.hostname} unprotected. Use https, or take the key out of the environment.")
    return address.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Connection:
    """Asks one service, `tries` times where it does not answer. Several threads may ask at once. `timeout` is how long it may be silent,
    in seconds.
    """

    def __init__(self, address: str, *, key: str, timeout: float, wait: float = 0.5, tries: int = TRIES) -> None:
        self.address = checked_address(address, has_key=bool(key))
        host = urlsplit(self.address).hostname or ""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._wait, self._tries = wait, tries
        self._client = httpx2.Client(headers=headers, timeout=httpx2.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
                                     trust_env=not is_loopback(host), follow_redirects=False)

    def get(self, path: str) -> Json:
        """The answer to a GET. Raises Refused, or ServiceUnavailable when nothing usable came after some tries."""
        return self._json(*self._tried("GET", path, None))

    def post(self, path: str, body: Mapping[str, Any]) -> Json:
        """The answer to a POST; raises as `get` does."""
        return self._json(*self._tried("POST", path, body))

    def events(self, path: str, body: Mapping[str, Any]) -> Iterator[Json]:
        """The events of a streamed answer, or one whole answer where the service does not stream. Closing the iterator hangs up.

        Raises as `get` does; only the beginning is tried again, for what was said cannot be taken back.
        """
        for attempt in range(self._tries):
            try:
                with self._client.stream("POST", self.address + path, json=dict(body)) as response:
                    if response.status_code in BUSY and attempt < self._tries - 1:
                        self._pause(attempt, response.headers.get("retry-after"))
                        continue
                    if response.status_code != 200:
                        self._refuse(response.status_code, response.read().decode("utf-8", "replace"))
                    if "text/event-stream" not in response.headers.get("content-type", ""):
                        yield self._json(200, response.read().decode("utf-8", "replace"))
                    else:
                        yield from self._lines(response)
                return
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                if attempt == self._tries - 1:
                    raise self._silent(error) from None
                self._pause(attempt, None)
            except httpx2.TransportError as error:
                raise self._silent(error) from None

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _lines(self, response: httpx2.Response) -> Iterator[Json]:
        for line in response.iter_lines():
            if len(line) > LONGEST_LINE:
                raise ServiceUnavailable(f"{self.address}: sent a line of {len(line):,} characters; this is no such service. "
                                         "Check the address.")
            data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
            if data == "[DONE]":
                return
            if data:
                event = self._json(200, data)
                if "error" in event:
                    self._refuse(500, data)
                yield event

    def _tried(self, method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, str]:
        for attempt in range(self._tries):
            last = attempt == self._tries - 1
            try:
                response = self._client.request(method, self.address + path, json=None if body is None else dict(body))
            except httpx2.TransportError as error:
                if last or isinstance(error, httpx2.ReadTimeout):
                    raise self._silent(error) from None
                self._pause(attempt, None)
                continue
            if response.status_code in BUSY and not last:
                self._pause(attempt, response.headers.get("retry-after"))
                continue
            return response.status_code, response.text
        raise self._silent(None)

    def _json(self, status: int, text: str) -> Json:
        if status != 200:
            self._refuse(status, text)
        try:
            read = json.loads(text)
        except ValueError:
            read = None
        if not isinstance(read, dict):
            raise ServiceUnavailable(f"{self.address}: answered with something that is not JSON ({text[:60]!r}); this is no "
                                     "OpenAI-compatible service. The address usually ends in /v1.")
        return read

    def _refuse(self, status: int, text: str) -> None:
        """Raise the error that an answer other than 200 stands for."""
        said = _message(text)
        if status in (401, 403):
            raise InputError(f"{self.address}: refuses the key ({status}: {said}). Put the right one into the environment variable.")
        if status in BUSY:
            raise Busy(f"{self.address}: cannot answer now ({status}: {said}). Try again when it is free.")
        if status in (400, 413, 422) and any(sign in f"{said} {text}".lower() for sign in TOO_LONG):
            raise ContextTooLong(f"{self.address}: a prompt does not fit its context ({said}).")
        raise Refused(status, said)

    def _silent(self, error: Exception | None) -> ServiceUnavailable:
        why = f"{type(error).__name__}: {error}" if error else "no answer"
        return ServiceUnavailable(f"{self.address}: does not answer ({why}). Start the service, or correct the address.")

    def _pause(self, attempt: int, told: str | None) -> None:
        """Wait before the next try: as long as the service says, else twice as long each time."""
        asked = float(told) if told and told.replace(".", "", 1).isdigit() else self._wait * 2 ** attempt
        time.sleep(min(asked, LONGEST_WAIT))


def _message(text: str) -> str:
    """What an error answer says, at most 300 characters."""
    try:
        read: Any = json.loads(text)
    except ValueError:
        return " ".join(text.split())[:300] or "no reason given"
    error = read.get("error", read) if isinstance(read, dict) else read
    said = error.get("message") or error.get("detail") if isinstance(error, dict) else error
    return " ".join(str(said or text).split())[:300]
