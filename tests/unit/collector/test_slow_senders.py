"""Senders that are slow, endless or many: they are told, and the others do not notice."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from evervalue.collector.bodies import Bodies, NotRead
from evervalue.collector.connections import LARGEST_HEAD, Connection, connections
from tests.support.collecting import Collecting, collecting
from tests.support.running import run

PAGE = {"type": "page", "userId": "u", "messageId": "p1"}
HEAD = b"POST /v1/page HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %b\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collecting]:
    monkeypatch.setattr(Connection, "head_seconds", 0.3)
    monkeypatch.setattr(Connection, "body_seconds", 0.3)
    with collecting(tmp_path / "data") as found:
        yield found


def opened(web: Collecting, sent: bytes) -> socket.socket:
    con = socket.create_connection(("127.0.0.1", web.port), timeout=10)
    con.sendall(sent)
    return con


def heard(con: socket.socket) -> bytes:
    """All that is said until the other side closes."""
    parts = []
    while part := con.recv(65536):
        parts.append(part)
    con.close()
    return b"".join(parts)


def test_a_body_that_does_not_come_is_not_waited_for(web: Collecting) -> None:
    begun = time.monotonic()
    said = heard(opened(web, HEAD % (web.basic, 500) + b'{"userId":'))
    assert said.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - begun < 5
    assert web.log().tallies() == []


def test_a_body_that_drips_is_not_waited_for(web: Collecting) -> None:
    con = opened(web, HEAD % (web.basic, 500))
    begun = time.monotonic()
    with suppress(OSError):  # it is closed under the sender
        while time.monotonic() - begun < 5:
            con.sendall(b" ")
            time.sleep(0.02)
    con.close()
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("sent", [b"", b"POST /v1/page HTT", b"POST /v1/page HTTP/1.1\r\nHost: x\r\nA"])
def test_a_head_that_does_not_come_is_not_waited_for(web: Collecting, sent: bytes) -> None:
    assert heard(opened(web, sent)).startswith(b"HTTP/1.1 408")


def test_a_second_head_that_does_not_come_is_not_waited_for(web: Collecting) -> None:
    con = opened(web, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /heal")
    said = heard(con)
    assert said.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" in said


@pytest.mark.slow
def test_stray_bytes_do_not_keep_a_connection(web: Collecting) -> None:
    con = opened(web, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.1)
    con.sendall(b"\r\n")
    begun = time.monotonic()
    assert heard(con).startswith(b"HTTP/1.1 200")
    assert time.monotonic() - begun < 9  # the time that idle connections are kept


def test_a_head_without_an_end_is_refused(web: Collecting) -> None:
    con = opened(web, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ")
    said = b""
    try:
        for _ in range(LARGEST_HEAD // 1024 + 200):
            con.sendall(b"y" * 1024)
        said = heard(con)
    except OSError:  # closed while we still sent
        con.close()
    assert said == b"" or said.startswith(b"HTTP/1.1 431")
    assert web.send("/v1/page", PAGE).status == 200


def test_one_connection_too_many_is_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evervalue.collector.connections.MOST_CONNECTIONS", 3)
    with collecting(tmp_path / "data") as web:
        kept = [opened(web, b"GET ") for _ in range(3)]
        time.sleep(0.1)
        said = heard(opened(web, b""))
        assert said.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in said
        for con in kept:
            con.close()
        time.sleep(0.1)
        assert web.send("/v1/page", PAGE).status == 200


def test_as_many_connections_are_taken_as_files_may_be_open() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 0 < connections().most <= max(soft, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def test_bodies_that_are_under_way_are_bounded_together() -> None:
    bodies = Bodies(most_held=1_000_000)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"x" * 300_000, "more_body": True}

    async def first() -> MutableMapping[str, Any]:
        if first_pieces:
            return {"type": "http.request", "body": first_pieces.pop(), "more_body": True}
        await asyncio.sleep(60)
        raise AssertionError

    first_pieces = [b"x" * 450_000, b"x" * 50_000]

    async def many() -> tuple[NotRead, int]:
        waiting = [asyncio.create_task(bodies.read(first))]
        await asyncio.sleep(0)
        bodies.held += 499_000
        with pytest.raises(NotRead) as told:
            await bodies.read(receive)
        bodies.held -= 499_000
        held = bodies.held
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return told.value, held

    refused, held = run(many())
    assert (refused.status, refused.again) == (429, True)
    assert held == 500_000  # what the other one holds, and nothing of the refused one
    assert bodies.held == 0


@pytest.mark.slow
def test_a_thousand_slow_senders_take_bounded_memory_and_nobodys_turn(tmp_path: Path) -> None:
    """Each would hold 490 KB: together they may hold 64 MB, and others are served all the while."""
    with collecting(tmp_path / "data") as web:
        before = resident_kb()
        slow = [opened(web, HEAD % (web.basic, 490_001)) for _ in range(1000)]
        refused = 0
        for con in slow:
            con.settimeout(5)
            try:
                con.sendall(b" " * 490_000)
            except OSError:
                refused += 1
        for n in range(20):
            assert web.send("/v1/page", {**PAGE, "messageId": f"m{n}"}).status == 200
        grown = resident_kb() - before
        for con in slow:
            con.close()
        print({"refused": refused, "grown_mb": grown // 1024})
        assert grown < 200_000
        assert len(web.log().read(0)) == 20


def resident_kb() -> int:
    """Memory of this process, the collector's own included."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError
