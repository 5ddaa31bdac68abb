"""Whatever comes, nothing fails, and every event that is acknowledged is in the log once, as it was sent.

Thousands of requests go straight into the application, many at a time, and each answer and each row is compared with
what was sent. `make check` sends 60,000, `EVERVALUE_PROOF=full` a million. A failure names the seed of its requests.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import zlib
from collections import Counter, defaultdict
from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evervalue.collector.app import Collector
from evervalue.collector.keys import WriteKeys
from evervalue.collector.log import Delivery, EventLog, Tally
from evervalue.collector.messages import LARGEST_BATCH, Event
from evervalue.core.clock import SystemClock
from tests.support.fuzzed_requests import BATCH, SINGLE, Case, Maker, content, read
from tests.support.running import run

AT_ONCE = 200
EACH = 1000
DEEP = 200


class Ledger:
    """What was acknowledged, against what is stored."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.last = 0
        self.before = Tally("web", 0, 0, 0, 0)
        self.cases = self.acknowledged = 0
        self.statuses: Counter[int] = Counter()

    def settle(self, seed: str, answered: list[tuple[Case, int, Any]]) -> None:
        """Compares the answers to the requests of one seed with the rows that they made."""
        named: dict[str, set[str]] = defaultdict(set)
        nameless: Counter[str] = Counter()
        accepted = refused = 0
        for case, status, answer in answered:
            self.statuses[status] += 1
            taken, errors = outcome(case, status, answer)
            accepted += len(taken) + errors
            refused += errors
            for message_id, kept in taken:
                if message_id is None:
                    nameless[kept] += 1
                else:
                    named[message_id].add(kept)
        missing = set(named)
        rows = self.log.read(self.last, 1_000_000)
        assert len({row.message_id for row in rows}) == len(rows)
        found_nameless: Counter[str] = Counter()
        for row in rows:
            body = json.loads(row.body)
            assert (body["type"], body["messageId"]) == (row.type, row.message_id)
            kept = summary(row.type, body["originalTimestamp"], body)
            if row.message_id in named:
                assert kept in named[row.message_id], (seed, row)
                missing.discard(row.message_id)
            else:
                assert row.message_id.startswith("ev-"), (seed, row)
                found_nameless[kept] += 1
        for message_id in missing:  # a broken body may have made an id that was there before
            assert self.is_stored(message_id), (seed, "acknowledged and not stored", message_id)
        assert found_nameless == nameless, seed
        (tally,) = self.log.tallies() or [self.before]
        assert tally.accepted - self.before.accepted == accepted, seed
        assert tally.quarantined - self.before.quarantined == refused, seed
        assert tally.stored - self.before.stored == len(rows), seed
        assert tally.accepted == tally.stored + tally.duplicate + tally.quarantined
        self.last = rows[-1].seq if rows else self.last
        self.before = tally
        self.cases += len(answered)
        self.acknowledged += accepted - refused

    def is_stored(self, message_id: str) -> bool:
        """Whether the log has an event of this id."""
        con = (
            self.log.con
        )  # never a second SQLite in one process: closing its files drops the locks of the first
        assert con is not None
        return con.execute("select 1 from event where message_id = ?", (message_id,)).fetchone() is not None


def outcome(case: Case, status: int, answer: Any) -> tuple[list[tuple[str | None, str]], int]:
    """The events that the answer acknowledges and how many it refuses; fails where the answer is not the right one."""
    assert status < 500, (case, answer)
    route = case.path.rstrip("/").removeprefix("/v1/")
    if case.method != "POST" or route not in (*SINGLE, *BATCH):
        assert status in (200, 204, 404, 405), (case, status)
        return [], 0
    plain = case.plain if case.plain is not None else unpacked(case)
    if len(case.body) > LARGEST_BATCH or (
        plain is not None and (len(plain) > LARGEST_BATCH or plain == b"large")
    ):
        assert status == 413, (case, status)
        return [], 0
    if status == 401:
        assert not case.let_in or case.codes is None, case
        return [], 0
    assert case.let_in or case.codes is None, (case, status)
    assert status in (200, 400), (case, status, answer)
    errors = {error["index"]: error["code"] for error in answer.get("errors", [])}
    assert answer["success"] is (status == 200)
    try:
        value = read(plain) if plain is not None else None
    except (ValueError, RecursionError):
        value, plain = None, None
    if plain is None:
        assert errors == {None: "unreadable"}, (case, answer)
        return [], 1
    if None in errors:
        whole = route in BATCH and not (isinstance(value, dict) and isinstance(value.get("batch"), list))
        assert (
            errors == {None: "no_batch"} if whole else errors == {None: "unreadable"} and depth(value) > DEEP
        ), (case, answer)
        return [], 1
    messages = [value] if route in SINGLE else merged(value)
    if case.codes is not None:
        assert errors == {n: code for n, code in enumerate(case.codes) if code is not None}, (case, answer)
    assert status == (400 if errors and len(errors) == len(messages) else 200), (case, answer)
    taken = []
    for n, message in enumerate(messages):
        if n not in errors:
            kind = SINGLE.get(route) or message.get("type") or message.get("action")
            original = message.get("originalTimestamp") or message.get("timestamp")
            taken.append((message.get("messageId") or None, summary(kind, original, message)))
    return taken, len(errors)


