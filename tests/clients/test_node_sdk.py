"""@segment/analytics-node, unmodified: all that it sends is stored once, whatever happens to us."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from evervalue.collector.log import LOG, EventLog
from tests.clients.conftest import Node
from tests.crash.test_kill_collector import Server
from tests.support.collecting import Collecting, collecting
from tests.support.projects import evervalue, project

OTHERS = {"identify": 1, "alias": 1, "group": 1, "page": 1, "screen": 1}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    with collecting(tmp_path_factory.mktemp("data")) as found:
        yield found


def test_every_call_is_stored_once(web: Collecting, send_with_node: Node) -> None:
    sender = send_with_node(web.key, web.url, 250)
    said, _ = sender.communicate(timeout=60)
    assert json.loads(said) == {"errors": [], "delivered": 255}
    stored = list(web.log().of("web", 0, 1000))
    assert Counter(event.type for event in stored) == {"track": 250, **OTHERS}
    assert {json.loads(e.body)["properties"]["n"] for e in stored if e.type == "track"} == set(range(250))
    assert (web.log().tallies()[0].duplicate, web.log().tallies()[0].quarantined) == (0, 0)


@pytest.mark.slow
def test_what_is_sent_while_the_server_is_killed_is_stored_once(tmp_path: Path, send_with_node: Node) -> None:
    folder = project(tmp_path / "shop", {"sales.csv": "order,date,customer,amount\n"})
    key = evervalue("keys", "create", "web", cwd=folder).stdout.strip()
    server = Server(folder)
    try:
        sender = send_with_node(key, f"http://127.0.0.1:{server.port}", 1500, between_ms=3, flushAt=20)
        for _ in range(5):
            time.sleep(0.7)
            server.kill()
            server.process = server.start()
        said, _ = sender.communicate(timeout=180)
    finally:
        server.kill()
    assert json.loads(said) == {"errors": [], "delivered": 1505}
    log = EventLog(folder / "evervalue-data" / LOG)
    stored = list(log.of("web", 0, 1000))
    log.close()
    assert Counter(event.type for event in stored) == {"track": 1500, **OTHERS}
    seen = Counter(json.loads(event.body)["properties"]["n"] for event in stored if event.type == "track")
    assert (len(seen), set(seen.values())) == (1500, {1})
