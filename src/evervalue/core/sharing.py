"""Several processes that listen on one address, each on a socket of its own: the system deals connections out evenly.

On one socket together, whoever wakes first takes all that wait, and a server of two processes serves from one.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any


def share(bound: socket.socket) -> None:
    """Lets other sockets of the same user listen on the address of one that is bound and does not listen itself.

    It was bound alone, so that an address which another program has is still refused.
    """
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


class SharingLoop(asyncio.SelectorEventLoop):
    """The event loop of one of the processes: in place of the bound socket that is given it listens on its own."""

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """As of the loop that it extends."""
        if (given := options.get("sock")) is not None:
            options["sock"] = _beside(given)
        return await super().create_server(*args, **options)


def _beside(given: socket.socket) -> socket.socket:
    found = socket.socket(given.family, given.type, given.proto)
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        found.setsockopt(socket.SOL_SOCKET, option, 1)
    found.bind(given.getsockname())
    return found
