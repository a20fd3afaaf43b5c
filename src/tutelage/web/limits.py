"""How much each key may still ask: requests and tokens a minute, and requests at the same time; told as OpenAI's API tells it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tutelage.desk.records import Key

Clock = Callable[[], float]
MINUTE = 60.0
PARALLEL_SECONDS = 1  # when a key's own answers end is not known; a short wait is told


class Bucket:
    """Holds up to `per_minute`, full at first, and fills evenly. What is taken may leave it in debt; then it waits."""

    def __init__(self, per_minute: int, at: float) -> None:
        self.per_minute = per_minute
        self._level = float(per_minute)
        self._at = at

    def take(self, amount: int, at: float) -> None:
        """Take some, whether it is there or not."""
        self._level = self.level(at) - amount
        self._at = at

    def level(self, at: float) -> float:
        """What is in it now; below 0 is debt."""
        return min(float(self.per_minute), self._level + (at - self._at) * self.per_minute / MINUTE)

    def seconds_until(self, wanted: float, at: float) -> float:
        """How long until it holds `wanted`; 0 if it does."""
        return max(0.0, (wanted - self.level(at)) * MINUTE / self.per_minute)


@dataclass(frozen=True)
class Refusal:
    """Why a request is not taken: `kind` names the limit as OpenAI's errors do, `seconds` is when to come again."""

    message: str
    kind: str
    seconds: int


@dataclass
class Use:
    """What one key has left, and how many of its requests are being answered."""

    buckets: dict[str, Bucket]
    inside: int = 0


class Allowances:
    """Counts what each key asks. A request counts when it comes, its tokens when they are made: a key in debt waits.

    Only the number of requests at the same time is exact at any moment; one answer may overdraw the tokens of a minute, which the
    next minutes pay back.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._uses: dict[str, Use] = {}
        self._lock = threading.Lock()

    def enter(self, key: Key) -> Refusal | None:
        """Count a request that begins, or say which limit it meets and when to come again."""
        with self._lock:
            use, now = self._use(key), self._clock()
            if key.limits.parallel is not None and use.inside >= key.limits.parallel:
                return Refusal(f"The key {key.label!r} has {use.inside} requests under way; its limit is {key.limits.parallel} at the same "
                                "time. Wait for one to end.", "requests", PARALLEL_SECONDS)
            for what, bucket in use.buckets.items():
                wait = bucket.seconds_until(1, now)
                if wait > 0:
                    seconds = math.ceil(wait)
                    return Refusal(f"The key {key.label!r} has used up its {bucket.per_minute} {what} a minute. Try again in {seconds} s.",
                                    what, seconds)
            if "requests" in use.buckets:
                use.buckets["requests"].take(1, now)
            use.inside += 1
            return None

    def leave(self, key: Key) -> None:
        """Count a request that ended."""
        with self._lock:
            self._use(key).inside -= 1

    def spend(self, key: Key, tokens: int) -> None:
        """Count the tokens of an answer, its prompt included."""
        with self._lock:
            use = self._use(key)
            if "tokens" in use.buckets:
                use.buckets["tokens"].take(tokens, self._clock())

    def headers(self, key: Key) -> dict[str, str]:
        """Limit, rest and time until all is there again, for each limit that the key has."""
        with self._lock:
            found, now = {}, self._clock()
            for what, bucket in self._use(key).buckets.items():
                found[f"x-ratelimit-limit-{what}"] = str(bucket.per_minute)
                found[f"x-ratelimit-remaining-{what}"] = str(max(0, math.floor(bucket.level(now))))
                found[f"x-ratelimit-reset-{what}"] = f"{bucket.seconds_until(bucket.per_minute, now):.3f}s"
            return found

    def _use(self, key: Key) -> Use:
        """What the key of this label used; its buckets are new where its limits are."""
        use = self._uses.setdefault(key.label, Use({}))
        limits = {"requests": key.limits.requests_per_minute, "tokens": key.limits.tokens_per_minute}
        for what, limit in limits.items():
            if limit is None:
                use.buckets.pop(what, None)
            elif what not in use.buckets or use.buckets[what].per_minute != limit:
                use.buckets[what] = Bucket(limit, self._clock())
        return use


@dataclass(frozen=True)
class Spending:
    """Where the answers of one request are counted; for a person nothing is. The guard leaves it in the request's state."""

    allowances: Allowances
    key: Key | None

    def spend(self, tokens: int) -> None:
        """Count the tokens of an answer, its prompt included."""
        if self.key:
            self.allowances.spend(self.key, tokens)
