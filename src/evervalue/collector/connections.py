"""Connections of senders, which may be slow, broken or many without harm to the others.

uvicorn's protocol has no limit for how long a request takes to come, nor for how large its head grows, and a connection
that never says anything is kept. How large bodies may be is known where they are read (bodies.py).
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_SECONDS = 10.0
"""How long a head may take: from the connection, or from its first byte on one that is kept open."""
BODY_SECONDS = 60.0
"""How long a body may take, from its head to its end."""
LARGEST_HEAD = 64 * 1024
MOST_CONNECTIONS = 8000
OTHER_FILES = 200
"""Files that may be open beside connections: the log, the keys, readers of both."""


def _said(status: str, more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nconnection: close\r\n{more}content-length: 0\r\n\r\n".encode()


BAD = _said("400 Bad Request")
BUSY = _said("503 Service Unavailable", "retry-after: 1\r\n")
LATE = _said("408 Request Timeout")
LARGE = _said("431 Request Header Fields Too Large")


class Connection(HttpToolsProtocol):
    """One connection. A request that comes too slowly, or a head that grows too large, ends it."""

    most = MOST_CONNECTIONS
    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._in_head = True
        self._head_bytes = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, if there is room for it."""
        super().connection_made(transport)
        self.transport = Together(transport, self.loop)  # type: ignore[assignment]
        if len(self.connections) > self.most:
            self._end(BUSY)
        else:
            self._late = self.loop.call_later(self.head_seconds, self._end, LATE)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Whether to keep the connection: a sender that has said all may still wait for its answer."""
        if not self._owes() or self.cycle.more_body:
            return None
        self.cycle.keep_alive = False
        return True

    def send_400_response(self, msg: str) -> None:
        """End the connection: what came is no HTTP."""
        self._end(BAD)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: there is nothing here to upgrade to, and the request is answered as it is."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._punctual()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and see whether a head is still under way."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                self._end(LARGE)
            elif self._late is None:
                self._late = self.loop.call_later(self.head_seconds, self._end, LATE)
        elif self.cycle.more_body and not self.cycle.response_complete:
            if self._late is None:
                self._late = self.loop.call_later(self.body_seconds, self._end, LATE)
        elif self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # The rest of a body that was answered before its end, or stray bytes: uvicorn would wait for ever.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_head = False
        self._punctual()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there."""
        self._punctual()
        super().on_message_complete()

    def _punctual(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _owes(self) -> bool:
        """Whether the newest request, and so perhaps older ones, has no answer yet."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _end(self, says: bytes) -> None:
        """Say it and close, but only once requests before it have their answers, for answers come in order."""
        if self.transport.is_closing():
            return
        if self._owes() and not self.cycle.more_body:
            self.cycle.keep_alive = False
            return
        if not self.pipeline:
            self.transport.write(says)
        self.transport.close()


class Together:
    """A transport that writes head and body of an answer at once, and nothing once it closes, where uvloop's raises."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Write before the loop waits again."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """Write what waits, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))


def connections() -> type[Connection]:
    """The class of connections, as many of which are taken as this process may have files open."""
    return type("Connection", (Connection,), {"most": min(MOST_CONNECTIONS, _files() - OTHER_FILES)})


def _files() -> int:
    """How many files this process may open, once it has asked for as many as it needs."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MOST_CONNECTIONS + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else soft
