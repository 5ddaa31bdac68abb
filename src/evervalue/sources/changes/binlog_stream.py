"""The events of a binary log from a position on, and the library that reads them."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

from evervalue.core.errors import MissingExtra, SourceUnavailable
from evervalue.sources.changes.binlog_server import AGAIN, BinlogServer, number
from evervalue.sources.changes.positions import Position
from evervalue.sources.databases.mysql_errors import driver, refusal

NOT_THERE = 1236
"""The server's number for a log that does not go on from where it is asked for."""


class BinlogStream:
    """Opened where the last one ended, and ended where the log ends: the library does not wait for more."""

    def __init__(self, server: BinlogServer, server_id: int) -> None:
        self.server = server
        self.server_id = server_id
        self._events: Any = None

    @property
    def is_open(self) -> bool:
        """Whether events may be asked for."""
        return self._events is not None

    @property
    def file(self) -> str:
        """The log that the last event came from."""
        return str(self._events.log_file)

    @property
    def at(self) -> int:
        """The position behind the last event."""
        return self.server.epoch << 56 | number(self.file) << 32 | int(self._events.log_pos)

    def begin(self, start: Position, tables: list[str] | None = None) -> None:
        """Ask for everything behind a position; of rows, for those of `tables` of any database."""
        library = the_library()
        rows, events = library.row_event, library.event
        by_gtid: dict[str, Any] = (
            {"auto_position": start.gtid, "is_mariadb": self.server.mariadb}
            if self.server.by_gtid
            else {"log_file": start.slot, "log_pos": start.next_lsn & 0xFFFFFFFF, "resume_stream": True}
        )
        self._events = library.BinLogStreamReader(
            connection_settings=self.server.settings(),
            server_id=self.server_id,
            blocking=False,
            only_events=[
                rows.WriteRowsEvent, rows.UpdateRowsEvent, rows.DeleteRowsEvent, rows.PartialUpdateRowsEvent,
                events.QueryEvent, events.XidEvent, events.GtidEvent, events.MariadbGtidEvent,
                events.XAPrepareEvent, events.ExecuteLoadQueryEvent, events.NotImplementedEvent,
            ],
            only_tables=tables,
            filter_non_implemented_events=False,  # what is not read may be ours
            enable_logging=False,
            pymysql_wrapper=_open,
            **by_gtid,
        )  # fmt: skip

    def event(self) -> Any:
        """The next event; None where the log ends.

        Raises
        ------
        SourceUnavailable
            The connection broke, or the log does not go on from where we were.
        """
        try:
            return self._events.fetchone()
        except driver().err.MySQLError as error:
            self.end()
            where = self.server.address.where
            if error.args and error.args[0] == NOT_THERE:
                raise SourceUnavailable(
                    f"{where}: the log does not go on from what was followed ({error.args[1]}), so changes are lost. "
                    f"{AGAIN}"
                ) from None
            raise refusal(error, self.server.address, "reading the log") from None
        except (NotImplementedError, ValueError, LookupError, struct.error) as error:
            at = f"{self.file}, {self._events.log_pos:,}"
            self.end()
            raise SourceUnavailable(
                f"{self.server.address.where}: the log cannot be read behind {at} ({type(error).__name__}). Read the "
                'tables with capture = "snapshot".'
            ) from None

    def end(self) -> None:
        """End the connection."""
        if self._events is not None:
            with suppress(Exception):
                self._events.close()
            self._events = None


def the_library() -> Any:
    """The module pymysqlreplication.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        import pymysqlreplication  # type: ignore[import-untyped]
        import pymysqlreplication.event  # type: ignore[import-untyped]
        import pymysqlreplication.row_event  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra(
            "Following a binary log needs mysql-replication: pip install 'evervalue[mysql]'."
        ) from None
    return pymysqlreplication


def _open(**settings: Any) -> Any:
    """A connection for the library, which still calls the database `db`."""
    database = settings.pop("db", None)
    return driver().connect(**settings, **({"database": database} if database else {}))
