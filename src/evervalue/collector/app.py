"""The event endpoint as a bare ASGI application: the Segment tracking API, answered once events are on disk.

2xx is said only after the commit. Who sends too much is told 429, who finds the disk full or broken 503, each with
Retry-After: the SDKs keep what they have and come again. What cannot be taken is stored in quarantine and named in the
answer; a batch of which some events are good is a success that lists the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from time import monotonic, perf_counter
from typing import Any, Protocol

import orjson

from evervalue.collector.acknowledging import Acknowledging, Outcome
from evervalue.collector.bodies import Bodies, NotRead
from evervalue.collector.canary import Door
from evervalue.collector.keys import Keys
from evervalue.collector.messages import Refusal
from evervalue.collector.metrics import CONTENT, Meters, Watched, rendered
from evervalue.collector.records import Delivery, Log
from evervalue.collector.remembered import Remembered
from evervalue.collector.requests import (
    ROUTES,
    Judged,
    TooLarge,
    Unreadable,
    basic_key,
    body_key,
    decoded,
    judge,
    parsed,
)
from evervalue.collector.writer import Writer
from evervalue.core.clock import Clock
from evervalue.core.errors import StorageError
from evervalue.core.logs import fault, tell

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

LOG = logging.getLogger("evervalue.collector")
JSON = (b"content-type", b"application/json")
RETRY = (b"retry-after", b"1")
LONGEST_WAIT_SECONDS = 20.0
"""How long a request waits for the disk before its sender is told to come again."""
PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-max-age", b"86400"),
)


class Watching(Protocol):
    """Who watches over a collector."""

    def stop(self) -> None:
        """Watch no more."""

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether all is well, and what there is to say of it."""

    def watched(self) -> Watched:
        """What there is to tell Prometheus."""


