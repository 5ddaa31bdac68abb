"""A collector that is killed at any instant has stored every event that it acknowledged, once.

`EVERVALUE_PROOF=full` kills it five hundred times.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from pathlib import Path

import pytest

from evervalue.collector.log import LOG, EventLog
from tests.support.projects import evervalue, project

SENDERS = 4
LATEST_SECONDS = 0.4


class Server:
    """A collector in a process of its own, always at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.process = self.start()

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-u", "-c", "from evervalue.cli import main; main()", "collect", "."]
        process = subprocess.Popen(
            [*command, "--port", str(self.port)], cwd=self.folder, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        found = re.search(r":(\d+)/", process.stdout.readline())
        assert found is not None
        self.port = int(found[1])
        return process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Sender(threading.Thread):
    """Sends events one by one or together, each until it is acknowledged, and keeps what was."""

    def __init__(self, n: int, server: Server, key: str, ending: threading.Event) -> None:
        super().__init__()
        self.n = n
        self.server = server
        self.headers = {"Authorization": "Basic " + b64encode(f"{key}:".encode()).decode()}
        self.ending = ending
        self.acknowledged: set[str] = set()
        self.random = random.Random(n)
        self.tries = 0

    def run(self) -> None:
        serial = 0
        while not self.ending.is_set():
            ids = [f"{self.n}-{serial + i}" for i in range(self.random.choice((1, 1, 1, 20, 300)))]
            serial += len(ids)
            batch = [{"type": "page", "userId": "u", "messageId": one, "name": "x" * 200} for one in ids]
            body = json.dumps({"batch": batch}).encode()
            while not self._sent(body):
                if self.ending.is_set():
                    return
                time.sleep(0.02)
            self.acknowledged |= set(ids)

    def _sent(self, body: bytes) -> bool:
        self.tries += 1
        con = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            con.request("POST", "/v1/batch", body, self.headers)
            return con.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            con.close()


@pytest.mark.slow
def test_what_was_acknowledged_is_stored_once(tmp_path: Path, full_proof: bool) -> None:
    folder = project(tmp_path / "shop", {"sales.csv": "order,date,customer,amount\n"})
    key = evervalue("keys", "create", "web", cwd=folder).stdout.strip()
    chance, ending = random.Random(1), threading.Event()
    server = Server(folder)
    senders = [Sender(n, server, key, ending) for n in range(SENDERS)]
    try:
        for sender in senders:
            sender.start()
        for _ in range(500 if full_proof else 12):
            time.sleep(chance.uniform(0, LATEST_SECONDS))
            server.kill()
            server.process = server.start()
        time.sleep(0.5)
    finally:
        ending.set()
        for sender in senders:
            sender.join()
        server.kill()
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    log = EventLog(folder / "evervalue-data" / LOG)
    stored = Counter(event.message_id for event in log.of("web", 0, 10_000))
    (tally,) = log.tallies()
    log.close()
    print({"acknowledged": len(acknowledged), "stored": len(stored), "tries": sum(s.tries for s in senders)})
    assert len(acknowledged) > 1000
    assert acknowledged <= set(stored)
    assert set(stored.values()) == {1}
    assert tally.stored == len(stored)
    assert tally.accepted == tally.stored + tally.duplicate
