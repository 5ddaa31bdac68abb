"""A log in PostgreSQL is the log in a file to who uses it, and several collectors write to it at once."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evervalue.collector import postgres as shared
from evervalue.collector.keys import WriteKeys
from evervalue.collector.log import Delivery, EventLog, Position, Tally
from evervalue.collector.messages import Event, Refusal
from evervalue.collector.postgres_keys import HELD_SECONDS, PostgresKeys
from evervalue.collector.postgres_log import PostgresLog
from evervalue.collector.records import CANARY, Log
from evervalue.core.clock import FixedClock, SystemClock
from evervalue.core.errors import InputError, SettingsError, StorageError
from evervalue.pipeline.event_log import database, open_log
from evervalue.pipeline.settings import read_project
from evervalue.sources.databases.connection import Address
from tests.support.projects import project

if TYPE_CHECKING:
    from tests.support.postgres import Postgres


@pytest.fixture
def address(postgres: Postgres) -> Address:
    return Address("collector", postgres.fresh_database("events"))


@pytest.fixture
def log(address: Address) -> Iterator[PostgresLog]:
    log = PostgresLog(address)
    yield log
    log.close()


def event(name: str, who: str | None = "ann", at_us: int = 5) -> Event:
    return Event(name, "track", at_us, who, b'{"messageId":"%s"}' % name.encode())


def scripted(log: Log) -> list[object]:
    """What a log says after deliveries of every kind; any log must say the same."""
    bad = [Refusal("no_event", "A track event must have a name.", b"{}")]
    log.write([Delivery("web", 9, [event("a"), event("b", "bob"), event("a")], bad)])
    log.write(
        [Delivery("till", 10, [event("a", None, 99)]), Delivery("web", 11, [event("b"), event("c")], bad)]
    )
    log.write([Delivery("web", 12, [], positions={("clicks", "1"): "7", ("clicks", "0"): "x"})])
    log.write([Delivery("web", 13, [event("nul \0", "who \0")], positions={("clicks", "1"): "8"})])
    log.write([Delivery(CANARY, 14, [event("canary", "tweet")])])
    log.forget(CANARY, 14)
    read = log.read(0)
    third = read[2].seq
    return [
        [(e.source, e.message_id, e.type, e.at_us, e.received_us, e.body) for e in read],
        [e.message_id for e in log.of("web", 0, 2)],
        [e.message_id for e in log.about("web", ["ann", "who \0"], 0)],
        [e.message_id for e in log.about("web", [], 0)],
        [e.message_id for e in log.recent("web", ["ann", "bob"], 2)],
        [(w.source, w.who) for w in log.whose(0, 10)],
        [e.message_id for e in log.read(third, 1)],
        [e.message_id for e in log.read(log.before(2))],
        log.last() == read[-1].seq,
        log.newest_us(0),
        log.newest_us(log.last()),
        log.tallies(),
        log.positions("web"),
        log.positions("till"),
        [(r.source, r.code, r.body) for r in log.refused("web", 10)],
        log.refused(None, 1)[0].received_us,
        log.reasons(None),
        len(log.about(CANARY, ["tweet"], 0)),
    ]  # fmt: skip


def test_it_says_what_the_log_in_a_file_says(tmp_path: Path, log: PostgresLog) -> None:
    said = scripted(log)
    assert said == scripted(EventLog(tmp_path / "events.db"))
    assert said[11] == [Tally("till", 1, 1, 0, 0), Tally("web", 8, 4, 2, 2)]
    assert said[12] == [Position("clicks", "0", "x", 12), Position("clicks", "1", "8", 13)]


def test_a_write_that_fails_stores_nothing_of_it(log: PostgresLog) -> None:
    log.write([Delivery("web", 9, [event("a")])])
    with pytest.raises(StorageError, match="could not be used"):
        log.write([Delivery("web", 9, [event("b")]), Delivery("web", 2**70, [event("c")])])
    assert [e.message_id for e in log.read(0)] == ["a"]
    log.write([Delivery("web", 9, [event("b")])])
    assert log.tallies() == [Tally("web", 2, 2, 0, 0)]


def readers_view(address: Address, writers: int, commits: int) -> tuple[list[str], set[str]]:
    """What one read who went on behind the last seq that it saw, and what was written meanwhile."""
    sent: set[str] = set()
    ending = threading.Event()

    def write(n: int) -> None:
        mine = PostgresLog(address)
        for i in range(commits):
            names = [f"{n}-{i}-{k}" for k in range(1 + (n + i) % 7)]
            mine.write([Delivery("web", 9, [event(name) for name in names])])
            sent.update(names)
        mine.close()

    seen: list[str] = []

    def read() -> None:
        mine, after = PostgresLog(address), 0
        while True:
            last_look = ending.is_set()
            for one in mine.read(after):
                seen.append(one.message_id)
                after = one.seq
            if last_look:
                break
        mine.close()

    reader = threading.Thread(target=read)
    threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
    for thread in (reader, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    ending.set()
    reader.join()
    return seen, sent


def test_who_reads_behind_a_seq_misses_nothing_that_is_written_at_once(address: Address) -> None:
    seen, sent = readers_view(address, 6, 40)
    assert len(seen) == len(sent)
    assert set(seen) == sent


def test_without_the_lock_a_reader_would_miss_events(address: Address) -> None:
    """The proof that the test before can fail: two transactions, of which the second commits first."""
    slow, quick = PostgresLog(address), PostgresLog(address)
    for one in (slow, quick):
        one.write([Delivery("web", 9, []), Delivery("till", 9, [])])
    with slow._shared.told() as con, con.transaction():  # what `written` does, without its lock
        slow._deliver(con, "web", [Delivery("web", 9, [event("slow")])])
        # Of two sources: the tally's row would make the second wait for the first even so.
        with quick._shared.told() as other, other.transaction():
            quick._deliver(other, "till", [Delivery("till", 9, [event("quick")])])
        assert [e.message_id for e in quick.read(0)] == ["quick"]
        after = quick.last()
    assert [e.message_id for e in quick.read(after)] == []
    assert [e.message_id for e in quick.read(0)] == ["slow", "quick"]
    slow.close()
    quick.close()


def test_a_database_that_is_gone_is_told_without_its_password_and_taken_up_again(
    address: Address, postgres: Postgres, log: PostgresLog
) -> None:
    log.write([Delivery("web", 9, [event("a")])])
    postgres.stop()
    try:
        with pytest.raises(StorageError, match="could not be used") as told:
            log.write([Delivery("web", 9, [event("b")])])
        with pytest.raises(StorageError) as again:
            log.write([Delivery("web", 9, [event("b")])])
        assert postgres.password not in f"{told.value}{again.value}"
    finally:
        postgres.start()
    log.write([Delivery("web", 9, [event("b")])])
    assert [e.message_id for e in log.read(0)] == ["a", "b"]


def test_tables_of_a_later_version_are_refused(log: PostgresLog, address: Address) -> None:
    log._shared.rows("update evervalue.layout set version = 99")
    with pytest.raises(StorageError, match="later version"):
        PostgresLog(address)


def test_two_that_start_at_once_make_the_tables_once(address: Address) -> None:
    logs: list[PostgresLog] = []
    threads = [threading.Thread(target=lambda: logs.append(PostgresLog(address))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(logs) == 6
    assert logs[0]._shared.rows("select version from evervalue.layout") == [(shared.LAYOUT,)]
    for log in logs:
        log.close()


def test_a_log_that_waits_for_no_disk_is_told_to(postgres: Postgres, address: Address) -> None:
    postgres.execute("alter database events set synchronous_commit = off")
    log = PostgresLog(address)
    assert log._shared.rows("show synchronous_commit") == [("on",)]
    log.close()


def test_keys_are_shared(address: Address, tmp_path: Path) -> None:
    clock = FixedClock(dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC))
    here, there = PostgresKeys(address, clock), PostgresKeys(address, SystemClock())
    key = here.create("web")
    assert there.source_of(key) == "web"
    assert here.source_of("evw_nobody") is None
    assert [(k.source, k.shown, k.revoked_at) for k in there.all()] == [("web", key[:8], None)]
    with pytest.raises(InputError, match="cannot name a source"):
        here.create("No Name")
    here.revoke(key[:8])
    assert here.source_of(key) is None
    assert there.all()[0].revoked_at is not None
    in_a_file = WriteKeys(tmp_path, clock)
    assert in_a_file.source_of(key) is None
    for keys in (here, there, in_a_file):
        keys.close()


def test_a_key_that_was_revoked_elsewhere_lets_in_for_seconds_only(address: Address) -> None:
    clock = FixedClock(dt.datetime(2026, 1, 2, tzinfo=dt.UTC))
    here, there = PostgresKeys(address, clock), PostgresKeys(address, SystemClock())
    key = there.create("web")
    assert here.source_of(key) == "web"
    there.revoke(key[:8])
    assert here.source_of(key) == "web"
    clock.at += dt.timedelta(seconds=HELD_SECONDS)
    assert here.source_of(key) is None
    here.close()
    there.close()


def test_keys_cannot_be_read_while_the_database_is_gone(address: Address, postgres: Postgres) -> None:
    clock = FixedClock(dt.datetime(2026, 1, 2, tzinfo=dt.UTC))
    keys = PostgresKeys(address, clock)
    key = keys.create("web")
    postgres.stop()
    try:
        with pytest.raises(StorageError):
            keys.source_of(key)
        with pytest.raises(StorageError):
            keys.source_of(key)
    finally:
        postgres.start()
    clock.at += dt.timedelta(seconds=1)
    assert keys.source_of(key) == "web"
    keys.close()


def test_the_settings_name_the_database(
    tmp_path: Path, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    sales = {"sales.csv": "order,date,customer,amount\n"}
    folder = project(tmp_path / "shop", sales)
    with (folder / "evervalue.toml").open("a") as file:
        file.write('\n[collector]\nconnection = "${EVENTS_DSN}"\n')
    found = read_project(folder)
    with pytest.raises(SettingsError, match="EVENTS_DSN"):
        open_log(found)
    monkeypatch.setenv("EVENTS_DSN", address.text)
    log = open_log(found)
    assert isinstance(log, PostgresLog)
    assert "***" in log.where
    log.close()
    monkeypatch.setenv("EVENTS_DSN", "mysql://u:p@h/d")
    with pytest.raises(SettingsError, match="'mysql' is another database"):
        database(found)


def test_bodies_leave_it_and_events_stay_known(log: PostgresLog) -> None:
    log.write([Delivery("web", 9, [event("a"), event("b")]), Delivery("till", 9, [event("a")])])
    first, second, _ = log.read(0)
    assert log.let_go("web", [(first.seq, first.body), (second.seq, b"another"), (99, b"")]) == 1
    log.give_back()
    assert [(e.source, e.message_id) for e in log.read(0)] == [("web", "b"), ("till", "a")]
    log.write([Delivery("web", 9, [event("a")])])
    assert log.tallies() == [Tally("till", 1, 1, 0, 0), Tally("web", 3, 2, 1, 0)]
    assert log.newest_us(0) == 5
