"""A database server for tests: a process of our own over a folder of its own, stopped, killed and started again."""

from __future__ import annotations

import atexit
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from typing import Self
from urllib.parse import quote

from tests.support import unprivileged

PASSWORD = "a secret of the tests"


class Server(ABC):
    """One server. It may be stopped and started again; what was committed stays, and so does the port."""

    host = "127.0.0.1"
    user: str
    password = PASSWORD
    called: str
    """Its name in messages."""
    scheme: str
    stops = signal.SIGTERM
    """Ends it in good order."""
    crashes = signal.SIGKILL
    """Ends it as a crash would: it recovers at the next start."""

    def __init__(self, prefix: str) -> None:
        self.folder = unprivileged.own_folder(prefix)
        self.port = unprivileged.free_port()
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove)

    @abstractmethod
    def start(self) -> Self:
        """Starts the server, initialising its data folder the first time, and waits until it answers."""

    def stop(self, *, immediate: bool = False) -> None:
        """Stops the server; with `immediate` as by a crash: nothing is put in order, recovery at the next start."""
        if self._process is None:
            return
        self._process.send_signal(self.crashes if immediate else self.stops)
        self._process.wait(60)
        self._process = None

    def restart(self, *, immediate: bool = False) -> None:
        """Stops and starts the server."""
        self.stop(immediate=immediate)
        self.start()

    def remove(self) -> None:
        """Stops the server and takes its folder away."""
        self.stop(immediate=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def dsn(self, database: str = "", user: str | None = None, password: str | None = None) -> str:
        """Address of a database over TCP, with a password."""
        user, password = user or self.user, self.password if password is None else password
        return f"{self.scheme}://{user}:{quote(password, safe='')}@{self.host}:{self.port}/{database}"

    def _wait(self, answers: type[Exception] | tuple[type[Exception], ...], seconds: float = 60) -> None:
        """Until `_ask` raises none of these errors any more."""
        end = time.monotonic() + seconds
        while True:
            try:
                self._ask()
                return
            except answers:
                if not self.running or time.monotonic() > end:
                    said = self.log.read_text("utf-8", "replace")[-3000:]
                    self.stop(immediate=True)
                    raise RuntimeError(f"{self.called} did not start:\n{said}") from None
                time.sleep(0.05)

    @abstractmethod
    def _ask(self) -> None:
        """Nothing, where the server answers."""
