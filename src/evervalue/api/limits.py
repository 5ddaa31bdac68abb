"""How much one client may ask: tokens for each address, each key or session, and apart for files and signing in.

A bucket holds `burst` tokens and fills by `per_second`; a request takes one, and where none is left it is answered with
429, `Retry-After` and the `RateLimit` headers of draft-ietf-httpapi-ratelimit-headers-10. Buckets are in the memory of
one process, so a server of N processes allows up to N times as much. Whoever asks from this machine without a proxy
between is not limited.
"""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evervalue.api.proxy import is_loopback
from evervalue.core.errors import EvervalueError

MOST_BUCKETS = 20_000
"""Those that were not asked for longest are forgotten, which gives nobody less."""
WRONG_KEY_TOKENS = 10.0
"""What an answer of 401 takes besides from the address, so that keys cannot be guessed by trying."""
SESSION = b"evervalue-session"
"""How the cookie of a session begins; its value is new at each sign-in."""


class TooManyRequests(EvervalueError):
    """A client asked for more than it may."""

    def __init__(self, says: str, headers: dict[str, str]) -> None:
        super().__init__(says)
        self.headers = headers


@dataclass(frozen=True)
class Rate:
    """How much of one kind."""

    name: str
    per_second: float
    burst: float

    def policy(self) -> str:
        """As RateLimit-Policy says it: the tokens of a full bucket, and the seconds in which it fills."""
        return f'"{self.name}";q={self.burst:.0f};w={math.ceil(self.burst / self.per_second)}'


@dataclass(frozen=True)
class Limits:
    """All of them. Generous: who reads pages, however fast, or takes a whole list by its cursor meets none."""

    address: Rate = Rate("address", per_second=100, burst=3000)
    """Of one address; a whole office may be behind it."""
    client: Rate = Rate("client", per_second=30, burst=900)
    """Of one API key or session."""
    files: Rate = Rate("files", per_second=0.5, burst=30)
    """CSV and XLSX."""
    sign_in: Rate = Rate("sign-in", per_second=0.2, burst=15)
    """Attempts to sign in, of one address."""


@dataclass
class Bucket:
    """What one client has left of one kind."""

    rate: Rate
    tokens: float
    at: float

    def fill(self, now: float) -> None:
        """Adds what came since it was looked at."""
        self.tokens = min(self.rate.burst, self.tokens + (now - self.at) * self.rate.per_second)
        self.at = now

    def wait(self) -> int:
        """Seconds until there is a token again."""
        return max(1, math.ceil((1 - self.tokens) / self.rate.per_second))


@dataclass
class Buckets:
    """The buckets of one process."""

    now: Callable[[], float] = time.monotonic
    held: OrderedDict[tuple[str, object], Bucket] = field(default_factory=OrderedDict)

    def of(self, rate: Rate, who: object) -> Bucket:
        """A client's bucket, filled up to now."""
        place, now = (rate.name, who), self.now()
        bucket = self.held.get(place)
        if bucket is None:
            bucket = self.held[place] = Bucket(rate, rate.burst, now)
            if len(self.held) > MOST_BUCKETS:
                self.held.popitem(last=False)
        else:
            bucket.fill(now)
            self.held.move_to_end(place)
        return bucket


class Limited:
    """Turns requests away that are too many."""

    def __init__(
        self,
        app: ASGIApp,
        answer: Callable[[Request, Exception], Response],
        limits: Limits | None,
        turned_away: Counter[str],
        buckets: Buckets | None = None,
    ) -> None:
        self.app = app
        self.answer = answer
        self.limits = limits
        self.turned_away = turned_away
        self.buckets = buckets or Buckets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on where its client has tokens left."""
        limits, client = self.limits, scope.get("client")
        if limits is None or scope["type"] != "http" or client is None or _is_local(scope, client[0]):
            await self.app(scope, receive, send)
            return
        address = self.buckets.of(limits.address, _network(client[0]))
        asked = [address, *self._others(limits, scope, client[0])]
        empty = [bucket for bucket in asked if bucket.tokens < 1]
        if empty:
            most = max(empty, key=Bucket.wait)
            self.turned_away[most.rate.name] += 1
            await self.answer(Request(scope), _refusal(most))(scope, receive, send)
            return
        for bucket in asked:
            bucket.tokens -= 1
        least = min(asked, key=lambda bucket: bucket.tokens / bucket.rate.burst)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] == 401:
                    address.tokens -= WRONG_KEY_TOKENS
                MutableHeaders(scope=message)["RateLimit"] = _left(least)
            await send(message)

        await self.app(scope, receive, told)

    def _others(self, limits: Limits, scope: Scope, address: str) -> list[Bucket]:
        if scope["method"] == "POST" and scope["path"] == "/signin":
            return [self.buckets.of(limits.sign_in, _network(address))]
        who = _credential(scope)
        found = [self.buckets.of(limits.client, who)] if who is not None else []
        query: bytes = scope["query_string"]
        if b"format=csv" in query or b"format=xlsx" in query:
            found.append(self.buckets.of(limits.files, who if who is not None else _network(address)))
        return found


def _refusal(bucket: Bucket) -> TooManyRequests:
    wait = bucket.wait()
    says = {
        "files": "Too many files were taken in a short time.",
        "sign-in": "Too many attempts to sign in came from this address.",
    }.get(bucket.rate.name, "Too many requests came in a short time.")
    headers = {"Retry-After": str(wait), "RateLimit-Policy": bucket.rate.policy(), "RateLimit": _left(bucket)}
    return TooManyRequests(f"{says} Ask again in {wait} {'second' if wait == 1 else 'seconds'}.", headers)


def _left(bucket: Bucket) -> str:
    missing = bucket.rate.burst - bucket.tokens
    return (
        f'"{bucket.rate.name}";r={max(0, int(bucket.tokens))};t={math.ceil(missing / bucket.rate.per_second)}'
    )


def _credential(scope: Scope) -> object:
    """What tells one client of an address from another, without being kept itself; None where nothing is sent."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            return hash(value)
        if name == b"cookie":
            _, found, rest = value.partition(SESSION)
            if found:
                return hash(rest.partition(b";")[0])
    return None


def _network(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: one household or one machine.

    >>> _network("203.0.113.9"), _network("2001:db8:1:2:3:4:5:6")
    ('203.0.113.9', '2001:db8:1:2')
    """
    if ":" not in address or address.count(".") == 3:
        return address
    head, _, tail = address.partition("::")
    parts = head.split(":") if head else []
    behind = tail.split(":") if tail else []
    whole = [*parts, *["0"] * (8 - len(parts) - len(behind)), *behind] if "::" in address else parts
    return ":".join(whole[:4])


def _is_local(scope: Scope, host: str) -> bool:
    return is_loopback(host) and not (scope.get("state") or {}).get("by_proxy")
