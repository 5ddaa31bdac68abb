"""The endpoint as senders meet it: over HTTP, on loopback."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import time
import zlib
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import apsw
import pytest

from evervalue.collector.app import LONGEST_WAIT_SECONDS, Collector
from evervalue.collector.keys import WriteKeys
from evervalue.collector.log import EventLog, Tally
from evervalue.collector.messages import LARGEST_BATCH, MOST_EVENTS
from evervalue.collector.remembered import REMEMBERED_SECONDS
from evervalue.collector.serve import GRACE_SECONDS
from evervalue.core.clock import SystemClock
from tests.support.collecting import Collecting, collecting
from tests.support.running import run

PAGE = {"type": "page", "userId": "u", "messageId": "p1"}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Collecting]:
    with collecting(tmp_path / "data") as found:
        yield found


def stored(web: Collecting) -> list[tuple[str, str]]:
    return [(event.type, event.message_id) for event in web.log().read(0)]


def test_every_route_stores_what_it_is_named_for(web: Collecting) -> None:
    more = {"event": "E", "groupId": "g", "previousId": "a", "userId": "u"}
    routes = ("track", "identify", "page", "screen", "group", "alias")
    for n, route in enumerate(routes):
        assert web.send(f"/v1/{route}", {**more, "messageId": f"m{n}"}).body == {"success": True}
    for n, (short, _) in enumerate(zip("tipsga", routes, strict=True)):
        assert web.send(f"/v1/{short}", {**more, "messageId": f"s{n}"}).status == 200
    for n, route in enumerate(("batch", "b", "import", "batch/")):
        assert web.send(f"/v1/{route}", {"batch": [{**PAGE, "messageId": f"b{n}"}]}).status == 200
    assert stored(web) == [
        *((route, f"m{n}") for n, route in enumerate(routes)),
        *((route, f"s{n}") for n, route in enumerate(routes)),
        *(("page", f"b{n}") for n in range(4)),
    ]


def test_what_comes_again_is_stored_once(web: Collecting) -> None:
    for _ in range(3):
        assert web.send("/v1/batch", {"batch": [PAGE, PAGE]}).status == 200
    assert stored(web) == [("page", "p1")]
    assert web.log().tallies() == [Tally("web", 6, 1, 5, 0)]


def test_a_batch_that_is_partly_bad_is_a_success_that_names_the_others(web: Collecting) -> None:
    answer = web.send("/v1/batch", {"batch": [PAGE, {"type": "track", "userId": "u", "messageId": "t1"}, 7]})
    assert answer.status == 200
    assert answer.body["success"] is True
    assert [(e["index"], e["messageId"], e["code"]) for e in answer.body["errors"]] == [
        (1, "t1", "no_event"),
        (2, None, "not_an_object"),
    ]
    assert web.log().tallies() == [Tally("web", 3, 1, 0, 2)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"batch": [{"type": "track", "userId": "u"}]}, "no_event"),
        ({"batch": {}}, "no_batch"),
        ([], "no_batch"),
        ({"batch": [PAGE] * (MOST_EVENTS + 1)}, "too_many"),
        (b"{", "unreadable"),
        (b"", "unreadable"),
        (b"\xff\xfe\x00", "unreadable"),
    ],
)
def test_what_is_bad_as_a_whole_is_refused_and_kept(web: Collecting, body: object, code: str) -> None:
    answer = web.send("/v1/batch", body)
    assert (answer.status, answer.body["success"]) == (400, False)
    assert answer.body["errors"][0]["code"] == code
    assert web.log().tallies() == [Tally("web", 1, 0, 0, 1)]


def test_a_batch_without_events_is_a_success(web: Collecting) -> None:
    assert web.send("/v1/batch", {"batch": []}).status == 200


def test_a_key_may_stand_in_basic_bearer_or_body(web: Collecting) -> None:
    assert web.send("/v1/page", {**PAGE, "writeKey": web.key}, key="").status == 200
    assert web.send("/v1/page", PAGE, key="", Authorization=f"Bearer {web.key}").status == 200
    assert web.send("/v1/batch", {"batch": [PAGE], "writeKey": web.key}, key="").status == 200


@pytest.mark.parametrize(
    "header",
    [None, "Basic", "Basic !!!", "Basic " + base64.b64encode(b"evw_nobody:").decode(), "Digest x", "Bearer "],
)
def test_who_has_no_key_is_not_let_in(web: Collecting, header: str | None) -> None:
    answer = web.send("/v1/page", PAGE, key="", **({"Authorization": header} if header else {}))
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert stored(web) == []


def test_a_key_that_was_revoked_lets_nobody_in(web: Collecting) -> None:
    keys = WriteKeys(web.data_dir, SystemClock())
    till = keys.create("till")
    assert web.send("/v1/page", PAGE, key=till).status == 200
    keys.revoke(till[:8])
    time.sleep(REMEMBERED_SECONDS)
    assert web.send("/v1/page", PAGE, key=till).status == 401
    assert [t.source for t in web.log().tallies()] == ["till"]


@pytest.mark.parametrize(
    ("pack", "encoding"),
    [(gzip.compress, "gzip"), (zlib.compress, "deflate"), (gzip.compress, "x-gzip"), (bytes, "identity")],
)
def test_a_body_may_be_compressed(web: Collecting, pack: type[bytes], encoding: str) -> None:
    body = pack(json.dumps({"batch": [PAGE]}).encode())
    assert web.send("/v1/batch", body, Content_Encoding=encoding).status == 200


def test_a_body_that_is_not_what_its_header_says_is_refused(web: Collecting) -> None:
    whole = gzip.compress(json.dumps({"batch": [PAGE]}).encode())
    for body, encoding in ((b"{}", "gzip"), (whole[:-9], "gzip"), (whole, "br")):
        assert web.send("/v1/batch", body, Content_Encoding=encoding).status == 400


def test_what_stands_behind_the_end_of_a_compressed_body_is_not_passed_over(web: Collecting) -> None:
    first, second = (
        gzip.compress(json.dumps({"batch": [{**PAGE, "messageId": m}]}).encode()) for m in ("p1", "p2")
    )
    for body in (first + second, first + b"more"):
        answer = web.send("/v1/batch", body, Content_Encoding="gzip")
        assert (answer.status, answer.body["errors"][0]["code"]) == (400, "unreadable")
    assert web.log().tallies() == [Tally("web", 2, 0, 0, 2)]


@pytest.mark.parametrize("depth", [250, 300, 980, 1010, 1020, 1023, 5000])
def test_what_is_nested_deeply_is_refused_and_kept(web: Collecting, depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    objects = b'{"a":' * depth + b"1" + b"}" * depth
    for path, body in (
        ("batch", b'{"x":%b}' % nested),
        ("batch", nested),
        ("batch", b'{"batch":[{"type":"page"}],"context":%b}' % objects),
        ("page", b'{"properties":%b}' % objects),
        ("page", nested),
    ):
        assert web.send(f"/v1/{path}", body).status == 400
    assert web.log().tallies() == [Tally("web", 5, 0, 0, 5)]
    deep = b'{"userId":"u","properties":%b}' % objects
    good = b'{"type":"page","userId":"u"}'
    answer = web.send("/v1/batch", b'{"batch":[%b,%b]}' % (deep.replace(b"{", b'{"type":"page",', 1), good))
    assert answer.status in ((200,) if depth < 980 else (200, 400))


def test_the_context_of_a_batch_is_not_kept_once_for_each_event_that_it_makes_too_large(
    web: Collecting,
) -> None:
    answer = web.send("/v1/batch", {"batch": [PAGE] * 2000, "context": {"x": "y" * 40_000}})
    assert (answer.status, answer.body["errors"][0]["code"]) == (400, "too_large")
    assert web.log().tallies() == [Tally("web", 1, 0, 0, 1)]


def test_what_is_too_large_is_refused_before_it_fills_the_memory(web: Collecting) -> None:
    assert web.send("/v1/batch", b" " * (LARGEST_BATCH + 1)).status == 413
    bomb = gzip.compress(b" " * 300_000_000)
    assert len(bomb) < LARGEST_BATCH
    assert web.send("/v1/batch", bomb, Content_Encoding="gzip").status == 413
    most = json.dumps({"batch": [PAGE]}).encode()
    assert web.send("/v1/batch", most + b" " * (LARGEST_BATCH - len(most))).status == 200


def test_browsers_of_any_site_may_send(web: Collecting) -> None:
    asked = web.send("/v1/t", method="OPTIONS", key="", Origin="https://shop.example")
    assert asked.status == 204
    assert asked.headers["access-control-allow-origin"] == "https://shop.example"
    assert "content-type" in asked.headers["access-control-allow-headers"]
    beacon = web.send(
        "/v1/p",
        {**PAGE, "writeKey": web.key},
        key="",
        Origin="https://shop.example",
        Content_Type="text/plain",
    )
    assert beacon.status == 200
    assert beacon.headers["access-control-allow-origin"] == "https://shop.example"


def test_the_browser_bundle_finds_its_settings(web: Collecting) -> None:
    found = web.send(f"/v1/projects/{web.key}/settings", method="GET", key="")
    assert found.body["integrations"]["Segment.io"]["apiKey"] == web.key
    assert web.send("/v1/projects/nobody/settings", method="GET", key="").status == 404


def test_counts_are_told_to_prometheus(web: Collecting) -> None:
    web.send("/v1/batch", {"batch": [PAGE, PAGE, {"type": "track", "userId": "u"}]})
    web.send("/v1/page", PAGE, key="nobody")
    answer = web.send("/metrics", method="GET", key="")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.splitlines()
    for outcome, n in (("accepted", 3), ("stored", 1), ("duplicate", 1), ("quarantined", 1)):
        assert f'evervalue_events_total{{source="web",outcome="{outcome}"}} {n}' in lines
    assert 'evervalue_collector_answers_total{status="200"} 1' in lines
    assert 'evervalue_collector_answers_total{status="401"} 1' in lines
    assert "evervalue_collector_waiting_events 0" in lines
    assert web.send("/healthz", method="GET", key="").body == {"status": "ok"}


def test_another_path_or_method_is_told(web: Collecting) -> None:
    assert web.send("/v1/track", method="GET").status == 405
    assert web.send("/v2/track", PAGE).status == 404
    assert web.send("/", method="GET").status == 404


def test_a_request_that_breaks_off_stores_nothing(web: Collecting) -> None:
    with socket.create_connection(("127.0.0.1", web.port)) as con:
        con.sendall(b"POST /v1/page HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
    assert web.send("/v1/page", PAGE).status == 200
    assert stored(web) == [("page", "p1")]


def test_a_disk_that_fails_is_told_and_the_next_try_succeeds(tmp_path: Path) -> None:
    path, fails = tmp_path / "events.db", [False]

    def connect() -> apsw.Connection:
        return Failing(str(path))

    class Failing(apsw.Connection):
        def executemany(self, *args: Any, **options: Any) -> Any:
            if fails[0]:
                raise apsw.IOError("disk I/O error")
            return super().executemany(*args, **options)

    with collecting(tmp_path, open_log=lambda: EventLog(path, connect)) as web:
        assert web.send("/v1/page", PAGE).status == 200
        fails[0] = True
        answer = web.send("/v1/page", {**PAGE, "messageId": "p2"})
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        fails[0] = False
        assert web.send("/v1/page", {**PAGE, "messageId": "p2"}).status == 200
        assert stored(web) == [("page", "p1"), ("page", "p2")]


def test_what_was_written_to_a_log_that_is_gone_is_not_acknowledged(tmp_path: Path) -> None:
    with collecting(tmp_path / "data") as web:
        assert web.send("/v1/page", PAGE).status == 200
        for path in web.data_dir.glob("events.db*"):
            path.rename(path.with_name(f"old-{path.name}"))
        answer = web.send("/v1/page", {**PAGE, "messageId": "p2"})
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert web.send("/v1/page", {**PAGE, "messageId": "p2"}).status == 200
        assert stored(web) == [("page", "p2")]
        assert web.log().tallies() == [Tally("web", 1, 1, 0, 0)]


def test_what_was_acknowledged_is_there_after_the_server_ended(tmp_path: Path) -> None:
    with collecting(tmp_path / "data") as web:
        for n in range(20):
            assert web.send("/v1/page", {**PAGE, "messageId": f"m{n}"}).status == 200
    assert len(stored(web)) == 20


def test_who_is_slower_than_the_end_of_the_server_is_told_to_come_again(tmp_path: Path) -> None:
    app = Collector(
        lambda: EventLog(tmp_path / "events.db"), WriteKeys(tmp_path, SystemClock()), SystemClock()
    )
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def ended() -> None:
        scope = {"type": "http", "method": "POST", "path": "/v1/page", "headers": []}
        request = asyncio.create_task(app(scope, receive, send))
        await asyncio.sleep(0.01)
        request.cancel()
        await request

    run(ended())
    app.close()
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]
    assert GRACE_SECONDS > LONGEST_WAIT_SECONDS  # who waits for the disk has an answer before that
