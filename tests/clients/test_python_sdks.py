"""The Python SDKs of Segment and RudderStack, unmodified: all that they send is stored once, whatever happens to us."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rudderstack.analytics.client import Client as RudderStack  # type: ignore[import-untyped]
from segment.analytics import Client as Segment  # type: ignore[import-untyped]

from evervalue.collector.log import LOG, EventLog
from tests.crash.test_kill_collector import Server
from tests.support.collecting import Collecting, collecting
from tests.support.projects import evervalue, project

SDKS = [
    pytest.param(Segment, {"gzip": True}, id="segment-gzip"),
    pytest.param(Segment, {}, id="segment"),
    pytest.param(RudderStack, {}, id="rudderstack"),
]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Collecting]:
    with collecting(tmp_path / "data") as found:
        yield found


@pytest.mark.parametrize(("sdk", "options"), SDKS)
def test_every_call_is_stored_once(web: Collecting, sdk: Any, options: dict[str, Any]) -> None:
    errors: list[object] = []
    client = sdk(web.key, host=web.url, on_error=lambda error, _: errors.append(error), **options)
    for n in range(250):
        client.track(f"u{n % 9}", "Product Viewed", {"product_id": f"p{n}", "price": 12.5})
    client.identify("u1", {"name": "Ada Ünsal", "email": "ada@b.biz"})
    client.alias("a1", "u1")
    client.group("u1", "g1", {"name": "Initech"})
    client.page("u1", "Docs", "Home", {"path": "/"})
    client.screen("u1", "Main")
    client.flush()
    client.join()
    assert errors == []
    stored = list(web.log().of("web", 0, 1000))
    kinds = {"track": 250, "identify": 1, "alias": 1, "group": 1, "page": 1, "screen": 1}
    assert Counter(event.type for event in stored) == kinds
    assert web.log().tallies()[0].quarantined == 0


@pytest.mark.slow
@pytest.mark.parametrize(("sdk", "options"), SDKS)
def test_what_is_sent_while_the_server_is_killed_is_stored_once(
    tmp_path: Path, sdk: Any, options: dict[str, Any]
) -> None:
    folder = project(tmp_path / "shop", {"sales.csv": "order,date,customer,amount\n"})
    key = evervalue("keys", "create", "web", cwd=folder).stdout.strip()
    server = Server(folder)
    errors: list[object] = []
    try:
        client = sdk(
            key, host=f"http://127.0.0.1:{server.port}", on_error=lambda error, _: errors.append(error),
            upload_size=20, **options,
        )  # fmt: skip
        for n in range(1500):
            client.track(f"u{n % 9}", "Product Viewed", {"n": n})
            if n % 300 == 150:
                server.kill()
                server.process = server.start()
            time.sleep(0.001)
        client.flush()
        client.join()
    finally:
        server.kill()
    assert errors == []
    log = EventLog(folder / "evervalue-data" / LOG)
    seen = Counter(event.body.split(b'"n":')[1].split(b"}")[0] for event in log.of("web", 0, 1000))
    log.close()
    assert len(seen) == 1500
    assert set(seen.values()) == {1}
