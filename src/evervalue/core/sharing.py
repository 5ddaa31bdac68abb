"""Several processes that listen on one address, each on a socket of its own: the system deals connections out evenly.

On one socket together, whoever wakes first takes all that wait, and a server of two processes serves from one.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

CAN_SHARE = sys.platform == "linux"
"""Elsewhere the option is missing, or the newest socket gets all connections."""


def share(bound: socket.socket) -> socket.socket | None:
    """Lets other sockets of the same user listen on the address of one that is bound and does not listen itself.

    It was bound alone, so that an address which another program has is still refused. What is given is a socket to keep
    open beside it: as long as it is, a program that comes later is refused too, also while nobody listens yet. None
    where connections of a server that ended are still on their way out.
    """
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    guard = socket.socket(bound.family, bound.type, bound.proto)
    guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        guard.bind(bound.getsockname())
    except OSError:
        guard.close()
        return None
    return guard


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
