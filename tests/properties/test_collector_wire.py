"""The same over real connections: pipelined, in chunks, in drips, cut off, and with heads that are no HTTP.

`make check` opens 5,000 connections, `EVERVALUE_PROOF=full` 50,000. A failure names the seed of its connection.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from evervalue.collector.connections import Connection
from tests.support.collecting import Collecting, collecting
from tests.support.running import run

AT_ONCE = 64
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
NO_HTTP = (
    b"", b"\r\n" * 50, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET\r\n\r\n", b"POST /v1/batch\r\n\r\n{}", b"SSH-2.0-x\r\n", b"\x00" * 100,
    b"POST  /v1/batch HTTP/1.1\r\n\r\n",
    b"POST /v1/batch HTTP/9.9\r\n\r\n", b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://x/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"G" * 70_000,
    b"POST /v1/%ff%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET //////v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET ?x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
)  # fmt: skip
ODD_LINES = (
    b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 99999999999999999999",
    b"Content-Length: +7",
    b"Content-Length: 0x10", b"Content-Length:", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity", b"Expect: 100-continue",
    b"Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
    b"Connection: Upgrade\r\nUpgrade: websocket", b"X : y", b" folded: x", b"\x00: y", b"X: \x00",
    b"X" * 9000 + b": y", b":", b"X",
    b"X: " + b"y" * 70_000, b"Host: a\r\nHost: b", b"Content-Encoding: gzip", b"\xff\xfe: \xff", b"X: \r",
    b"X: y\n",
)  # fmt: skip


@dataclass
class Sent:
    """What goes over one connection."""

    pieces: list[bytes]
    ids: list[list[str]] = field(default_factory=list)
    """Of each request that is whole: what must be stored once it is acknowledged."""
    whole: bool = True
    """Whether each request must be answered 200."""
    cut: bool = False
    """Whether the sender hangs up after the last piece."""


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collecting]:
    monkeypatch.setattr(Connection, "head_seconds", 3.0)  # long enough for a machine that is busy
    monkeypatch.setattr(Connection, "body_seconds", 3.0)
    with collecting(tmp_path / "data") as found:
        yield found


def made(seed: str, key: bytes) -> Sent:
    """What the connection of a seed sends."""
    chance = random.Random(seed)
    pick = chance.random()
    if pick < 0.1:
        return Sent(_pieces(chance, chance.choice(NO_HTTP)), whole=False, cut=chance.random() < 0.7)
    requests, ids = [], []
    count = chance.choice((1, 1, 2, 3, 8))
    for n in range(count):
        names = [f"{seed}/{n}.{i}" for i in range(chance.choice((1, 1, 3, 40)))]
        ids.append(names)
        requests.append(_request(chance, key, names, last=n == count - 1))
    if pick < 0.55:
        return Sent(_pieces(chance, b"".join(requests)), ids)
    if pick < 0.75:
        whole = b"".join(requests)
        return Sent(_pieces(chance, whole[: chance.randrange(len(whole))]), ids, whole=False, cut=True)
    one = requests[-1]
    head, end, body = one.partition(b"\r\n\r\n")
    if chance.random() < 0.5:
        lines = head.split(b"\r\n")
        lines.insert(chance.randrange(1, len(lines) + 1), chance.choice(ODD_LINES))
        head = b"\r\n".join(lines)
    else:
        bytes_ = bytearray(head)
        for _ in range(chance.choice((1, 2, 5))):
            bytes_[chance.randrange(len(bytes_))] = chance.randrange(256)
        head = bytes(bytes_)
    return Sent(_pieces(chance, head + end + body), ids[-1:], whole=False, cut=chance.random() < 0.8)


def _request(chance: random.Random, key: bytes, names: list[str], *, last: bool) -> bytes:
    body = json.dumps(
        {"batch": [{"type": "page", "userId": "u", "messageId": name, "name": name} for name in names]}
    ).encode()
    lines = [b"POST /v1/batch HTTP/1.1", b"Host: x", b"Authorization: Basic " + key]
    if chance.random() < 0.3:
        body = gzip.compress(body, 1)
        lines.append(b"Content-Encoding: gzip")
    if last:
        lines.append(b"Connection: close")
    if chance.random() < 0.4:
        lines.append(b"Transfer-Encoding: chunked")
        chunks, at = [], 0
        while at < len(body):
            size = chance.choice((1, 7, 100, 5000))
            chunk = body[at : at + size]
            chunks.append(b"%x%b\r\n%b\r\n" % (len(chunk), chance.choice((b"", b";a=b")), chunk))
            at += size
        body = b"".join(chunks) + b"0\r\n" + chance.choice((b"", b"X-Trailer: y\r\n")) + b"\r\n"
    else:
        lines.append(b"content-length: %d" % len(body))
        if last and chance.random() < 0.2:
            lines[0] = b"POST /v1/batch HTTP/1.0"
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _pieces(chance: random.Random, whole: bytes) -> list[bytes]:
    cuts = sorted(chance.randrange(len(whole) + 1) for _ in range(chance.choice((0, 0, 1, 2, 5))))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


async def heard(port: int, sent: Sent) -> bytes:
    """All that is answered on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    try:
        for piece in sent.pieces:
            writer.write(piece)
            await writer.drain()
            if len(sent.pieces) > 1:
                await asyncio.sleep(0)
        if sent.cut:
            writer.write_eof()
        said = await asyncio.wait_for(reader.read(-1), 30)
    except OSError:  # closed under us
        pass
    finally:
        writer.close()
    return said


