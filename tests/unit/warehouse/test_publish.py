"""Publishing: an immutable file per run, a pointer swapped whole, rollback, pruning, and one writer at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from evervalue.core.errors import Busy, NothingPublished, StorageError
from evervalue.warehouse.duckdb import connect
from evervalue.warehouse.publish import Publisher


def publish(publisher: Publisher, run_id: str) -> None:
    file = publisher.begin(run_id)
    con = connect(file)
    con.execute(f"create table run as select '{run_id}' as run_id")
    con.close()
    publisher.publish(run_id, {"note": "a test"})


def answer(publisher: Publisher) -> str:
    con = publisher.current().open()
    try:
        return str((con.execute("select run_id from run").fetchone() or ("",))[0])
    finally:
        con.close()


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path, kept=3)


def test_nothing_yet(publisher: Publisher) -> None:
    assert publisher.current_id() is None
    with pytest.raises(NothingPublished, match="evervalue run"):
        publisher.current()


def test_readers_follow_the_pointer_and_keep_what_they_opened(publisher: Publisher) -> None:
    publish(publisher, "1")
    open_before = publisher.current().open()
    publish(publisher, "2")

    assert answer(publisher) == "2"
    assert open_before.execute("select run_id from run").fetchall() == [("1",)]
    assert publisher.current().manifest["note"] == "a test"


def test_a_run_that_is_abandoned_or_died_leaves_nothing(publisher: Publisher) -> None:
    publish(publisher, "1")
    connect(publisher.begin("2")).close()
    publisher.abandon("2")
    connect(publisher.begin("3")).close()  # and its process dies
    publish(publisher, "4")

    assert [s.run_id for s in publisher.runs()] == ["1", "4"]
    assert sorted(p.name for p in publisher.runs_dir.iterdir()) == ["1", "4"]


def test_before_the_swap_nothing_is_seen(publisher: Publisher) -> None:
    publish(publisher, "1")
    publisher.begin("2")
    assert answer(publisher) == "1"
    assert [s.run_id for s in publisher.runs()] == ["1"]


def test_rollback(publisher: Publisher) -> None:
    for run_id in "123":
        publish(publisher, run_id)

    assert publisher.rollback().run_id == "2"
    assert answer(publisher) == "2"
    assert publisher.rollback().run_id == "1"
    with pytest.raises(NothingPublished, match="no run before 1"):
        publisher.rollback()
    assert publisher.rollback("3").run_id == "3"
    with pytest.raises(NothingPublished, match="No kept run is called 9"):
        publisher.rollback("9")
    assert answer(publisher) == "3"


def test_a_damaged_run_is_not_rolled_back_to(publisher: Publisher) -> None:
    publish(publisher, "1")
    publish(publisher, "2")
    with publisher.get("1").path.open("r+b") as file:
        file.seek(5000)
        file.write(b"damage")

    with pytest.raises(StorageError, match="damaged"):
        publisher.rollback()
    assert answer(publisher) == "2"


def test_old_runs_go_and_the_current_one_stays(publisher: Publisher) -> None:
    for run_id in "12":
        publish(publisher, run_id)
    publisher.rollback()
    for run_id in "345":
        publish(publisher, run_id)

    assert [s.run_id for s in publisher.runs()] == ["3", "4", "5"]
    assert answer(publisher) == "5"


def test_a_second_writer_is_told_to_wait(tmp_path: Path) -> None:
    """Another process, since one process may open its own file twice."""
    import subprocess
    import sys

    first = connect(tmp_path / "warehouse.duckdb")
    script = (
        "import sys, pathlib; from evervalue.warehouse.duckdb import connect; from evervalue.core.errors import Busy\n"
        "try: connect(pathlib.Path(sys.argv[1]))\n"
        "except Busy as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "warehouse.duckdb")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    first.close()
    assert "Another process is using" in done.stdout
    assert issubclass(Busy, Exception)


def test_a_run_whose_manifest_cannot_be_read_does_not_stop_the_next(publisher: Publisher) -> None:
    publish(publisher, "1")
    publish(publisher, "2")
    (publisher.runs_dir / "2" / "manifest.json").write_text("{")
    with pytest.raises(StorageError, match="Run again"):
        publisher.current()
    publish(publisher, "3")
    assert answer(publisher) == "3"
    assert [s.run_id for s in publisher.runs()] == ["1", "3"]


def test_files_beside_the_snapshot_travel_with_it_and_are_checked(publisher: Publisher) -> None:
    file = publisher.begin("1")
    connect(file).close()
    (file.parent / "models").mkdir()
    (file.parent / "models" / "orders.json").write_text("{}")
    snapshot = publisher.publish("1", {})
    assert list(snapshot.manifest["files"]) == ["models/orders.json"]
    assert snapshot.beside("models/orders.json").read_text() == "{}"
    snapshot.verify()
    snapshot.beside("models/orders.json").write_text("{ }")
    with pytest.raises(StorageError, match=r"models/orders\.json is damaged"):
        snapshot.verify()
    snapshot.beside("models/orders.json").unlink()
    with pytest.raises(StorageError, match=r"models/orders\.json is damaged"):
        snapshot.verify()
