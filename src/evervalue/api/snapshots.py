"""Reads the published snapshot, whichever it is at the moment of the request.

A process keeps one connection to the newest snapshot and gives each request a cursor of its own. Before each
request the pointer is looked at (one `stat`); when it has moved, the new snapshot is opened, and the old one
is closed once the last request that began on it has ended. So no request fails, or sees half of two runs,
while a run is published.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from evervalue.api.settings import ServerSettings
from evervalue.api.watchdog import Watchdog
from evervalue.core.errors import EvervalueError, NothingPublished
from evervalue.warehouse.attached import Focused
from evervalue.warehouse.duckdb import Connection, EngineError, connect, first_line
from evervalue.warehouse.publish import Publisher, Snapshot

log = logging.getLogger("evervalue.api")
Row = dict[str, Any]
T = TypeVar("T")
CACHED_ROWS = 400
RETRY_SECONDS = 2.0
LEAST_MB, MOST_MB = 192, 2000


class QueryTimeout(EvervalueError):
    """A query was stopped because it ran too long."""


class SnapshotUnreadable(EvervalueError):
    """The published snapshot cannot be opened, and no other one is open."""


@dataclass(frozen=True)
class Statement:
    """One SELECT with named parameters, which are always bound and never written into the text."""

    sql: str
    parameters: Mapping[str, Any]

    def key(self) -> tuple[object, ...]:
        """What tells this statement from another."""
        return self.sql, *sorted((k, repr(v)) for k, v in self.parameters.items())


@dataclass(frozen=True)
class Result:
    """What a statement gave, and how long it took when it was executed."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    seconds: float

    def dicts(self) -> list[Row]:
        """The rows by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class RunSettings:
    """What the run says about itself: the one row of `run.settings`."""

    run_id: str
    project_name: str
    as_of: date
    currency: str
    time_zone: str
    monetary_basis: str
    bins: int
    ties: str
    high_value_at: int
    mid_value_at: int
    gem_rule: str
    gem_top_n: int
    gem_top_share: Decimal
    gem_min_m_score: int
    what_if_max_orders: int


@dataclass
class Asked:
    """How often a process found an answer among the kept ones; near enough, for nobody waits to count."""

    hits: int = 0
    misses: int = 0


class OpenSnapshot:
    """A snapshot, opened, with the requests that are reading it counted."""

    def __init__(
        self, snapshot: Snapshot, settings: ServerSettings, watchdog: Watchdog, asked: Asked | None = None
    ) -> None:
        self.snapshot = snapshot
        self.settings = settings
        self.watchdog = watchdog
        self.asked = asked or Asked()
        self.connection: Connection | Focused = self._connect()
        self.users = 0
        self.retired = False
        self._cache: OrderedDict[tuple[object, ...], Result] = OrderedDict()
        self._cache_lock = threading.Lock()
        self._made: dict[Callable[..., Any], Any] = {}
        self._once_lock = threading.RLock()
        try:
            self.run = self._run_settings()
        except BaseException:
            self.connection.close()
            raise

    def cached(self, key: tuple[object, ...]) -> Result | None:
        """A small result that was kept, or None."""
        with self._cache_lock:
            found = self._cache.get(key)
            if found is not None:
                self._cache.move_to_end(key)
            return found

    def keep(self, key: tuple[object, ...], result: Result) -> None:
        """Keeps a small result for as long as the snapshot is open; the oldest go first."""
        if len(result.rows) > CACHED_ROWS:
            return
        with self._cache_lock:
            self._cache[key] = result
            while len(self._cache) > self.settings.cached_results:
                self._cache.popitem(last=False)

    def once(self, make: Callable[[Reading], T], reading: Reading) -> T:
        """What `make` gives, from what was made before where there is one."""
        with self._once_lock:
            if make not in self._made:
                self._made[make] = make(reading)
            found: T = self._made[make]
        return found

    def _connect(self) -> Connection | Focused:
        return connect(
            self.snapshot.path,
            read_only=True,
            memory_limit=self.settings.memory_limit or _memory(self.snapshot.path),
            threads=self.settings.threads,
        )

    def _run_settings(self) -> RunSettings:
        names = list(RunSettings.__dataclass_fields__)
        columns = ["(select as_of from customers.cutoff)" if n == "as_of" else n for n in names]
        # bound on purpose: the engine's client loads its parameter types on first use, better now than later
        sql = f"select {', '.join(columns)} from run.settings where $ready"
        row = self.connection.cursor().execute(sql, {"ready": True}).fetchone()
        if row is None:
            raise EvervalueError(f"Snapshot {self.snapshot.run_id} has no settings. Run again.")
        return RunSettings(**dict(zip(names, row, strict=True)))


def _published_at(manifest: Mapping[str, Any]) -> datetime | None:
    for name in ("published_at", "finished_at", "ended_at"):
        try:
            return datetime.fromisoformat(str(manifest[name]))
        except (KeyError, ValueError):
            continue
    return None


def _memory(file: Path) -> str:
    """Memory in which a snapshot stays, with room for questions."""
    megabytes = file.stat().st_size / 1e6
    return f"{min(max(LEAST_MB, 1.25 * megabytes), MOST_MB):.0f}MB"


class Reading:
    """One request's view of one snapshot."""

    def __init__(self, opened: OpenSnapshot) -> None:
        self._opened = opened
        self._cursor: Connection | None = None
        self.seconds = 0.0

    @property
    def run(self) -> RunSettings:
        """What the run says about itself."""
        return self._opened.run

    @property
    def run_id(self) -> str:
        """The run that is read."""
        return self._opened.snapshot.run_id

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What was recorded when the run was published."""
        return self._opened.snapshot.manifest

    @property
    def published_at(self) -> datetime | None:
        """When the run ended, where its manifest says so."""
        return _published_at(self.manifest)

    def beside(self, name: str) -> Path:
        """A file that travels with the snapshot."""
        return self._opened.snapshot.beside(name)

    def once(self, make: Callable[[Reading], T]) -> T:
        """What `make` gives, made once for as long as the snapshot is open."""
        return self._opened.once(make, self)

    def result(self, statement: Statement, *, keep: bool = True) -> Result:
        """What the statement gives, from the kept results where it was asked before.

        Raises
        ------
        QueryTimeout
            It ran longer than a query may.
        """
        key = statement.key()
        if keep and (found := self._opened.cached(key)) is not None:
            self._opened.asked.hits += 1
            return found
        self._opened.asked.misses += 1
        begun = time.perf_counter()
        columns, rows = self._execute(statement)
        spent = time.perf_counter() - begun
        self.seconds += spent
        result = Result(columns, rows, spent)
        if keep:
            self._opened.keep(key, result)
        return result

    def rows(self, statement: Statement) -> list[Row]:
        """The rows that the statement gives."""
        return self.result(statement).dicts()

    def row(self, statement: Statement) -> Row | None:
        """The first row that the statement gives, or None."""
        rows = self.rows(statement)
        return rows[0] if rows else None

    def has(self, table: str) -> bool:
        """Whether the snapshot holds the table; one of an earlier version may lack what came later."""
        schema, _, name = table.partition(".")
        sql = "select 1 from information_schema.tables where table_schema = $schema and table_name = $name"
        return self.row(Statement(sql, {"schema": schema, "name": name})) is not None

    def stream(self, statement: Statement, size: int = 4096) -> Iterator[Sequence[tuple[Any, ...]]]:
        """The column names, then the rows in pieces, without holding them all."""
        settings, cursor = self._opened.settings, self._opened.connection.cursor()
        try:
            with self._opened.watchdog.limit(settings.export_timeout_seconds, cursor.interrupt):
                cursor.execute(statement.sql, dict(statement.parameters))
                yield [tuple(c[0] for c in cursor.description or ())]
                while rows := cursor.fetchmany(size):
                    yield rows
        finally:
            cursor.close()

    def _execute(self, statement: Statement) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
        if self._cursor is None:
            self._cursor = self._opened.connection.cursor()
        cursor, limit = self._cursor, self._opened.settings.query_timeout_seconds
        begun = time.monotonic()
        with self._opened.watchdog.limit(limit, cursor.interrupt) as watch:
            try:
                cursor.execute(statement.sql, dict(statement.parameters))
                answer = tuple(c[0] for c in cursor.description or ()), tuple(cursor.fetchall())
            except EngineError:
                if not watch.fired:
                    raise
                answer = None
        # The engine misses an interrupt that comes before it has begun, so the clock has the last word.
        if answer is None or time.monotonic() - begun > limit:
            raise QueryTimeout(
                f"The question took longer than {limit:g} seconds and was stopped. "
                "Ask for less: a narrower filter or another sort order."
            )
        return answer

    def close(self) -> None:
        """Gives the cursor back."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None


