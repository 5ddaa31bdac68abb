"""Readers follow the pointer, never see half a run, and stop what runs too long."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from evervalue.api.settings import ServerSettings
from evervalue.api.snapshots import QueryTimeout, SnapshotReader, SnapshotUnreadable, Statement
from evervalue.core.errors import NothingPublished
from evervalue.warehouse.duckdb import EngineError
from tests.support.site import saas_data

RUN = Statement("select run_id from run.settings", {})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory of its own, with one run."""
    shutil.copytree(saas_data() / "runs", tmp_path / "runs")
    shutil.copy(saas_data() / "current", tmp_path / "current")
    return tmp_path


def publish_again(data: Path, run_id: str) -> None:
    """The same tables under another run, with the pointer swapped as a run does it."""
    first = next((data / "runs").iterdir())
    shutil.copytree(first, data / "runs" / run_id)
    (data / "current.new").write_text(run_id + "\n")
    (data / "current.new").replace(data / "current")


def test_before_the_first_run_and_after(tmp_path: Path) -> None:
    reader = SnapshotReader(tmp_path)
    with pytest.raises(NothingPublished), reader.lease():
        pass
    shutil.copytree(saas_data() / "runs", tmp_path / "runs")
    shutil.copy(saas_data() / "current", tmp_path / "current")
    with reader.lease() as reading:
        assert reading.run.project_name == "SaaS example"
    reader.close()


def test_a_new_run_is_followed_and_the_old_one_closed_by_its_last_reader(data: Path) -> None:
    reader = SnapshotReader(data)
    with reader.lease() as old:
        before = old.run_id
        publish_again(data, "29990101T000000Z")
        with reader.lease() as new:
            assert new.run_id == "29990101T000000Z"
            assert old.run_id == before
            assert old.rows(RUN)[0]["run_id"] == before
        shutil.rmtree(data / "runs" / before)
        assert len(old.rows(Statement("select 1 from insight.customer_list", {}))) == 99, "still readable"
        held = old._opened.connection
    with pytest.raises(EngineError):
        held.cursor()
    reader.close()


def test_a_broken_new_run_leaves_the_old_one_served(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader = SnapshotReader(data)
    with reader.lease() as reading:
        before = reading.run_id
    publish_again(data, "29990101T000000Z")
    (data / "runs" / "29990101T000000Z" / "snapshot.duckdb").write_bytes(b"not a database")
    with reader.lease() as reading:
        assert reading.run_id == before
        assert len(reading.rows(Statement("select 1 from insight.tiers", {}))) == 3
    assert "still serving" in caplog.text
    reader.close()


@pytest.mark.parametrize("pointer", [b"\xff\xfe", b"\0", b"nowhere"])
def test_a_broken_pointer_leaves_the_old_run_served(data: Path, pointer: bytes) -> None:
    reader = SnapshotReader(data)
    with reader.lease() as reading:
        before = reading.run_id
    (data / "current").write_bytes(pointer)
    with reader.lease() as reading:
        assert reading.run_id == before
    reader.close()


def damaged(data: Path, at: int) -> None:
    """The published file with one of its parts overwritten."""
    file = next((data / "runs").iterdir()) / "snapshot.duckdb"
    content = bytearray(file.read_bytes())
    content[at : at + 262_144] = b"\xaa" * 262_144
    file.write_bytes(content)


@pytest.mark.parametrize("at", [0, 12_288])
def test_a_run_that_cannot_be_opened_at_the_start_is_told_as_such(data: Path, at: int) -> None:
    damaged(data, at)
    reader = SnapshotReader(data)
    for _ in range(2):
        with pytest.raises(SnapshotUnreadable), reader.lease():
            pass
    publish_again(data, "29990101T000000Z")
    shutil.copy(
        next((saas_data() / "runs").iterdir()) / "snapshot.duckdb", data / "runs" / "29990101T000000Z"
    )
    with reader.lease() as reading:
        assert reading.run_id == "29990101T000000Z", "the next run that is whole is served"
    reader.close()


def test_no_request_fails_while_runs_are_published(data: Path) -> None:
    reader = SnapshotReader(data)
    failures: list[BaseException] = []
    seen: set[str] = set()
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                with reader.lease() as reading:
                    run_id = reading.run_id
                    total = reading.result(
                        Statement("select count(*) from insight.customer_list", {}), keep=False
                    )
                    assert total.rows == ((99,),)
                    seen.add(run_id)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(6):
        publish_again(data, f"2999010{number}T000000Z")
        stop.wait(0.05)
    with reader.lease() as reading:
        assert reading.run_id == "29990105T000000Z"
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(seen) > 1
    reader.close()


def test_a_long_query_is_stopped_and_the_next_one_runs(data: Path) -> None:
    reader = SnapshotReader(data, ServerSettings(query_timeout_seconds=0.2))
    endless = Statement(
        "select count(*) from range(100000000) a, range(100000) b where a.range % 7 = b.range % 5", {}
    )
    with reader.lease() as reading:
        with pytest.raises(QueryTimeout, match=r"longer than 0.2 seconds"):
            reading.rows(endless)
        assert reading.rows(Statement("select 1 as one", {})) == [{"one": 1}]
    reader.close()


def test_small_results_are_kept_and_large_ones_are_not(data: Path) -> None:
    reader = SnapshotReader(data)
    small, large = Statement("select 1", {}), Statement("select * from range(5000)", {})
    with reader.lease() as reading:
        assert reading.result(small) is reading.result(small)
        assert reading.result(large) is not reading.result(large)
        assert reading.result(small, keep=False) is not reading.result(small)
    reader.close()


def test_a_snapshot_cannot_be_written_to(data: Path) -> None:
    reader = SnapshotReader(data)
    with reader.lease() as reading, pytest.raises(EngineError, match="read-only"):
        reading.rows(Statement("delete from insight.customer_list", {}))
    reader.close()
