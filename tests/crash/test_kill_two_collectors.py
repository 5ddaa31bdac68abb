"""Two collectors that share a log in PostgreSQL: either may be killed, and an event sent to both is stored once."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evervalue.collector.postgres_log import PostgresLog
from evervalue.sources.databases.connection import Address
from tests.crash.test_kill_collector import Sender, Server
from tests.support.projects import evervalue, project

if TYPE_CHECKING:
    from tests.support.postgres import Postgres


@pytest.mark.slow
def test_what_either_acknowledged_is_stored_once(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, full_proof: bool
) -> None:
    address = Address("collector", postgres.fresh_database("shared_events"))
    monkeypatch.setenv("EVENTS_DSN", address.text)
    folders = [project(tmp_path / name, {"sales.csv": "order,date,customer,amount\n"}) for name in ("a", "b")]
    for folder in folders:
        with (folder / "evervalue.toml").open("a") as file:
            file.write('\n[collector]\nconnection = "${EVENTS_DSN}"\n')
    key = evervalue("keys", "create", "web", cwd=folders[0]).stdout.strip()
    chance, ending = random.Random(2), threading.Event()
    servers = [Server(folder) for folder in folders]
    # A sender of the same number sends the same events: each to one of the servers.
    senders = [Sender(n, server, key, ending) for n in range(2) for server in servers]
    try:
        for sender in senders:
            sender.start()
        for _ in range(100 if full_proof else 8):
            time.sleep(chance.uniform(0, 0.6))
            server = chance.choice(servers)
            server.kill()
            server.process = server.start()
        time.sleep(0.5)
    finally:
        ending.set()
        for sender in senders:
            sender.join()
        for server in servers:
            server.kill()
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    twice = senders[0].acknowledged & senders[1].acknowledged
    log = PostgresLog(address)
    stored = Counter(event.message_id for event in log.of("web", 0, 10_000))
    (tally,) = log.tallies()
    log.close()
    print({"acknowledged": len(acknowledged), "by both": len(twice), "stored": len(stored)})
    assert len(twice) > 100
    assert acknowledged <= set(stored)
    assert set(stored.values()) == {1}
    assert tally.stored == len(stored)
    assert tally.accepted == tally.stored + tally.duplicate
    assert tally.duplicate >= len(twice)