class SnapshotReader:
    """Gives each request the snapshot that is current when it begins."""

    def __init__(self, data_dir: Path, settings: ServerSettings | None = None) -> None:
        self.publisher = Publisher(data_dir)
        self.settings = settings or ServerSettings()
        self._watchdog = Watchdog()
        self._asked = Asked()
        self._lock = threading.Lock()
        self._opened: OpenSnapshot | None = None
        self._retired: set[OpenSnapshot] = set()
        self._seen: tuple[int, int, int] | None = None
        self._retry_at = 0.0

    @contextmanager
    def lease(self) -> Iterator[Reading]:
        """A reading of the current snapshot, which stays open until the block ends.

        Raises
        ------
        NothingPublished
            There is no snapshot yet.
        SnapshotUnreadable
            There is one that cannot be opened, and none before it is open.
        """
        opened = self._take()
        reading = Reading(opened)
        try:
            yield reading
        finally:
            reading.close()
            self._give_back(opened)

    def close(self) -> None:
        """Closes the snapshot as soon as nobody reads it."""
        with self._lock:
            if self._opened is not None:
                self._retire(self._opened)
            self._opened, self._seen = None, None

    def told(self) -> dict[str, Any]:
        """What is open, and how often kept answers served, as JSON knows it."""
        opened = self._opened
        at = _published_at(opened.snapshot.manifest) if opened else None
        return {
            "run_id": opened and opened.snapshot.run_id,
            "published_at": at and at.timestamp(),
            "snapshots": (opened is not None) + len(self._retired),
            "hits": self._asked.hits,
            "misses": self._asked.misses,
        }

    def _take(self) -> OpenSnapshot:
        with self._lock:
            mark = self._mark()
            if self._opened is None or (mark != self._seen and time.monotonic() >= self._retry_at):
                self._follow(mark)
            assert self._opened is not None
            self._opened.users += 1
            return self._opened

    def _follow(self, mark: tuple[int, int, int] | None) -> None:
        """Opens what the pointer names; where that fails, goes on with what is open."""
        old = self._opened
        try:
            current = self.publisher.current()
            if old is None or old.snapshot.run_id != current.run_id:
                self._opened = OpenSnapshot(current, self.settings, self._watchdog, self._asked)
                if old is not None:
                    self._retire(old)
            self._seen = mark
        except (EvervalueError, EngineError, OSError, ValueError) as error:
            if old is None and isinstance(error, NothingPublished):
                raise
            if old is None:
                raise SnapshotUnreadable(first_line(error)) from error
            self._retry_at = time.monotonic() + RETRY_SECONDS
            log.warning("still serving run %s: %s", old.snapshot.run_id, error)

    def _give_back(self, opened: OpenSnapshot) -> None:
        with self._lock:
            opened.users -= 1
            if opened.retired and opened.users == 0:
                self._retired.discard(opened)
                opened.connection.close()

    def _retire(self, opened: OpenSnapshot) -> None:
        opened.retired = True
        if opened.users == 0:
            opened.connection.close()
        else:
            self._retired.add(opened)

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            found = self.publisher.pointer.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size
