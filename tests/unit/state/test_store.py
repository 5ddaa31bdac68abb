"""What people keep is whole or not at all, for many threads at once, and grows with its versions."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from pathlib import Path

import pytest

from evervalue.core.errors import StorageError
from evervalue.state.store import Schema, Store, stamp

FIRST = Schema("notes", ("create table note (id integer primary key, says text not null) strict;",))
SECOND = Schema(
    "notes",
    (*FIRST.versions, "alter table note add column author text; create index note_author on note (author);"),
)


def test_a_change_is_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path, FIRST)
    with store.write() as change:
        assert change.run("insert into note (says) values (?)", "one") == 1

    def fails() -> None:
        with store.write() as change:
            change.run("insert into note (says) values (?)", "two")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    with store.read() as asked:
        assert asked.rows("select says from note") == [{"says": "one"}]
        assert asked.row("select says from note where id = 9") is None
    store.close()


def test_tables_grow_with_their_version_and_are_refused_by_an_older_one(tmp_path: Path) -> None:
    with Store(tmp_path, FIRST).write() as change:
        change.run("insert into note (says) values ('kept')")
    with Store(tmp_path, SECOND).read() as asked:
        assert asked.rows("select says, author from note") == [{"says": "kept", "author": None}]
    with pytest.raises(StorageError, match="newer version"), Store(tmp_path, FIRST).read():
        pass


def test_many_threads_write_and_none_is_lost(tmp_path: Path) -> None:
    store = Store(tmp_path, FIRST)

    def add() -> None:
        for _ in range(20):
            with store.write() as change:
                change.run("insert into note (says) values ('x')")

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as asked:
        assert asked.row("select count(*) as n from note") == {"n": 120}


def test_a_broken_promise_is_for_its_part_and_a_broken_file_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path, FIRST)
    with pytest.raises(sqlite3.IntegrityError), store.write() as change:
        change.run("insert into note (says) values (null)")
    store.close()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "state.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="cannot be used"), Store(tmp_path / "broken", FIRST).read():
        pass


def test_times_sort_as_texts() -> None:
    moment = dt.datetime(2024, 5, 6, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert stamp(moment) == "2024-05-05T23:00:00Z"
