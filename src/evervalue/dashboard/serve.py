"""Runs the web application: one process or several, on an address that was checked before anything starts."""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from evervalue.api.cells import to_json
from evervalue.api.errors import MEDIA_TYPE, Problem
from evervalue.api.live import OpenLog
from evervalue.api.middleware import HEADERS
from evervalue.api.proxy import networks, path_prefix
from evervalue.api.settings import ServerSettings
from evervalue.core.clock import SystemClock
from evervalue.core.errors import SettingsError, StorageError
from evervalue.core.listening import listen, own_names, shown_address
from evervalue.core.sharing import CAN_SHARE, share
from evervalue.dashboard.app import create_app
from evervalue.dashboard.processes import Gentle, Processes
from evervalue.dashboard.view import bare
from evervalue.governance.people import People
from evervalue.governance.settings import Access, is_loopback

KEEP_ALIVE_SECONDS = 75
"""How long a connection is kept that asks nothing: longer than proxies keep theirs (60), or the server closes one just
when something is asked on it."""
GRACE_SECONDS = 10
"""How long requests in flight are waited for at the end."""
LINE_BYTES = 8192
LONGEST_PATH = 200
"""Of an address that is repeated to who asked, characters."""
LONGEST_HEAD = 65536
"""Of a request: its address and its headers, bytes."""
DISCARD_SECONDS = 1.0
"""How long what else a refused client sends is read and thrown away, so that it gets to read the answer."""
STREAMS = "/v1/live/"
"""Where answers go on for as long as somebody listens."""
UNREADABLE = Problem(
    400,
    "unreadable-request",
    "The request cannot be read",
    "It names no host (HTTP/1.1 wants a Host header), is not HTTP, or is too long.",
)
TOO_LONG_ADDRESS = Problem(
    414,
    "address-too-long",
    "The address is too long",
    f"An address with its filters may have {LONGEST_HEAD // 1024} KB. Ask for less at a time.",
)
TOO_LARGE_HEADERS = Problem(
    431,
    "headers-too-large",
    "The headers are too large",
    f"All headers of a request together may have {LONGEST_HEAD // 1024} KB; cookies of other sites may be among them.",
)


class _Protocol(H11Protocol):
    """HTTP, where a request that cannot be read (one that names no host, say) is told so in our own shape."""

    _first_line = b""
    _is_refused = False
    _is_ending = False

    def data_received(self, data: bytes) -> None:
        """Keeps the line that says what is asked for, then reads on."""
        if self._is_refused:
            return
        waiting = bytes(self.conn.trailing_data[0][:LINE_BYTES])  # what came of this request before
        self._first_line = (waiting + data[:LINE_BYTES]).partition(b"\r\n")[0]
        super().data_received(data)
        if self._is_ending and bool(self.cycle):
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """The problem for a program, a small page for a reader."""
        cycle = self.cycle  # None before the first request, whatever its type says
        begun = bool(cycle) and cycle.response_started and not cycle.response_complete
        if begun:
            self.transport.close()
            return
        waiting = self.conn.trailing_data[0]
        problem = UNREADABLE
        if len(waiting) > LONGEST_HEAD:
            problem = TOO_LARGE_HEADERS if b"\r\n" in waiting else TOO_LONG_ADDRESS
        self.transport.write(_refused(self._first_line, problem))
        if self.transport.can_write_eof():
            self._is_refused = True
            self.transport.write_eof()
            self.loop.call_later(DISCARD_SECONDS, self.transport.close)
        else:
            self.transport.close()

    def end(self) -> None:
        """What is asked from now on is the last on this connection; a stream, which has no end of its own, ends."""
        self._is_ending = True
        cycle = self.cycle  # None before the first request, whatever its type says
        if bool(cycle) and not cycle.response_complete:
            cycle.keep_alive = False
            if str(self.scope["path"]).startswith(STREAMS):
                self.transport.close()

    def shutdown(self) -> None:
        """Ends the connection; an answer is finished first, unless it is a stream."""
        self.end()
        super().shutdown()


def _refused(first_line: bytes, problem: Problem) -> bytes:
    path = [*first_line.decode("ascii", "replace").split(" "), ""][1].partition("?")[0][:LONGEST_PATH]
    if path.startswith("/v1"):
        kind, text = MEDIA_TYPE, to_json(problem.body(path))
    else:
        kind, text = "text/html; charset=utf-8", bare(problem).encode()
    headers = {
        **HEADERS,
        "Content-Type": kind,
        "Content-Length": str(len(text)),
        "Cache-Control": "no-store",
        "Connection": "close",
    }
    status = f"{problem.status} {HTTPStatus(problem.status).phrase}"
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + text


@contextmanager
def _ended_as_by_hand() -> Iterator[None]:
    """SIGTERM, which service managers send, ends the block as Ctrl-C does: in good order and without an error."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, ended)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def serve(
    data_dir: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    ready: Callable[[str], None] | None = None,
    allowed_hosts: tuple[str, ...] = (),
    prefix: str = "",
    trusted_proxies: tuple[str, ...] = (),
    open_log: OpenLog | None = None,
    project: Path | None = None,
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
    prefix
        Path under which a reverse proxy shows the server ('/value').
    trusted_proxies
        Addresses and ranges of reverse proxies whose X-Forwarded-* headers are believed.
    open_log
        As for `create_app`; with several processes it is sent to each of them.
    project
        The project's folder, in which the first-run page may connect a file.
    access
        How people are let in; without it the door is open, which this machine's own address alone may have.

    Raises
    ------
    AddressTaken
        The address cannot be listened on.
    SettingsError
        The prefix or an address of a proxy is none, or the door would be open to other machines.
    """
    prefix = path_prefix(prefix)
    networks(trusted_proxies)
    if access is None and (allowed_hosts or trusted_proxies or not is_loopback(host)):
        raise SettingsError(f"Nobody would have to sign in, and other machines reach {host}: give an access.")
    data_dir.mkdir(parents=True, exist_ok=True)  # what people keep is there before the first run
    if access is not None:
        People(data_dir, SystemClock(), access).begin()
        if access.settings.public_url is not None:
            allowed_hosts = (*allowed_hosts, urlsplit(access.settings.public_url).hostname or "")
    listening = listen(host, port)
    found = int(listening.getsockname()[1])
    is_shared = workers > 1 and CAN_SHARE
    kept = ExitStack()
    kept.callback(listening.close)
    folder = Path(kept.enter_context(TemporaryDirectory(prefix="evervalue-serve-"))) if workers > 1 else None
    settings = ServerSettings(
        allowed_hosts=(*own_names(host), *allowed_hosts),
        threads=max(1, min(ServerSettings.threads, (os.cpu_count() or 1) // workers)),
        prefix=prefix,
        trusted_proxies=trusted_proxies,
        workers_folder=folder,
        project=project,
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
        proxy_headers=False,  # api/proxy.py reads them, and of proxies that were named alone
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=LONGEST_HEAD,
    )
    announce = functools.partial(ready or (lambda _: None), shown_address(host, found))
    with kept:
        if is_shared and (guard := share(listening)) is not None:
            kept.callback(guard.close)
        with _ended_as_by_hand():
            if workers == 1:
                Gentle(config, announce).run(sockets=[listening])
                return
            processes = Processes(config, [listening], announce)
            processes.run()
            if processes.failed:
                raise StorageError("A server process could not start; the log says why.")
