"""Runs the web application: one process or several, on an address that was checked before anything starts."""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.supervisors import Multiprocess

from evervalue.api.cells import to_json
from evervalue.api.errors import MEDIA_TYPE, Problem
from evervalue.api.live import OpenLog
from evervalue.api.middleware import HEADERS
from evervalue.api.settings import ServerSettings
from evervalue.core.announced import Announced
from evervalue.core.clock import SystemClock
from evervalue.core.errors import SettingsError
from evervalue.core.listening import listen, own_names, shown_address
from evervalue.core.sharing import CAN_SHARE, share
from evervalue.dashboard.app import create_app
from evervalue.dashboard.view import bare
from evervalue.governance.people import People
from evervalue.governance.settings import Access, is_loopback

STARTUP_SECONDS = 60
LINE_BYTES = 8192
STREAMS = "/v1/live/"
"""Where answers go on for as long as somebody listens."""
UNREADABLE = Problem(
    400,
    "unreadable-request",
    "The request cannot be read",
    "It names no host (HTTP/1.1 wants a Host header), is not HTTP, or is too long.",
)


class _Protocol(H11Protocol):
    """HTTP, where a request that cannot be read (one that names no host, say) is told so in our own shape."""

    _first_line = b""

    def data_received(self, data: bytes) -> None:
        """Keeps the line that says what is asked for, then reads on."""
        self._first_line = data[:LINE_BYTES].partition(b"\r\n")[0]
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """The problem for a program, a small page for a reader."""
        cycle = self.cycle  # None before the first request, whatever its type says
        begun = bool(cycle) and cycle.response_started and not cycle.response_complete
        if not begun:
            self.transport.write(_unreadable(self._first_line))
        self.transport.close()

    def shutdown(self) -> None:
        """Ends a stream, which has no end of its own; every other answer is finished first."""
        cycle = self.cycle  # None before the first request, whatever its type says
        if bool(cycle) and not cycle.response_complete and str(self.scope["path"]).startswith(STREAMS):
            self.transport.close()
        super().shutdown()


def _unreadable(first_line: bytes) -> bytes:
    path = [*first_line.decode("ascii", "replace").split(" "), ""][1].partition("?")[0]
    if path.startswith("/v1"):
        kind, text = MEDIA_TYPE, to_json(UNREADABLE.body(path))
    else:
        kind, text = "text/html; charset=utf-8", bare(UNREADABLE).encode()
    headers = {
        **HEADERS,
        "Content-Type": kind,
        "Content-Length": str(len(text)),
        "Cache-Control": "no-store",
        "Connection": "close",
    }
    lines = ["HTTP/1.1 400 Bad Request", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + text


class _AnnouncedMany(Multiprocess):
    """Several server processes; says when the first of them answers."""

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], ready: Callable[[], None]
    ) -> None:
        super().__init__(config, sockets)
        self._ready = ready

    def init_processes(self) -> None:
        """Starts the processes, then says so."""
        super().init_processes()
        if self.processes[0].wait_until_ready(STARTUP_SECONDS, self.should_exit):
            self._ready()


def serve(
    data_dir: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    ready: Callable[[str], None] | None = None,
    allowed_hosts: tuple[str, ...] = (),
    open_log: OpenLog | None = None,
    access: Access | None = None,
) -> None:
    """Serves dashboard and API until it is stopped.

    Parameters
    ----------
    data_dir
        The project's data directory.
    host, port
        Where to listen; port 0 takes a free one. The default is reached from this machine alone.
    workers
        Number of processes.
    ready
        Told the address when the server answers.
    allowed_hosts
        Further names under which the server may be asked for.
    open_log
        As for `create_app`; with several processes it is sent to each of them.
    access
        How people are let in; without it the door is open, which this machine's own address alone may have.

    Raises
    ------
    AddressTaken
        The address cannot be listened on.
    SettingsError
        The door would be open to other machines.
    """
    if access is None and (allowed_hosts or not is_loopback(host)):
        raise SettingsError(f"Nobody would have to sign in, and other machines reach {host}: give an access.")
    if access is not None:
        People(data_dir, SystemClock(), access).begin()
    listening = listen(host, port)
    found = int(listening.getsockname()[1])
    is_shared = workers > 1 and CAN_SHARE
    settings = ServerSettings(
        allowed_hosts=(*own_names(host), *allowed_hosts),
        threads=max(1, min(ServerSettings.threads, (os.cpu_count() or 1) // workers)),
    )
    config = uvicorn.Config(
        functools.partial(create_app, data_dir, settings, open_log=open_log, access=access),
        factory=True,
        http=_Protocol,
        loop="evervalue.core.sharing:SharingLoop" if is_shared else "asyncio",
        host=host,
        port=found,
        workers=workers,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    announce = functools.partial(ready or (lambda _: None), shown_address(host, found))
    guard = share(listening) if is_shared else None
    try:
        with suppress(KeyboardInterrupt):
            if workers > 1:
                _AnnouncedMany(config, [listening], announce).run()
            else:
                Announced(config, announce).run(sockets=[listening])
    finally:
        listening.close()
        if guard is not None:
            guard.close()
