"""The event log stores an event once, and keeps account of all that came."""

from __future__ import annotations

import threading
from pathlib import Path

import apsw
import pytest

from evervalue.collector.log import LAYOUT, Delivery, EventLog, Position, Tally
from evervalue.collector.messages import Event, Refusal
from evervalue.collector.writer import Writer
from evervalue.core.errors import EvervalueError, StorageError


def event(name: str) -> Event:
    return Event(name, "track", 5, "ann", b'{"messageId":"%s"}' % name.encode())


def delivery(*names: str, source: str = "web", refused: int = 0) -> Delivery:
    bad = [Refusal("no_event", "A track event must have a name.", b"{}")] * refused
    return Delivery(source, 9, [event(name) for name in names], bad)


def test_an_event_is_stored_once_by_its_source_and_id(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db")
    log.write([delivery("a", "b", "a"), delivery("b", "c", refused=2)])
    log.write([delivery("a", source="till")])
    assert [(e.source, e.message_id) for e in log.read(0)] == [
        ("web", "a"),
        ("web", "b"),
        ("web", "c"),
        ("till", "a"),
    ]
    assert log.tallies() == [Tally("till", 1, 1, 0, 0), Tally("web", 7, 3, 2, 2)]
    log.close()
    again = EventLog(tmp_path / "events.db")
    again.write([delivery("c", "d")])
    places = [e.seq for e in again.read(0)]
    assert places == sorted(places)
    assert [e.message_id for e in again.read(places[2])] == ["a", "d"]
    assert again.last() == places[-1]


def test_events_are_found_by_whose_they_are(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db")
    bob = Event("c", "track", 5, "bob", b"{}")
    log.write([delivery("a", "b"), Delivery("web", 9, [bob]), delivery("d"), delivery("e", source="till")])
    assert [e.message_id for e in log.about("web", ["ann"], 0)] == ["a", "b", "d"]
    assert [e.message_id for e in log.about("web", ["bob", "ann"], 1)] == ["b", "c", "d"]
    assert log.about("web", ["nobody"], 0) == []
    assert log.about("web", [], 0) == []
    assert log.about("none", ["ann"], 0) == []


OF_LAYOUT_1 = """
create table event (
    seq integer primary key autoincrement, source_id integer not null, message_id text not null,
    type text not null, at_us integer not null, received_us integer not null, body blob,
    unique (source_id, message_id)
) strict;
create table source (source_id integer primary key, name text not null unique) strict;
insert into source values (1, 'web');
insert into event (source_id, message_id, type, at_us, received_us, body) values
    (1, 'a', 'track', 5, 9, cast('{"userId": " ann ", "anonymousId": "v1"}' as blob)),
    (1, 'b', 'track', 5, 9, cast('{"userId": "", "anonymousId": "v1"}' as blob)),
    (1, 'c', 'track', 5, 9, cast('{"userId": 17}' as blob)),
    (1, 'd', 'track', 5, 9, null);
pragma user_version = 1;
"""


def test_a_log_of_the_version_before_learns_whose_its_events_are(tmp_path: Path) -> None:
    con = apsw.Connection(str(tmp_path / "events.db"))
    con.execute(OF_LAYOUT_1)
    con.close()
    log = EventLog(tmp_path / "events.db")
    assert [e.message_id for who in ("ann", "v1", "17") for e in log.about("web", [who], 0)] == [
        "a",
        "b",
        "c",
    ]
    assert log.last() == 4
    log.close()
    assert EventLog(tmp_path / "events.db").last() == 4


def test_a_write_that_fails_stores_nothing_of_it(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db")
    log.write([delivery("a")])
    bad = Delivery("web", 9, [event("b"), Event("c", "track", "no number", "ann", b"{}")])  # type: ignore[arg-type]
    with pytest.raises(StorageError, match="could not be used"):
        log.write([delivery("x"), bad])
    assert [e.message_id for e in log.read(0)] == ["a"]
    log.write([delivery("b")])
    assert log.tallies() == [Tally("web", 2, 2, 0, 0)]


def read_to(n: int) -> dict[tuple[str, str], str]:
    return {("clicks", "shard-1"): str(n)}


def test_how_far_a_stream_is_read_stands_with_what_was_read(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db")
    assert log.positions("web") == []
    log.write([Delivery("web", 7, [event("a")], positions={**read_to(1), ("clicks", "shard-0"): "x"})])
    log.write([Delivery("till", 8, [], positions=read_to(40)), Delivery("web", 9, [], positions=read_to(2))])
    assert log.positions("web") == [
        Position("clicks", "shard-0", "x", 7),
        Position("clicks", "shard-1", "2", 9),
    ]
    bad = Event("c", "track", "no number", "ann", b"{}")  # type: ignore[arg-type]
    with pytest.raises(StorageError):
        log.write([Delivery("web", 10, [event("b")], positions=read_to(3)), Delivery("web", 11, [bad])])
    assert log.positions("web")[1] == Position("clicks", "shard-1", "2", 9)
    log.close()
    assert [p.position for p in EventLog(tmp_path / "events.db").positions("till")] == ["40"]


def test_a_log_of_layout_2_learns_to_hold_positions(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db")
    log.write([delivery("a")])
    log.close()
    con = apsw.Connection(str(tmp_path / "events.db"))
    con.execute("drop table position; pragma user_version = 2;")
    con.close()
    log = EventLog(tmp_path / "events.db")
    log.write([Delivery("web", 9, [event("a"), event("b")], positions=read_to(2))])
    assert [e.message_id for e in log.read(0)] == ["a", "b"]
    assert [p.position for p in log.positions("web")] == ["2"]


def test_a_log_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    other = apsw.Connection(str(tmp_path / "events.db"))
    other.execute("create table half (made); begin immediate; insert into half values (1)")
    done = threading.Timer(0.3, lambda: other.execute("commit"))
    done.start()
    log = EventLog(tmp_path / "events.db")
    log.write([delivery("m1")])
    assert log.last() == 1
    done.join()


def test_a_log_of_a_later_version_is_refused(tmp_path: Path) -> None:
    EventLog(tmp_path / "events.db").close()
    con = apsw.Connection(str(tmp_path / "events.db"))
    con.pragma("user_version", LAYOUT + 1)
    con.close()
    with pytest.raises(StorageError, match="later version"):
        EventLog(tmp_path / "events.db")


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "events.db").write_text("not a database at all, whatever its name says" * 50)
    with pytest.raises(StorageError, match="could not be used"):
        EventLog(tmp_path / "events.db")


class Held:
    """Waits until deliveries are written, and keeps what was said of each."""

    def __init__(self) -> None:
        self.said: list[EvervalueError | None] = []
        self.all = threading.Semaphore(0)

    def __call__(self, error: EvervalueError | None) -> None:
        self.said.append(error)
        self.all.release()

    def wait(self, n: int) -> list[EvervalueError | None]:
        for _ in range(n):
            assert self.all.acquire(timeout=10)
        return self.said


def test_many_deliveries_are_written_together_and_each_is_told(tmp_path: Path) -> None:
    path, held = tmp_path / "events.db", Held()
    writer = Writer(lambda: EventLog(path))
    log = EventLog(path)
    for n in range(200):
        assert writer.put(delivery(f"m{n % 150}"), held)
    assert held.wait(200) == [None] * 200
    writer.close()
    assert log.tallies() == [Tally("web", 200, 150, 50, 0)]


class Stuck(EventLog):
    """A log whose disk does not answer until it is let."""

    let = threading.Event()
    begun = threading.Event()

    def write(self, deliveries: object) -> None:
        self.begun.set()
        assert self.let.wait(10)
        super().write(deliveries)  # type: ignore[arg-type]


def test_a_queue_that_is_full_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evervalue.collector.writer.MOST_EVENTS", 10)
    path, held = tmp_path / "events.db", Held()
    log = EventLog(path)
    writer = Writer(lambda: Stuck(path))
    assert writer.put(delivery("first"), held)
    assert Stuck.begun.wait(10)
    room = [writer.put(delivery(f"m{n}"), held) for n in range(15)]
    assert room == [True] * 10 + [False] * 5
    Stuck.let.set()
    held.wait(11)
    writer.close()
    assert len(log.read(0)) == 11


def test_who_waits_is_told_of_the_disk_and_the_next_write_tries_again(tmp_path: Path) -> None:
    path, held = tmp_path / "events.db", Held()
    log = EventLog(path)
    fails = [True]

    def connect() -> apsw.Connection:
        if fails:
            raise apsw.FullError("database or disk is full")
        return apsw.Connection(str(path))

    writer = Writer(lambda: EventLog(path, connect))
    assert writer.put(delivery("a"), held)
    (error,) = held.wait(1)
    assert isinstance(error, StorageError)
    assert "disk is full" in str(error)
    fails.clear()
    assert writer.put(delivery("a"), held)
    assert held.wait(1)[1] is None
    writer.close()
    assert log.tallies() == [Tally("web", 1, 1, 0, 0)]


def test_what_nobody_foresaw_is_told_and_the_writer_goes_on(tmp_path: Path) -> None:
    path, held = tmp_path / "events.db", Held()
    log = EventLog(path)
    writer = Writer(lambda: EventLog(path))
    half = Delivery("web", 9, [Event("half \ud83d", "track", 5, "ann", b"{}")])  # no text that SQLite takes
    assert writer.put(half, held)
    assert isinstance(held.wait(1)[0], StorageError)
    assert writer.put(delivery("a"), held)
    assert held.wait(1)[1] is None
    writer.close()
    assert log.tallies() == [Tally("web", 1, 1, 0, 0)]


def test_a_source_is_told_anew_to_a_file_that_was_put_in_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    log = EventLog(path)
    log.write([delivery("a")])
    log.close()
    path.unlink()
    log.write([delivery("b", source="till"), delivery("c")])
    assert [(e.source, e.message_id) for e in log.read(0)] == [("till", "b"), ("web", "c")]


@pytest.mark.parametrize("end", ["-wal", "-shm"])
def test_a_part_of_the_log_that_is_deleted_is_noticed_and_nothing_acknowledged_is_lost(
    tmp_path: Path, end: str
) -> None:
    path = tmp_path / "events.db"
    log = EventLog(path)
    log.write([delivery("a", "b")])
    path.with_name(f"events.db{end}").unlink()
    with pytest.raises(StorageError, match=f"events.db{end} was deleted or replaced"):
        log.write([delivery("c")])
    log.write([delivery("c", "d")])  # as the sender does who was told 503
    log.close()
    assert [e.message_id for e in EventLog(path).read(0)] == ["a", "b", "c", "d"]


def test_more_events_than_one_statement_takes_are_each_stored_once(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db")
    names = [f"m{n}" for n in range(123)]
    log.write([delivery(*names[:60], *names[:60]), delivery(*names, refused=1)])
    assert [e.message_id for e in log.read(0)] == names
    assert log.tallies() == [Tally("web", 244, 123, 120, 1)]
