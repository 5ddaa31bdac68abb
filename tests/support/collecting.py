"""A collector on loopback, in a thread of the test or in a process of its own."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from evervalue.collector.app import Collector
from evervalue.collector.connections import connections
from evervalue.collector.keys import WriteKeys
from evervalue.collector.log import LOG, EventLog
from evervalue.core.clock import Clock, SystemClock
from evervalue.core.listening import listen


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Collecting:
    """Where a collector listens, and a key of its source `web`."""

    data_dir: Path
    port: int
    key: str
    app: Collector

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def basic(self) -> bytes:
        """The key as Basic authorization has it."""
        return base64.b64encode(f"{self.key}:".encode())

    def log(self) -> EventLog:
        return EventLog(self.data_dir / LOG)

    def send(
        self, path: str, body: Any = None, *, key: str | None = None, method: str = "POST", **headers: str
    ) -> Answer:
        """The answer to one request; a body that is no bytes is sent as JSON. `_` in a header's name stands for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key != "":
            sent["Authorization"] = "Basic " + base64.b64encode(f"{key or self.key}:".encode()).decode()
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        con = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            con.request(method, path, raw, sent)
            answer = con.getresponse()
            text = answer.read()
            return Answer(
                answer.status,
                json.loads(text) if text[:1] in (b"{", b"[") else text.decode(),
                {k.lower(): v for k, v in answer.getheaders()},
            )
        finally:
            con.close()


@contextmanager
def collecting(
    data_dir: Path, *, clock: Clock | None = None, open_log: Callable[[], EventLog] | None = None
) -> Iterator[Collecting]:
    """A collector that runs until the end of the block, and is then ended as a server is."""
    data_dir.mkdir(parents=True, exist_ok=True)
    clock = clock or SystemClock()
    keys = WriteKeys(data_dir, clock)
    app = Collector(open_log or (lambda: EventLog(data_dir / LOG)), keys, clock)
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(
        uvicorn.Config(app, http=connections(), proxy_headers=False, lifespan="on", log_level="warning")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield Collecting(data_dir, int(listening.getsockname()[1]), keys.create("web"), app)
    finally:
        server.should_exit = True
        thread.join(20)
        keys.close()
        listening.close()