async def everything(port: int, all_of_it: list[Sent]) -> list[bytes]:
    """What is answered to each, many at a time."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(sent: Sent) -> bytes:
        async with room:
            return await heard(port, sent)

    return await asyncio.gather(*(one(sent) for sent in all_of_it))


def fuzzed(web: Collecting, connections: int, say: Callable[[str], None] = print) -> Counter[int]:
    """How often each status was answered; what was acknowledged is compared with the log."""
    statuses: Counter[int] = Counter()
    acknowledged: set[str] = set()
    sent_at_all: set[str] = set()
    for start in range(0, connections, 1000):
        seeds = [f"wire{n}" for n in range(start, min(start + 1000, connections))]
        all_of_it = [made(seed, web.basic) for seed in seeds]
        for seed, sent, said in zip(seeds, all_of_it, run(everything(web.port, all_of_it)), strict=True):
            found = [int(status) for status in STATUS.findall(said)]
            statuses.update(found)
            assert not [status for status in found if status >= 500], (seed, said)
            if sent.whole:
                assert found == [200] * len(sent.ids), (seed, said)
            good = [status for status in found if status != 100]
            for ids, status in zip(sent.ids, good, strict=False):
                if status == 200 and b'"success":true}' in said:
                    acknowledged |= set(ids)
            sent_at_all |= {name for ids in sent.ids for name in ids}
    log = web.log()
    stored = {event.message_id: json.loads(event.body)["name"] for event in log.of("web", 0, 10_000)}
    (tally,) = log.tallies()
    log.close()
    assert acknowledged <= set(stored)
    assert set(stored) <= sent_at_all
    assert all(name == message_id for message_id, name in stored.items())
    assert tally.stored == len(stored)
    assert tally.accepted == tally.stored + tally.duplicate + tally.quarantined
    say(
        f"{connections} connections, {len(acknowledged)} acknowledged, {len(stored)} stored; {sorted(statuses.items())}"
    )
    return statuses


def test_some_connections(web: Collecting, caplog: pytest.LogCaptureFixture) -> None:
    statuses = fuzzed(web, 300)
    assert statuses[200] > 200
    assert statuses[400] > 10
    assert web.send("/healthz", method="GET").status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_many_connections(web: Collecting, full_proof: bool, caplog: pytest.LogCaptureFixture) -> None:
    fuzzed(web, 50_000 if full_proof else 5_000)
    assert web.send("/healthz", method="GET").status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