def merged(value: Any) -> list[Any]:
    """The messages of a batch, each with the context of the batch where it is one."""
    context = value.get("context")
    if not isinstance(context, dict):
        return list(value["batch"])
    return [
        {**m, "context": {**context, **(m.get("context") or {})}}
        if isinstance(m, dict) and (m.get("context") is None or isinstance(m["context"], dict))
        else m
        for m in value["batch"]
    ]


def summary(kind: str, original: Any, message: dict[str, Any]) -> str:
    """A short form of all that must be kept of a message."""
    return hashlib.sha1(f"{kind}\n{original!r}\n{content(message)}".encode()).hexdigest()


def unpacked(case: Case) -> bytes | None:
    """A body whose packing was broken, unpacked by Python's own means; None where that cannot be."""
    encoding = dict(case.headers)[b"content-encoding"].strip().lower()
    try:
        opened = (
            zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
            if encoding in (b"gzip", b"x-gzip", b"deflate")
            else None
        )
        if opened is None:
            return None
        plain = opened.decompress(case.body, LARGEST_BATCH + 1)
    except zlib.error:
        return None
    if len(plain) > LARGEST_BATCH:
        return b"large"
    return plain if opened.eof and not opened.unused_data else None


def depth(value: Any) -> int:
    """How deeply a value is nested."""
    level, most = [value], 0
    while level:
        most += 1
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return most


async def answered(app: Collector, case: Case, chance: random.Random) -> tuple[Case, int, Any]:
    """The answer to one request, whose body comes in pieces."""
    cuts = sorted(chance.randrange(len(case.body) + 1) for _ in range(chance.choice((0, 0, 1, 3))))
    pieces = [case.body[a:b] for a, b in zip([0, *cuts], [*cuts, len(case.body)], strict=True)]
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        body = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": body, "more_body": bool(pieces)}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": case.method,
        "path": case.path,
        "headers": case.headers,
        "scheme": "http",
    }
    await app(scope, receive, send)
    start, end = sent
    headers = dict(start["headers"])
    assert int(headers[b"content-length"]) == len(end["body"])
    is_json = headers.get(b"content-type") == b"application/json"
    return case, start["status"], json.loads(end["body"]) if is_json else end["body"]


async def sent(app: Collector, seed: str, key: str) -> list[tuple[Case, int, Any]]:
    """The answers to the requests of one seed, many at a time."""
    maker, chance, room = Maker(seed, key), random.Random(seed), asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> tuple[Case, int, Any]:
        async with room:
            return await answered(app, case, chance)

    return await asyncio.gather(*(one(maker.case()) for _ in range(EACH)))


def fuzzed(folder: Path, cases: int, named: str, kind: type[EventLog] = EventLog) -> Ledger:
    """What `cases` requests came to."""
    keys = WriteKeys(folder, SystemClock())
    app = Collector(lambda: kind(folder / "events.db"), keys, SystemClock())
    log = EventLog(folder / "events.db")
    ledger = Ledger(log)
    try:
        key = keys.create("web")
        for n in range(cases // EACH):
            seed = f"{named}{n}"
            ledger.settle(seed, run(sent(app, seed, key)))
    finally:
        app.close()
        log.close()
        keys.close()
    print(f"{ledger.cases} cases, {ledger.acknowledged} acknowledged; {sorted(ledger.statuses.items())}")
    return ledger


class Faulty(EventLog):
    """A log that loses, changes or doubles one event in a thousand."""

    fault = ""

    def write(self, deliveries: Sequence[Delivery]) -> None:
        first = deliveries[0]
        if self.fault and len(first.taken) > 2:
            one = first.taken[1]
            changes: dict[str, list[Event]] = {
                "loses": [],
                "changes": [replace(one, body=one.body.replace(b'"fuzz":"', b'"fuzz":"x'))],
                "doubles": [one, replace(one, message_id=f"ev-{one.message_id}")],
            }
            changed = changes[self.fault]
            deliveries = [replace(first, taken=[first.taken[0], *changed, *first.taken[2:]]), *deliveries[1:]]
        super().write(deliveries)


@pytest.mark.parametrize("fault", ["loses", "changes", "doubles"])
def test_a_log_with_a_fault_is_found_out(tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Faulty, "fault", fault)
    with pytest.raises(AssertionError):
        fuzzed(tmp_path, EACH, "faulty", Faulty)


def test_some_thousand_requests(tmp_path: Path) -> None:
    ledger = fuzzed(tmp_path, 3000, "few")
    assert ledger.acknowledged > 3000
    assert {200, 204, 400, 401, 404, 405, 413} <= set(ledger.statuses)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_many_requests(tmp_path: Path, full_proof: bool) -> None:
    ledger = fuzzed(tmp_path, 1_000_000 if full_proof else 60_000, "many")
    assert ledger.acknowledged > ledger.cases
