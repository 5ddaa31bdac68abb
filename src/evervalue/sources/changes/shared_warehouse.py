"""The warehouse of sources that are followed: opened for each batch, so that runs and queries get their turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evervalue.core.errors import Busy, StorageError
from evervalue.sources import raw_zone
from evervalue.sources.changes import positions
from evervalue.sources.changes.positions import Position
from evervalue.warehouse import duckdb

BUSY_SECONDS = 0.5
MEND = (
    "What was applied to it is not there any more, and the sources may have forgotten it. Nothing more is applied. Run "
    "'evervalue run --full-refresh', which reads everything anew, then follow again."
)


class SharedWarehouse:
    """One file that the followers of a process write to, one at a time, and other processes between them."""

    def __init__(self, path: Path, temp: Path, ending: threading.Event) -> None:
        self.path = path
        self.temp = temp
        self.ending = ending
        self._held = threading.Lock()
        self._file: tuple[int, int] | None = None

    @contextmanager
    def opened(self) -> Iterator[duckdb.Connection | None]:
        """The warehouse, once no other process holds it; None where it is time to end.

        Its tables are made when it is opened first.

        Raises
        ------
        StorageError
            It is gone, or is another file than the one that was opened first.
        """
        with self._held:
            con = self._connect()
            try:
                if con is not None and self._file is None:
                    raw_zone.ensure(con)
                    self._file = self._identity()
                yield con
            finally:
                if con is not None:
                    con.close()

    def refuse_another(self, con: duckdb.Connection, source: str, applied: Position) -> None:
        """Nothing, where the warehouse holds what was applied to it.

        Raises
        ------
        StorageError
            It does not: an older state of it was put in its place.
        """
        try:
            held = positions.read(con, source)
        except duckdb.EngineError:
            held = None
        if held is None or held.next_lsn < applied.next_lsn:
            raise StorageError(
                f"{self.path} is another or an older one than changes of sources.{source} were applied to. {MEND}"
            )

    def _connect(self) -> duckdb.Connection | None:
        while True:
            self._refuse_another_file()
            try:
                con = duckdb.connect(self.path, temp_directory=self.temp)
            except Busy:
                if self.ending.wait(BUSY_SECONDS):
                    return None
                continue
            try:
                self._refuse_another_file()  # it may have gone while it was waited for
            except StorageError:
                con.close()
                raise
            return con

    def _refuse_another_file(self) -> None:
        if self._file is None:
            return
        found = self._identity()
        if found is None:
            raise StorageError(f"{self.path} was deleted while sources were followed into it. {MEND}")
        if found != self._file:
            raise StorageError(f"{self.path} was replaced while sources were followed into it. {MEND}")

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino
