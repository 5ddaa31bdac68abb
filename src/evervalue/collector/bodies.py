"""Bodies of requests as they come in: bounded in size, and together in memory.

For how long one is waited for, its connection knows (connections.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from evervalue.collector.messages import LARGEST_BATCH

MOST_HELD = 64 * 1024 * 1024
"""Bytes of bodies that are not complete yet, all connections together."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class NotRead(Exception):
    """A body that is not waited for any longer.

    Parameters
    ----------
    status, code
        What is answered.
    again
        Whether the same may succeed later.
    """

    def __init__(self, status: int, code: str, says: str, *, again: bool = False) -> None:
        super().__init__(says)
        self.status = status
        self.code = code
        self.again = again


class Bodies:
    """Reads bodies.

    Parameters
    ----------
    most_held
        A limit other than the usual one, in tests.
    """

    def __init__(self, most_held: int = MOST_HELD) -> None:
        self.most_held = most_held
        self.held = 0

    async def read(self, receive: Receive) -> bytes:
        """The whole body of one request.

        Raises
        ------
        NotRead
            It is too large (413), its sender is gone (400), or too much is under way (429).
        """
        parts: list[bytes] = []
        size = held = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise NotRead(400, "broken_off", "The request broke off.")
                part = message.get("body", b"")
                size += len(part)
                if size > LARGEST_BATCH:
                    says = f"A request may have at most {LARGEST_BATCH // 1024} KB."
                    raise NotRead(413, "too_large", says)
                if not message.get("more_body", False):
                    return b"".join((*parts, part)) if parts else part
                parts.append(part)
                held += len(part)
                self.held += len(part)
                if self.held > self.most_held:
                    says = "More bodies are under way than fit into memory; come again."
                    raise NotRead(429, "busy", says, again=True)
        finally:
            self.held -= held
