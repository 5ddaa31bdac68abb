"""The one place that decides who may ask what: pages, parts of pages, the API and exports alike.

Every request is matched with its route, whose mark (`access.needs`) says which right it takes. What changes something
and has no mark is refused to everybody, so that a route that was forgotten is shut and not open. A change that comes
by a session must carry its token (`csrf`), and no browser may send one from the page of another site.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol
from urllib.parse import parse_qsl

from fastapi.routing import iter_route_contexts
from starlette._utils import get_route_path
from starlette.datastructures import FormData, Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evervalue.api.access import ANYBODY, MARK
from evervalue.api.errors import Forbidden, TooLarge
from evervalue.core.addresses import split
from evervalue.governance.roles import LOCAL, Right, Who

log = logging.getLogger("evervalue.security")

SAFE = frozenset({"GET", "HEAD"})
FORM = "application/x-www-form-urlencoded"
FORM_BYTES = 1_000_000
FIELD = "csrf"
STREAMS = "/v1/live/"
"""Where answers go on for as long as somebody listens."""
LOOK_SECONDS = 20.0
"""How often it is looked whether who listens to a stream is still let in."""
FILES = frozenset({"csv", "xlsx"})
ErrorAnswer = Callable[[Request, Exception], Response]


class Leaf:
    """A route with an endpoint, as the guard looks at it."""

    def __init__(self, path: str, regex: Any, methods: frozenset[str] | None, endpoint: Any) -> None:
        self.path = path
        self.fits = regex.match
        self.methods = methods
        self.mark: str | None = getattr(endpoint, "__dict__", {}).get(MARK)
        self.endpoint = endpoint

    def needs(self, method: str) -> str | None:
        """The right that it takes, ANYBODY, or None where it takes changes from nobody."""
        return self.mark or (Right.READ if method in SAFE else None)


def leaves(routes: Iterable[BaseRoute]) -> list[Leaf]:
    """Every route of an application, those of its routers included, in the order in which they are tried."""
    found = []
    for context in iter_route_contexts(list(routes)):
        if context.endpoint is None or context.path is None:
            continue
        methods = frozenset(context.methods) if context.methods else None
        found.append(Leaf(context.path, context.path_regex, methods, context.endpoint))
    return found


class Door(Protocol):
    """Knows who is who. Where there is none, everybody is the local admin."""

    async def enter(self, asked: Asked) -> Response | None:
        """An answer instead of the route's, or None once `asked` says who asks.

        Raises
        ------
        EvervalueError
            Nobody is let in so.
        """
        ...

    def still(self, asked: Asked) -> bool:
        """Whether who was let in would be let in now; asked while a stream goes on."""
        ...


class Asked:
    """One request on its way in."""

    def __init__(self, scope: Scope, leaf: Leaf | None) -> None:
        self.scope = scope
        self.request = Request(scope)
        self.headers: Headers = self.request.headers
        self.leaf = leaf
        self.method: str = scope["method"]
        self.is_safe = self.method in SAFE
        self.form: FormData | None = None

    def lets_in(self, who: Who, **more: object) -> None:
        """Notes who asks, for the route and its page."""
        self.scope.setdefault("state", {}).update(who=who, **more)

    def rights(self) -> tuple[str, ...] | None:
        """Every right that it takes: (ANYBODY,) where nobody need sign in, None where nobody may."""
        right = self.leaf.needs(self.method) if self.leaf else Right.READ
        if right is None:
            return None
        if right == ANYBODY:
            return (right,)
        # whoever changes something is shown what it is among, so that reading belongs to every right
        more = (Right.EXPORT,) if self._takes_file() else ()
        return tuple(dict.fromkeys((Right.READ, right, *more)))

    def _takes_file(self) -> bool:
        query: bytes = self.scope["query_string"]
        if b"format" not in query and b"%" not in query:
            return False
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        return any(name == "format" and value.strip().lower() in FILES for name, value in pairs)


class Guard:
    """Lets a request through to its route, or answers for it."""

    def __init__(self, app: ASGIApp, answer: ErrorAnswer, door: Door | None = None) -> None:
        self.app = app
        self.answer = answer
        self.door = door
        self._leaves: list[Leaf] = []
        self._known = -1
        self.look_seconds = LOOK_SECONDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on where whoever asks may ask it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no route of ours speaks WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return
        asked = Asked(scope, self._leaf(scope))
        try:
            if not asked.is_safe and asked.leaf is not None:
                receive = await self._read(asked, receive)
            if asked.leaf is not None and asked.rights() is None:
                log.error("%s %s has no mark that says which right it needs", asked.method, asked.leaf.path)
                raise Forbidden("This address takes no changes.")
            if not asked.is_safe:
                from_here(asked.request)
            if self.door is None:
                asked.lets_in(LOCAL)
            elif (instead := await self.door.enter(asked)) is not None:
                await instead(scope, receive, send)
                return
        except Exception as error:
            await self.answer(asked.request, error)(scope, receive, send)
            return
        if self.door is not None and asked.leaf is not None and asked.leaf.path.startswith(STREAMS):
            await self._stream(self.door, asked, receive, send)
            return
        await self.app(scope, receive, send)

    async def _stream(self, door: Door, asked: Asked, receive: Receive, send: Send) -> None:
        """An answer that goes on for hours ends soon after the session by which it was asked for."""
        begun = asyncio.Event()

        async def watched(message: Message) -> None:
            begun.set()
            await send(message)

        task = asyncio.ensure_future(self.app(asked.scope, receive, watched))
        try:
            while not (await asyncio.wait({task}, timeout=self.look_seconds))[0]:
                if not door.still(asked):
                    task.cancel()
                    await asyncio.wait({task})
                    if begun.is_set():
                        await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
            await task
        finally:
            task.cancel()

    def _leaf(self, scope: Scope) -> Leaf | None:
        """The route that will answer: the first whose path and method fit."""
        routes = scope["app"].router.routes
        if len(routes) != self._known:
            self._leaves, self._known = leaves(routes), len(routes)
        path, method = get_route_path(scope), scope["method"]
        for leaf in self._leaves:
            if (leaf.methods is None or method in leaf.methods) and leaf.fits(path):
                return leaf
        return None

    async def _read(self, asked: Asked, receive: Receive) -> Receive:
        """Reads a form, and gives the route a way to read it once more."""
        if asked.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            return receive
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > FORM_BYTES:
                raise TooLarge(f"A form may have {FORM_BYTES:,} bytes.")
        text = body.decode("utf-8", "replace")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=10_000)
        except ValueError:
            raise TooLarge("A form may have 10,000 fields.") from None
        asked.form = FormData([*pairs])
        asked.scope.setdefault("state", {})["form"] = FormData(
            [(name, value) for name, value in pairs if name != FIELD]
        )
        return _once(bytes(body), receive)


def from_here(request: Request) -> None:
    """Passes where a browser says that a page of this very server sends the change, or where no browser says anything.

    Raises
    ------
    Forbidden
        It comes from another site.
    """
    headers = request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:  # where a browser says it itself, no proxy that gives hosts other names matters
        is_ours = site in ("same-origin", "none")
    else:
        is_ours = origin is None or split(origin).netloc.lower() == headers.get("host", "").lower()
    if not is_ours:
        raise Forbidden("A page of another site may change nothing here.")


def _once(body: bytes, receive: Receive) -> Receive:
    is_given = False

    def given() -> Awaitable[Message]:
        nonlocal is_given
        if is_given:
            return receive()
        is_given = True
        return _message(body)

    return given


async def _message(body: bytes) -> Message:
    return {"type": "http.request", "body": body, "more_body": False}
