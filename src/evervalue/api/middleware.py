"""What every answer carries: security headers, and a check that the server was asked under one of its own names."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evervalue.api.errors import UnknownHost
from evervalue.api.settings import LOOPBACK

log = logging.getLogger("evervalue.api")

# ECharts draws SVG with style attributes, hence 'unsafe-inline' for styles; scripts are files of ours alone.
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


SIGNS_OF_LIFE = ("/healthz", "/readyz")
"""Asked for by an address that no list of names could know; they tell nothing of the data."""

HSTS = "max-age=31536000"
"""From now on a browser that came by https asks this host by nothing else."""


class SecurityHeaders:
    """Adds the headers that every answer carries."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and completes the answer's headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope.get("scheme") == "https":
                    headers.setdefault("Strict-Transport-Security", HSTS)
            await send(message)

        await self.app(scope, receive, completed)


class Heads:
    """Answers HEAD as GET without the body, of which no more is made than its beginning."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a HEAD request on as GET and keeps the body back."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        answered = asyncio.Event()

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                if answered.is_set():
                    return
                answered.set()
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        async def gone() -> Message:
            await answered.wait()  # an answer that is sent in pieces ends when its client has gone
            return {"type": "http.disconnect"}

        await self.app({**scope, "method": "GET"}, gone, without_body)


class Incidents:
    """Answers what nobody expected in the usual shape and with the usual headers, instead of a bare 500."""

    def __init__(self, app: ASGIApp, answer: Callable[[Request, Exception], Response]) -> None:
        self.app = app
        self.answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and answers for it where it fails."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            if (
                begun
            ):  # half an answer is out: only closing the connection tells the client that it is not whole
                raise
            await self.answer(Request(scope), error)(scope, receive, send)


class KnownHosts:
    """Refuses requests under a foreign name, so that no web page can reach a local server by rebinding its own."""

    def __init__(
        self, app: ASGIApp, answer: Callable[[Request, Exception], Response], allowed: tuple[str, ...] = ()
    ) -> None:
        self.app = app
        self.answer = answer
        self.allowed = frozenset(h.lower() for h in (*LOOPBACK, *allowed))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or refuses it."""
        if scope["type"] != "http" or "*" in self.allowed:
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        if scope["path"] in SIGNS_OF_LIFE or host_name(request.headers.get("host", "")) in self.allowed:
            await self.app(scope, receive, send)
            return
        log.warning("refused a request for a host that is not configured")
        refused = UnknownHost(
            "This server does not answer under that name. Start it with the name among its allowed hosts."
        )
        await self.answer(request, refused)(scope, receive, send)


def host_name(header: str) -> str:
    """The name in a Host header, without its port.

    >>> host_name("localhost:8000"), host_name("[::1]:8000"), host_name("EXAMPLE.org")
    ('localhost', '::1', 'example.org')
    """
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()
