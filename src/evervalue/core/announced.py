"""A server that says when it answers."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn


class Announced(uvicorn.Server):
    """Calls `ready` once requests are answered."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to answer, then says so."""
        await super().startup(sockets)
        if self.started:
            self._ready()
