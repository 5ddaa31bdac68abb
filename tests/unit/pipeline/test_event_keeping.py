"""Events leave the log only where a checked file has them whole; a backup that is restored goes on without doubles."""

from __future__ import annotations

import datetime as dt
import threading
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from evervalue.collector.log import LOG, Delivery, EventLog, Tally
from evervalue.collector.messages import Event
from evervalue.core.clock import FixedClock
from evervalue.core.errors import EvervalueError, InputError, StorageError
from evervalue.core.progress import Silent
from evervalue.pipeline import event_compaction, event_files
from evervalue.pipeline.doctor import examine
from evervalue.pipeline.event_backup import back_up, restore
from evervalue.pipeline.event_compaction import compact_events
from evervalue.pipeline.run import run
from evervalue.pipeline.settings import read_project
from tests.support.projects import evervalue
from tests.support.sites import Site, order

SUMMER = FixedClock(dt.datetime(2024, 6, 1, tzinfo=dt.UTC))
"""Three months after the site's events came."""
ODD: dict[str, Any] = {
    "exact": 1e22,
    "small": 1e-7,
    "minus": -0.0,
    "text": '\u2028 \u0000 \\ " \U0001f600 é',
    "deep": [[{"a": None}]],
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with files of its events; a kept run is taken to hold them all."""
    monkeypatch.setattr(event_compaction, "_held", lambda *_: 10**9)
    site = Site(tmp_path / "shop")
    site.send(order("o1", "2024-01-05", ("p1", 10, 1), **ODD), order("o2", "2024-01-06", ("p1", 20, 1)))
    site.write()
    odd = {"type": "page", "userId": "u1", "context": {"odd": ODD}, "properties": {"path": "/"}}
    site.send({"messageId": "odd \0 \u2028", **odd})
    site.write()
    return site


def log_of(site: Site) -> EventLog:
    return EventLog(site.folder / "evervalue-data" / LOG)


def compacted(site: Site, keep_days: int = 30) -> list[tuple[int, int, str]]:
    done = compact_events(read_project(site.folder), SUMMER, Silent(), keep_days=keep_days)
    return [(one.events, one.files, one.kept_because) for one in done]


def files(site: Site) -> list[Path]:
    return sorted((site.folder / "evervalue-data" / "events" / "web" / "events").glob("*.parquet"))


def test_events_leave_the_log_and_stay_known(site: Site) -> None:
    log = log_of(site)
    before = log.read(0)
    assert compacted(site) == [(3, 2, "")]
    assert log.read(0) == []
    assert log.about("web", ["u1"], 0) == []
    assert log.last() == before[-1].seq
    assert log.tallies() == [Tally("web", 3, 3, 0, 0)]
    log.write([Delivery("web", 9, [Event(one.message_id, "track", 5, "u1", b"{}") for one in before])])
    assert log.tallies() == [Tally("web", 6, 3, 3, 0)]
    assert log.read(0) == []
    kept = site.written("select seq, body from written order by seq", "events")
    assert [(seq, body.encode()) for seq, body in kept] == [(one.seq, one.body) for one in before]
    assert compacted(site) == [(0, 0, "")]
    site.send(order("o3", "2024-01-07", ("p1", 30, 1)))
    site.write()
    assert [number for (number,) in site.written("select order_id from written order by seq")] == [
        "o1",
        "o2",
        "o3",
    ]


def test_what_is_young_or_not_written_or_not_in_every_kept_run_stays(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.send(order("o3", "2024-01-07", ("p1", 30, 1)))
    assert compacted(site, keep_days=100) == [(0, 0, "the rest is not old enough")]
    monkeypatch.setattr(event_compaction, "_held", lambda *_: 2)
    assert compacted(site) == [(2, 1, "a kept run does not hold what came since")]
    monkeypatch.setattr(event_compaction, "_held", lambda *_: 10**9)
    assert compacted(site) == [(1, 1, "")]
    assert [one.seq for one in log_of(site).read(0)] == [4]


def test_a_damaged_file_lets_nothing_go(site: Site) -> None:
    first = files(site)[0]
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    with pytest.raises(StorageError, match="is damaged"):
        compacted(site)
    assert len(log_of(site).read(0)) == 3
    told = {one.what: one for one in examine(site.folder, SUMMER)}["files of events of web"]
    assert not told.fine
    assert "is damaged" in told.says


def test_a_file_without_its_checksum_lets_nothing_go(site: Site) -> None:
    for beside in files(site)[0].parent.glob("*.sha256"):
        beside.unlink()
    with pytest.raises(StorageError, match="cannot be checked"):
        compacted(site)
    assert len(log_of(site).read(0)) == 3


def test_a_body_that_the_file_does_not_have_to_the_letter_stays(site: Site) -> None:
    con = apsw.Connection(str(site.folder / "evervalue-data" / LOG))
    con.execute("update event set body = cast(replace(cast(body as text), 'o2', 'o9') as blob) where seq = 2")
    con.close()
    with pytest.raises(StorageError, match="does not hold event 2"):
        compacted(site)
    assert [one.seq for one in log_of(site).read(0)] == [2, 3]


def test_files_of_another_layout_are_written_anew_also_of_events_that_left_the_log(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = site.written("select * from written order by seq", "events")
    lines = site.written("select * from written order by seq, part, place")
    assert compacted(site) == [(3, 2, "")]
    monkeypatch.setattr(event_files, "LAYOUT", event_files.LAYOUT + 1)
    site.send({"type": "page", "userId": "u2"})
    site.write()
    assert site.written("select * from written order by seq", "events")[:3] == before
    assert site.written("select * from written order by seq, part, place") == lines
    assert len(files(site)) == 1
    assert not (files(site)[0].parents[1] / event_files.BEFORE).exists()


def test_space_is_given_back_while_others_write(tmp_path: Path) -> None:
    path, ending = tmp_path / LOG, threading.Event()
    log = EventLog(path)
    body = b"x" * 2000
    for start in range(0, 4_000, 1000):
        log.write(
            [Delivery("web", 9, [Event(f"m{n}", "page", 5, "u", body) for n in range(start, start + 1000)])]
        )
    acknowledged: list[str] = []

    def go_on() -> None:
        mine = EventLog(path)
        while not ending.is_set():
            name = f"later-{len(acknowledged)}"
            mine.write([Delivery("web", 9, [Event(name, "page", 5, "u", b"small")])])
            acknowledged.append(name)
            time.sleep(0.002)  # what is written meanwhile stays small beside what goes
        mine.close()

    writer = threading.Thread(target=go_on)
    writer.start()
    other = EventLog(path)
    large = path.stat().st_size
    assert other.let_go("web", [(seq, body) for seq in range(1, 4_001)]) == 4_000
    other.give_back()
    ending.set()
    writer.join()
    log.close()
    other.close()
    assert acknowledged
    assert path.stat().st_size < large / 4
    log = EventLog(path)
    assert [one.message_id for one in log.read(0, 10**6)] == acknowledged
    assert log.con is not None
    assert log.con.pragma("integrity_check") == "ok"
    log.write([Delivery("web", 9, [Event("m7", "page", 5, "u", body)])])
    assert log.tallies()[0].duplicate == 1


def test_a_log_that_cannot_shrink_page_by_page_is_written_anew_once(tmp_path: Path) -> None:
    path = tmp_path / LOG
    con = apsw.Connection(str(path))
    con.execute("create table source (source_id integer primary key, name text not null unique) strict")
    con.close()
    log = EventLog(path)
    log.write([Delivery("web", 9, [Event(f"m{n}", "page", 5, "u", b"x" * 3000) for n in range(500)])])
    log.close()
    large = path.stat().st_size
    log.let_go("web", [(seq, b"x" * 3000) for seq in range(1, 501)])
    log.give_back()
    log.close()
    assert path.stat().st_size < large / 8


def test_a_backup_that_is_taken_under_load_holds_all_that_was_acknowledged_before(
    site: Site, tmp_path: Path
) -> None:
    acknowledged: list[str] = []
    ending, going = threading.Event(), threading.Event()

    def go_on() -> None:
        mine = log_of(site)
        while not ending.is_set():
            names = [f"busy-{len(acknowledged) + n}" for n in range(50)]
            mine.write([Delivery("web", 9, [Event(name, "page", 5, "u", b"y" * 500) for name in names])])
            acknowledged.extend(names)
            if len(acknowledged) > 2000:
                going.set()
        mine.close()

    writer = threading.Thread(target=go_on)
    writer.start()
    assert going.wait(30)
    known = set(acknowledged)
    copy, checksum = back_up(read_project(site.folder), tmp_path / "backup.db")
    ending.set()
    writer.join()
    assert (tmp_path / "backup.db.sha256").read_text() == f"{checksum}  backup.db\n"
    taken = EventLog(copy.path)
    stored = [one.message_id for one in taken.read(0, 10**6)]
    assert known <= set(stored)
    assert len(set(stored)) == len(stored) == taken.tallies()[0].stored
    taken.close()
    with pytest.raises(InputError, match="is there already"):
        back_up(read_project(site.folder), tmp_path / "backup.db")


def test_a_restore_goes_on_without_doubles_and_passes_nothing_over(site: Site, tmp_path: Path) -> None:
    found = read_project(site.folder)
    back_up(found, tmp_path / "backup.db")
    site.send(order("o3", "2024-01-07", ("p1", 30, 1)))
    site.write()
    site.send(
        {"messageId": "lost", **order("o4", "2024-01-08", ("p1", 40, 1))}
    )  # in no file, and in no backup
    with pytest.raises(InputError, match="--replace"):
        restore(found, tmp_path / "backup.db", replace=False)
    user = log_of(site)
    with pytest.raises(InputError, match="is in use"):
        restore(found, tmp_path / "backup.db", replace=True)
    user.close()
    done = restore(found, tmp_path / "backup.db", replace=True)
    assert (done.copy.last, done.taken_up, len(done.aside)) == (3, 1, 1)
    log = log_of(site)
    assert [(one.seq, one.message_id) for one in log.read(0)] == [
        (1, "m1"),
        (2, "m2"),
        (3, "odd \0 \u2028"),
        (4, "m4"),
    ]
    assert log.tallies() == [Tally("web", 4, 4, 0, 0)]
    log.close()
    site.n = 3
    site.send(order("o3", "2024-01-07", ("p1", 30, 1)))  # sent again: its place is taken
    site.send({"messageId": "lost", **order("o4", "2024-01-08", ("p1", 40, 1))})
    site.write()
    assert log_of(site).tallies() == [Tally("web", 6, 5, 1, 0)]
    assert [number for (number,) in site.written("select order_id from written order by seq")] == [
        "o1", "o2", "o3", "o4",
    ]  # fmt: skip
    old = EventLog(done.aside[0])
    assert [one.message_id for one in old.read(3)] == ["m4", "lost"]


def test_a_copy_that_has_gone_on_by_itself_is_noticed_also_where_it_is_as_long_as_the_files(
    site: Site, tmp_path: Path
) -> None:
    back_up(read_project(site.folder), tmp_path / "backup.db")
    site.send(order("o3", "2024-01-07", ("p1", 30, 1)))
    site.write()
    log = site.folder / "evervalue-data" / LOG
    log.write_bytes((tmp_path / "backup.db").read_bytes())  # put back by hand, and not by `restore`
    site.n = 100
    site.send(order("o5", "2024-01-08", ("p1", 50, 1)), order("o6", "2024-01-08", ("p1", 60, 1)))
    with pytest.raises(StorageError, match="Event 4 .* is not the one in"):
        site.write()


@pytest.mark.parametrize("what", ["not a log", "torn", "changed"])
def test_what_is_no_whole_backup_is_refused_and_the_log_stays(site: Site, tmp_path: Path, what: str) -> None:
    found, copy = read_project(site.folder), tmp_path / "backup.db"
    back_up(found, copy)
    if what != "changed":
        (tmp_path / "backup.db.sha256").unlink()
    content = copy.read_bytes()
    copy.write_bytes({"not a log": b"x" * 5000, "torn": content[:-8192], "changed": content + b" "}[what])
    with pytest.raises(EvervalueError, match="damaged|is not what"):
        restore(found, copy, replace=True)
    assert len(log_of(site).read(0)) == 3
    assert sorted(p.name for p in (site.folder / "evervalue-data").glob("events.db*")) == ["events.db"]


@pytest.mark.slow
def test_a_run_compacts_where_the_settings_say_so_and_the_tables_stay(tmp_path: Path) -> None:
    toml = '[project]\ncurrency = "USD"\n[sources.web]\nkind = "events"\n[collector]\nkeep = "30d"\n'
    site = Site(tmp_path / "shop", toml)
    site.send(order("o1", "2024-01-05", ("p1", 10, 1)), order("o2", "2024-01-06", ("p1", 20, 1), user="u2"))
    run(read_project(site.folder), progress=Silent(), clock=SUMMER)
    assert [one.seq for one in log_of(site).read(0)] == []
    lines = site.lines()
    site.send(order("o3", "2024-01-07", ("p1", 30, 1)))
    later = FixedClock(SUMMER.at + dt.timedelta(days=1))
    run(read_project(site.folder), progress=Silent(), clock=later, full_refresh=True)
    assert [line for line in site.lines() if line[0] != "o3"] == lines
    # The run before does not hold it, and is kept: its profile tells it live.
    assert [one.seq for one in log_of(site).read(0)] == [3]
    told = evervalue("events", "compact", "--keep", "0d", cwd=site.folder).stdout
    assert "a kept run does not hold" in told
    assert evervalue("events", "backup", "copy.db", cwd=site.folder).stdout.endswith("  copy.db\n")
    told = evervalue("events", "restore", "copy.db", "--replace", cwd=site.folder).stdout
    assert "every event up to 3" in told
