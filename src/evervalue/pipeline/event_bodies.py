"""Events whole, as they came, in the files that runs write of them: checked, and read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evervalue.core.disk import sync
from evervalue.core.errors import StorageError
from evervalue.pipeline.event_places import place
from evervalue.warehouse.duckdb import Connection, connect, literal
from evervalue.warehouse.publish import sha256

AT_ONCE = 1000


def note(path: Path, final: Path) -> None:
    """Write the checksum of a file beside the name that it will have, on disk before that name is."""
    beside = checksum_file(final)
    beside.write_text(f"{sha256(path)}  {final.name}\n", "utf-8")
    sync(beside)


def checksum_file(path: Path) -> Path:
    """Where the checksum of a file lies."""
    return path.with_name(f"{path.name}.sha256")


def verify(path: Path) -> None:
    """Nothing, where a file is as it was written.

    Raises
    ------
    StorageError
        It is not, or its checksum is gone.
    """
    try:
        noted = checksum_file(path).read_text("utf-8").split()[0]
        found = sha256(path)
    except (OSError, IndexError) as error:
        raise StorageError(f"{path} cannot be checked: {error}.") from None
    if noted != found:
        raise StorageError(
            f"{path} is damaged: its checksum is not the one that was written with it. Put it back from a backup; "
            "where the log still holds its events, delete the file and those after it, and the next run writes them "
            "again."
        )


def damaged(folder: Path) -> list[str]:
    """What is wrong with the files of a source; empty where all is well."""
    faults = []
    for path in sorted(folder.glob("*/*.parquet")):
        if checksum_file(path).exists():
            try:
                verify(path)
            except StorageError as error:
                faults.append(str(error))
    return faults


def bodies(path: Path) -> Iterator[list[tuple[int, bytes]]]:
    """Place in the log and body of each event of a file, in the order of the log, some at a time; none before layout 3.

    Raises
    ------
    StorageError
        The file is damaged.
    """
    verify(path)
    con = connect()
    try:
        if not holds_bodies(con, path):
            return
        cursor = con.execute(f"select seq, body from read_parquet({literal(str(path))}) order by seq")
        while rows := cursor.fetchmany(AT_ONCE):
            yield [(int(seq), body.encode()) for seq, body in rows]
    finally:
        con.close()


def holds_bodies(con: Connection, path: Path) -> bool:
    """Whether a file of events has them whole."""
    names = con.execute(f"select name from parquet_schema({literal(str(path))})").fetchall()
    return ("body",) in names


def in_order(folder: Path) -> list[Path]:
    """The files of a folder by the places in the log that they cover."""
    return sorted(folder.glob("*.parquet"), key=place)