class Collector:
    """The application.

    Parameters
    ----------
    open_log
        Opens the event log, once for each thread that uses it.
    keys
        Who may write.
    clock
        Tells when an event came.
    """

    def __init__(self, open_log: Callable[[], Log], keys: Keys, clock: Clock) -> None:
        self.keys: Door = keys
        self.clock = clock
        self.open_log = open_log
        self.bodies = Bodies()
        self.remembered = Remembered()
        self.acknowledging: Acknowledging | None = None
        self.meters = Meters()
        self.writer = Writer(open_log, self.meters.committed)
        self.watch: Watching | None = None
        """Looks after it while it runs; None in tests that do without."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; or begin and end with the server."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            headers = dict(scope["headers"])
            begun = perf_counter()
            try:
                status, body, more = await self._answer(scope, headers, receive)
            except (StorageError, asyncio.CancelledError):  # cancelled: the server ends, and waits no longer
                status, body, more = (
                    503,
                    _fault("log", "The log cannot be used just now; come again."),
                    (RETRY,),
                )
            except (
                Exception
            ) as error:  # a fault of ours: told here, where what was sent cannot get into the line
                tell(LOG, logging.ERROR, "fault", fault=fault(error))
                status, body, more = 500, _fault("fault", "The collector failed; come again."), (RETRY,)
            self.meters.answers[status] += 1
            await _send(send, status, body, (*more, *_origin(headers)))
            if scope["method"] == "POST":
                self.meters.requests.observe(perf_counter() - begun)

    def close(self) -> None:
        """Write what waits and let the log go."""
        # Here: a server that is told to end by a signal ends by it, and nothing comes after.
        if self.watch is not None:
            self.watch.stop()
        self.writer.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await asyncio.to_thread(self.close)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive
    ) -> tuple[int, Any, tuple[tuple[bytes, bytes], ...]]:
        method, path = scope["method"], scope["path"].rstrip("/")
        if path in ROUTES:
            if method == "OPTIONS":
                return 204, None, _preflight(headers)
            if method != "POST":
                return 405, _fault("method", "Events are sent with POST."), ((b"allow", b"POST, OPTIONS"),)
            return await self._take(ROUTES[path], headers, receive)
        if path == "/metrics":
            return 200, await asyncio.to_thread(self._metrics), ((b"content-type", CONTENT),)
        if path == "/healthz":
            return 200, {"status": "ok"}, ()
        if path == "/readyz":
            ready, says = self.watch.ready() if self.watch else (True, {})
            return (200 if ready else 503), {"status": "ok" if ready else "failing", **says}, ()
        if path.startswith("/v1/projects/") and path.endswith("/settings"):
            proxied = headers.get(b"x-forwarded-proto")
            scheme = proxied.decode() if proxied in (b"http", b"https") else scope["scheme"]
            return self._settings(path.split("/")[3], scheme, headers)
        return (
            404,
            _fault("path", f"There is nothing at {path}; events are sent to /v1/batch, /v1/track ..."),
            (),
        )

    async def _take(
        self, type: str | None, headers: Mapping[bytes, bytes], receive: Receive
    ) -> tuple[int, Any, tuple[tuple[bytes, bytes], ...]]:
        received_us = int(self.clock.now().timestamp() * 1_000_000)
        unreadable: Unreadable | None = None
        value: Any = None
        try:
            raw = await self.bodies.read(receive)
            try:
                body = decoded(raw, headers.get(b"content-encoding", b"").decode("latin-1").strip().lower())
                value = parsed(body)
            except Unreadable as error:
                unreadable = error
        except TooLarge as error:
            return 413, _fault("too_large", str(error)), ()
        except NotRead as error:
            return error.status, _fault(error.code, str(error)), (RETRY,) if error.again else ()
        source = self._source(headers.get(b"authorization", b""), value)
        if source is None:
            says = "The write key is not known, or was revoked."
            if b"authorization" not in headers and body_key(value) is None:
                says = "No write key came: send it as the user name of Basic authorization."
            return 401, _fault("write_key", says), ((b"www-authenticate", b'Basic realm="evervalue"'),)
        try:
            if unreadable is not None:
                raise unreadable
            judged = judge(value, type, received_us)
        except Unreadable as error:
            says = str(error)
            judged = Judged(
                refused=[Refusal("unreadable", says, raw)], errors=_fault("unreadable", says)["errors"]
            )
        if judged.refused:
            self.meters.refuse(source, judged.refused)
        return await self._store(Delivery(source, received_us, judged.taken, judged.refused), judged)

    def _source(self, header: bytes, value: Any) -> str | None:
        """Whose events they are: the key stands in the header, or else in the body."""
        now = monotonic()
        source = self.remembered.known(header, now) if header else None
        if source is None:
            key = basic_key(header.decode("latin-1"))
            found = key or body_key(value)
            source = self.keys.source_of(found) if found else None
            if key and source is not None:
                self.remembered.let_in(header, source, now)
        return source

    async def _store(
        self, delivery: Delivery, judged: Judged
    ) -> tuple[int, Any, tuple[tuple[bytes, bytes], ...]]:
        loop = asyncio.get_running_loop()
        if self.acknowledging is None or self.acknowledging.loop is not loop:
            self.acknowledging = Acknowledging(loop)
        written, done = self.acknowledging.expect()
        if not self.writer.put(delivery, done):
            return 429, _fault("busy", "More came than can be written just now; come again."), (RETRY,)
        late = loop.call_later(LONGEST_WAIT_SECONDS, _give_up, written)
        try:
            failed = await written
        finally:
            late.cancel()
        if failed is LATE:
            return (
                503,
                _fault("slow_disk", "The event log is slow; come again, nothing is stored twice."),
                (RETRY,),
            )
        if failed is not None:
            return 503, _fault("log", "The event log cannot be written just now; come again."), (RETRY,)
        if judged.errors and not judged.taken:
            return 400, {"success": False, "errors": judged.errors}, ()
        return 200, {"success": True, **({"errors": judged.errors} if judged.errors else {})}, ()

    def _metrics(self) -> bytes:
        try:
            log = self.open_log()
            try:
                tallies = log.tallies()
            finally:
                log.close()
        except StorageError:  # what is counted here is told all the same
            tallies = None
        watched = self.watch.watched() if self.watch else None
        return rendered(self.meters, tallies, self.writer.waiting, watched)

    def _settings(
        self, key: str, scheme: str, headers: Mapping[bytes, bytes]
    ) -> tuple[int, Any, tuple[tuple[bytes, bytes], ...]]:
        """What the browser bundle asks for before it sends: no integrations but ours, at the address it asked."""
        if self.keys.source_of(key) is None:
            return 404, _fault("write_key", "The write key is not known, or was revoked."), ()
        host = headers.get(b"host", b"").decode("latin-1")
        settings = {
            "integrations": {"Segment.io": {"apiKey": key, "apiHost": f"{host}/v1", "protocol": scheme}},
            "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
            "edgeFunction": {}, "analyticsNextEnabled": True, "middlewareSettings": {}, "enabledMiddleware": {},
            "metrics": {"sampleRate": 0}, "legacyVideoPluginsEnabled": False, "remotePlugins": [],
        }  # fmt: skip
        return 200, settings, ()


LATE = StorageError("The event log is slow.")


def _give_up(written: Outcome) -> None:
    if not written.done():
        written.set_result(LATE)


def _fault(code: str, says: str) -> dict[str, Any]:
    return {"success": False, "errors": [{"index": None, "messageId": None, "code": code, "message": says}]}


def _origin(headers: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Any site may send: the write key says whose events they are, and no cookie is read.

    Credentials are let through because `sendBeacon` cannot leave them out.
    """
    origin = headers.get(b"origin")
    return (
        (
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", b"retry-after"),
            (b"vary", b"Origin, Access-Control-Request-Headers"),
        )
        if origin
        else ()
    )


def _preflight(headers: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """What a page may send: whatever header it asks for, as SDKs add their own."""
    asked = headers.get(b"access-control-request-headers", b"authorization, content-type, content-encoding")
    return (*PREFLIGHT, (b"access-control-allow-headers", asked))


async def _send(send: Send, status: int, value: Any, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    body = b"" if value is None else value if isinstance(value, bytes) else orjson.dumps(value)
    kind = (JSON,) if body and not isinstance(value, bytes) else ()
    start = [(b"content-length", str(len(body)).encode()), *kind, *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
