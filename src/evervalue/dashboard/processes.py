"""The processes of one server: gentle at their end, replaced when they die, and never left behind.

A process that is to end first takes the connections that wait at its socket, stops to listen, so that new ones go to
the others, and answers what is asked on the connections it has for a moment longer. SIGHUP to the first process
replaces all others so, one after the other, without a request refused.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import parent_process
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

log = logging.getLogger("evervalue.serve")
STARTUP_SECONDS = 60
LINGER_SECONDS = 1.0
"""How long a process that ends answers on the connections it has, where others take the new ones."""
LOOK_SECONDS = 0.02


class Gentle(uvicorn.Server):
    """One server, which answers everything that has reached it before it ends."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to answer, then says so."""
        await super().startup(sockets)
        if self.started and self._ready is not None:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends, connection by connection."""
        loop = asyncio.get_running_loop()
        for one in self._stop_listening():
            one.setblocking(False)
            with suppress(OSError):  # gone already
                await loop.connect_accepted_socket(self._protocol, one)
        for connection in list(self.server_state.connections):
            connection.end()  # type: ignore[union-attr]
        if self.config.workers > 1:
            until = loop.time() + LINGER_SECONDS
            while self.server_state.connections and loop.time() < until and not self.force_exit:
                await asyncio.sleep(LOOK_SECONDS)
        await super().shutdown(sockets)

    def _stop_listening(self) -> list[socket.socket]:
        """The connections that wait to be accepted; closing a socket would reset them."""
        waiting: list[socket.socket] = []
        for server in self.servers:
            for listening in server.sockets:
                with socket.socket(
                    listening.family, listening.type, listening.proto, os.dup(listening.fileno())
                ) as same:
                    same.setblocking(False)
                    with suppress(OSError):  # nobody waits any more
                        while True:
                            waiting.append(same.accept()[0])
            server.close()
        return waiting

    def _protocol(self) -> asyncio.Protocol:
        kind: Any = self.config.http_protocol_class
        found: asyncio.Protocol = kind(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=None
        )
        return found


class Worker(Process):
    """One of several processes; it ends when the one that started it is gone, however that came."""

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """What the process does."""
        threading.Thread(target=_end_with_parent, name="evervalue-parent", daemon=True).start()
        super().target(sockets)

    @property
    def server(self) -> Gentle:
        """Its server."""
        if self._server is None:
            self._server = Gentle(self.config)
        assert isinstance(self._server, Gentle)
        return self._server


class Processes(Multiprocess):
    """Several server processes; says when the first of them answers."""

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], ready: Callable[[], None]
    ) -> None:
        super().__init__(config, sockets)
        self._ready = ready
        self.failed = False

    def init_processes(self) -> None:
        """Starts the processes, then says so."""
        self.processes += [self._begun() for _ in range(self.processes_num)]
        if self.processes[0].wait_until_ready(STARTUP_SECONDS, self.should_exit):
            self._ready()

    def keep_subprocess_alive(self) -> None:
        """Replaces what died or does not answer any more."""
        for place, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if process.is_alive(timeout=self.config.timeout_worker_healthcheck):
                continue
            process.kill()
            process.join()
            if process.exitcode == STARTUP_FAILURE:
                log.error("a server process could not start; all are stopped")
                self.failed = True
                self.should_exit.set()
                return
            log.error("a server process ended (exit code %s) and is started again", process.exitcode)
            self.processes[place] = self._begun()

    def restart_all(self) -> None:
        """Replaces each process; the new one answers before the old one ends."""
        for place, old in enumerate(self.processes):
            new = self._begun()
            if not new.wait_until_ready(STARTUP_SECONDS, self.should_exit):
                new.kill()
                new.join()
                log.error("a new server process did not start; the old ones go on")
                return
            old.terminate()
            old.join()
            self.processes[place] = new

    def handle_ttin(self) -> None:
        """One process more."""
        self.processes_num += 1
        self.processes.append(self._begun())

    def _begun(self) -> Worker:
        found = Worker(self.config, self.sockets)
        found.start()
        return found


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
