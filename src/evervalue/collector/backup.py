"""Copies of a log in SQLite: taken while it is written to, and put in its place again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from evervalue.collector.log import ENDS, LOG, EventLog
from evervalue.collector.log_schema import LAYOUT
from evervalue.collector.messages import read_json, who_of
from evervalue.collector.stamps import parsed
from evervalue.core.disk import sync
from evervalue.core.errors import InputError, StorageError

BUSY_MS = 60_000


@dataclass(frozen=True)
class Copy:
    """A copy of a log that was checked."""

    path: Path
    last: int
    """Seq of its newest event."""


def back_up(log: Path, to: Path) -> Copy:
    """A copy of the log as it stands at one instant behind the call, whole and on disk; whoever writes goes on.

    Raises
    ------
    InputError
        There is no log, or something has that name already.
    StorageError
        The copy could not be written, or is damaged as the log then is.
    """
    if not log.exists():
        raise InputError(f"There is no event log at {log}: no event ever came.")
    if to.exists():
        raise InputError(f"{to} is there already. Name another file, or take it away.")
    partial = to.with_name(f"{to.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        source, copy = apsw.Connection(str(log)), apsw.Connection(str(partial))
        try:
            source.set_busy_timeout(BUSY_MS)
            with copy.backup("main", source, "main") as pages:
                pages.step()  # all at once: one instant, and no beginning anew when somebody writes
            copy.pragma("journal_mode", "delete")  # one file, to be carried anywhere
            last = _checked(copy, partial)
        finally:
            source.close(force=True)
            copy.close(force=True)
        sync(partial)
        partial.rename(to)
        sync(to.parent)
    except (apsw.Error, OSError) as error:
        raise StorageError(f"{log} could not be copied to {to}: {error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return Copy(to, last)


def put_back(copy: Path, data_dir: Path, *, replace: bool) -> tuple[Copy, list[Path]]:
    """The copy in the place of the log, and where what stood there lies now.

    Raises
    ------
    InputError
        There is no copy; or there is a log and `replace` does not say that it may be put aside; or somebody uses it.
    StorageError
        The copy is damaged, is no log, or could not be written.
    """
    log = data_dir / LOG
    if not copy.is_file():
        raise InputError(f"There is no file {copy}.")
    if log.exists() and not replace:
        raise InputError(
            f"There is a log at {log}. With --replace it is put aside, and what came after the backup is in it alone."
        )
    data_dir.mkdir(parents=True, exist_ok=True)
    partial = data_dir / f"{LOG}.partial"
    try:
        partial.write_bytes(copy.read_bytes())
        con = apsw.Connection(str(partial))
        try:
            last = _checked(con, copy)
        finally:
            con.close(force=True)
        sync(partial)
        aside = _put_aside(log) if log.exists() else []
        partial.rename(log)
        sync(data_dir)
    except (apsw.Error, OSError) as error:
        raise StorageError(f"{copy} could not be put in the place of {log}: {error}.") from error
    finally:
        for end in ENDS:
            Path(f"{partial}{end}").unlink(missing_ok=True)
    return Copy(log, last), aside


def take_up(log: EventLog, source: str, events: Iterable[Sequence[tuple[int, bytes]]], after: int) -> int:
    """How many events of one source behind `after` were put into the log, where they stood, from copies of them."""
    taken = 0
    for some in events:
        rows = [_row(seq, body) for seq, body in some if seq > after]
        if rows:
            taken += log.put_back(source, rows)
    return taken


def _row(seq: int, body: bytes) -> tuple[int, str, str, int, int, str | None, bytes]:
    message = read_json(body)
    at_us, received_us = parsed(message["timestamp"]), parsed(message["receivedAt"])
    return seq, message["messageId"], message["type"], at_us or 0, received_us or 0, who_of(message), body


def _checked(con: apsw.Connection, shown: Path) -> int:
    """Seq of the newest event of a copy that is whole.

    Raises
    ------
    StorageError
        It is damaged, or is no log of this version or an earlier one.
    """
    try:
        found = con.pragma("integrity_check")
        layout = con.pragma("user_version")
        last = con.execute("select coalesce(max(seq), 0) from event").get
    except apsw.Error as error:
        raise StorageError(f"{shown} is no event log, or is damaged: {error}.") from None
    if found != "ok":
        raise StorageError(f"{shown} is damaged: {str(found)[:200]}.")
    if layout > LAYOUT:
        raise StorageError(
            f"{shown} was written by a later version of Evervalue. Install that version again."
        )
    return int(last)


def _put_aside(log: Path) -> list[Path]:
    """Where a log and the files beside it lie now.

    Raises
    ------
    InputError
        Somebody uses it.
    """
    with suppress(apsw.NotADBError, apsw.CorruptError):  # the reason why it is replaced
        con = apsw.Connection(str(log))
        try:
            con.pragma("journal_mode", "delete")  # only where nobody else has it open
        except (apsw.BusyError, apsw.LockedError):
            raise InputError(
                f"{log} is in use. Stop 'evervalue collect' and 'evervalue serve' first."
            ) from None
        finally:
            con.close(force=True)
    n = 1
    while (other := log.with_name(f"{log.name}.{n}")).exists():
        n += 1
    aside = []
    for end in reversed(ENDS):
        if (path := Path(f"{log}{end}")).exists():
            aside.append(path.rename(Path(f"{other}{end}")))
    return aside
