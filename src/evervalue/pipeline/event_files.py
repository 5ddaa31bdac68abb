"""Events on their way into the tables: what came since the last run is written out as Parquet files that a run reads.

The collector's log takes what comes; the tables want orders, people and links. Each run writes one more file of each
kind, named by the places in the log that it covers, and never touches it again: what is read of it, refused and counted
is then the same as for any file. A file is there whole or not at all, and the one of the events comes last, so that
whatever broke off before is written again.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

from evervalue.collector.records import Log
from evervalue.core.disk import sync
from evervalue.core.errors import StorageError
from evervalue.core.progress import Progress
from evervalue.core.text import count
from evervalue.pipeline import event_orders
from evervalue.pipeline.event_bodies import bodies, checksum_file, holds_bodies, in_order, note
from evervalue.pipeline.event_places import place
from evervalue.pipeline.event_rows import (
    CELLS,
    COMING,
    EVENT_ROWS,
    EVENTS,
    LINES,
    LINK_ROWS,
    LINKS,
    PAIR_ROWS,
    PAIRS,
    PAIRS_KNOWN,
    PEOPLE,
    PEOPLE_ROWS,
)
from evervalue.pipeline.event_settings import FOLDER
from evervalue.warehouse import duckdb
from evervalue.warehouse.duckdb import Connection, literal

READ_AT_ONCE = 10_000
LAYOUT = 3
"""Version of what the files hold; files of another one are written anew."""
BEFORE = "before"
"""Folder of the events that another version wrote, until they are written anew."""


def write_event_files(data_dir: Path, log: Log | None, sources: Iterable[str], progress: Progress) -> None:
    """Write what came since the last files of these sources.

    Parameters
    ----------
    data_dir
        The project's data directory.
    log
        The event log, which is let go at the end; None where there is none yet.

    Raises
    ------
    StorageError
        The log cannot be read.
    """
    if log is None:
        return
    try:
        for source in sources:
            _write(log, data_dir / FOLDER / source, source, progress)
    finally:
        log.close()


def _write(log: Log, folder: Path, source: str, progress: Progress) -> None:
    """One more file of each kind, where events of the source came."""
    _of_this_layout(folder)
    after = max((place(path) for path in folder.glob(f"{EVENTS}/*.parquet")), default=0)
    _belong_together(log, folder, source, after)
    for path in folder.glob("*/*.parquet"):
        if place(path) > after and path.parent.name != BEFORE:
            _remove(path)  # of a run that broke off before it wrote the events
    # In the run's own folder, which it empties: whose events these are stays in the data directory.
    room = folder.parents[1] / "tmp"
    room.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="events-", dir=room) as temp:
        lines = Path(temp) / "events.jsonl"
        first = last = n = 0
        with lines.open("wb") as file:
            for seq, body in _coming(log, folder, source, after):
                first, last, n = first or seq, seq, n + 1
                file.write(b'{"seq":%d,"body":%b}\n' % (seq, orjson.dumps(body.decode())))
        if not n:
            return
        con = duckdb.connect(temp_directory=Path(temp))
        try:
            con.execute(CELLS)
            con.execute(COMING.format(file=literal(str(lines))))
            _before(con, folder)
            name = f"{first:012}-{last:012}.parquet"
            _put(con, PAIR_ROWS, folder / PAIRS / name)
            con.execute(PAIRS_KNOWN)
            _orders(con, folder / LINES / name)
            _put(con, PEOPLE_ROWS, folder / PEOPLE / name)
            _put(con, LINK_ROWS, folder / LINKS / name)
            _put(con, EVENT_ROWS, folder / EVENTS / name)
        finally:
            con.close()
    shutil.rmtree(folder / BEFORE, ignore_errors=True)
    progress.step(f"Events of {source}", detail=f"{count(n, 'event')} taken from the log")


def _belong_together(log: Log, folder: Path, source: str, after: int) -> None:
    """Nothing, where the last event in the files is the one at its place in the log.

    Raises
    ------
    StorageError
        The log is another one, or a copy that has gone on from an earlier place.
    """
    if after > (last := log.last()):
        wrong = f"{log.where} ends at event {last}, and {folder} holds events up to {after}"
    elif after and log.named(after) != (source, _name_of_last(folder)):
        wrong = f"Event {after} of {log.where} is not the one in {folder}"
    else:
        return
    raise StorageError(
        f"{wrong}: the log is another one, or an older copy, and what came since would be passed over. Put back the "
        "log that belongs to these files ('evervalue events restore' takes up what they hold beyond a backup); or move "
        "the folder away, and all that the log holds is written out again."
    )


def _name_of_last(folder: Path) -> str | None:
    """The messageId of the last event in the files."""
    con = duckdb.connect()
    try:
        file = literal(str(in_order(folder / EVENTS)[-1]))
        found = con.execute(
            f"select message_id from read_parquet({file}) order by seq desc limit 1"
        ).fetchone()
    finally:
        con.close()
    return found[0] if found else None


def _coming(log: Log, folder: Path, source: str, after: int) -> Iterator[tuple[int, bytes]]:
    """Place and body of the events behind `after`: of files that another version wrote, and of the log behind them.

    The log may have let the bodies go that lie in files.
    """
    for path in in_order(folder / BEFORE):
        if place(path) > after:
            for some in bodies(path):
                yield from some
            after = place(path)
    for event in log.of(source, after, READ_AT_ONCE):
        yield event.seq, event.body


def _of_this_layout(folder: Path) -> None:
    """Take out files that another version wrote: all is written anew, of those that hold events whole, and the log."""
    mark = folder / "layout"
    if mark.exists() and mark.read_text("utf-8").strip() == str(LAYOUT):
        return
    events = in_order(folder / EVENTS)
    if events and _hold_bodies(events):
        shutil.rmtree(folder / BEFORE, ignore_errors=True)  # of a change before, written anew since
        (folder / EVENTS).replace(folder / BEFORE)
        sync(folder)
    for path in folder.glob("*/*.parquet"):
        if path.parent.name != BEFORE:
            _remove(path)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(f"{LAYOUT}\n", "utf-8")
    sync(mark)


def _hold_bodies(files: list[Path]) -> bool:
    con = duckdb.connect()
    try:
        return all(holds_bodies(con, path) for path in files)
    finally:
        con.close()


def _remove(path: Path) -> None:
    path.unlink()
    checksum_file(path).unlink(missing_ok=True)


def _before(con: Connection, folder: Path) -> None:
    """What earlier files hold that the new ones hang on: orders told, buyers, links, and who was seen beside whom."""
    for kind in (PAIRS, LINKS):
        files = _files(folder, kind)
        rows = f"select customer_id, known_as from {files}" if files else "select '', '' where false"
        con.execute(f"create temp table {kind}_before as select * from ({rows}) as t(customer_id, known_as)")
    con.execute(event_orders.BEFORE)
    if files := _files(folder, LINES):
        # Only of orders that are told again; nothing else hangs on them.
        con.execute(
            f"create temp table buyers as select distinct customer_id from {files} where event = 'Order Completed'"
        )
        con.execute(event_orders.NUMBERS)
        con.execute(
            f"insert into lines_before select {event_orders.REMEMBERED} from {files} "
            "semi join numbers using (order_told)"
        )
    else:
        con.execute("create temp table buyers (customer_id text)")
    con.execute(event_orders.BUYERS)


def _orders(con: Connection, path: Path) -> None:
    """Write the lines of orders, refunds and cancellations."""
    for step in (
        event_orders.PARTS,
        event_orders.PERSONS,
        event_orders.JUDGED,
        event_orders.OWNERS,
        event_orders.COUNTED,
        event_orders.BEYOND,
    ):
        con.execute(step)
    _put(con, event_orders.LINE_ROWS, path)


def _files(folder: Path, kind: str) -> str:
    """SQL that reads the files of a kind; empty where there are none."""
    pattern = folder / kind / "*.parquet"
    return f"read_parquet({literal(str(pattern))})" if any(pattern.parent.glob(pattern.name)) else ""


def _put(con: Connection, sql: str, path: Path) -> None:
    """Write rows to a file, on disk and under its name in one step; none where there are no rows."""
    con.execute(f"create or replace temp table written as {sql}")
    if not con.execute("select 1 from written limit 1").fetchone():
        path.unlink(missing_ok=True)
        checksum_file(path).unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    con.execute(f"copy written to {literal(str(partial))} (format parquet)")
    sync(partial)
    note(partial, path)
    partial.replace(path)
    sync(path.parent)  # the name, too, before that of the events says that all is there
    sync(path.parent.parent)
