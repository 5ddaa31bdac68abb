"""A real NATS server with JetStream for tests: Debian's binary, a folder of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Self

import nats

from evervalue.collector.streams.settings import StreamSettings
from tests.support.running import run
from tests.support.streaming import settings

PLACES = (
    "nats-server",
    "/usr/sbin/nats-server",
    "/usr/local/bin/nats-server",
    "/opt/homebrew/bin/nats-server",
)


class Nats:
    """The server that `make test` found or installed, and a stream `CLICKS` of the subjects `clicks.>`."""

    def __init__(self, config: str = "") -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ev-nats-")
        self.folder = Path(self._folder.name)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.config = self.folder / "nats.conf"
        self.config.write_text(
            f'host: 127.0.0.1\nport: {self.port}\njetstream {{ store_dir: "{self.folder}/data" }}\n{config}\n'
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> Self:
        """Starts the server, and waits until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [binary(), "--config", str(self.config)], stdout=log, stderr=subprocess.STDOUT
            )
        end = time.monotonic() + 20
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    assert probe.recv(5) == b"INFO "
                    return self
            except OSError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < end
                time.sleep(0.02)

    def stop(self, kill: bool = False) -> None:
        """Ends the server, as a crash does where `kill`."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            process.wait(20)

    def settings(self, name: str = "CLICKS", **table: Any) -> StreamSettings:
        return settings(f"nats://127.0.0.1:{self.port}/{name}", **table)

    def ask(self, work: Callable[[Any], Coroutine[Any, Any, Any]], **options: Any) -> Any:
        """What a client's work on JetStream gives."""

        async def done() -> Any:
            client = await nats.connect(f"nats://127.0.0.1:{self.port}", **options)
            try:
                return await work(client.jetstream())
            finally:
                await client.close()

        return run(done())

    def make(self, **config: Any) -> None:
        """A new, empty stream; one of that name is gone."""

        async def work(js: Any) -> None:
            with contextlib.suppress(nats.js.errors.NotFoundError):
                await js.delete_stream("CLICKS")
            await js.add_stream(name="CLICKS", subjects=["clicks.>"], **config)

        self.ask(work)

    def put(self, bodies: Sequence[bytes], subject: str = "clicks.web") -> None:
        async def work(js: Any) -> None:
            for first in range(0, len(bodies), 2000):
                sent = [await js.publish_async(subject, b) for b in bodies[first : first + 2000]]
                await asyncio.gather(*sent)

        self.ask(work)


def binary() -> str:
    """The server that `make test` found or installed.

    Raises
    ------
    FileNotFoundError
        There is none.
    """
    asked = os.environ.get("EVERVALUE_NATS")
    for name in [asked] if asked else PLACES:
        if found := shutil.which(name):
            return found
    raise FileNotFoundError("no NATS server; `make test` installs it or says how")
