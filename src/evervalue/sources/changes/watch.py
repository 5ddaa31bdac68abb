"""Follows sources continuously, so that the raw tables are seconds behind them between runs."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from evervalue.core.clock import Clock
from evervalue.core.errors import Busy, SourceUnavailable
from evervalue.core.progress import Progress
from evervalue.sources import raw_zone
from evervalue.sources.changes.feed import Follower, FollowerOf
from evervalue.warehouse import duckdb

BUSY_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
LONGEST_BATCH_SECONDS = 30.0
PASSING = ("connection was lost", "cannot be reached", "ended the stream", "no room for us", "broke off")
"""Words of messages about a server that will be back."""


@dataclass(frozen=True)
class Lag:
    """How far what is here is behind a source."""

    source: str
    changes: int
    """Applied in the batch just done."""
    bytes: int | None
    """Of the source's log not applied yet; None where the source does not tell."""
    seconds: float | None
    """Since the source committed the last transaction applied; None before the first, 0 where nothing waits."""


def watch(
    followers: Mapping[str, FollowerOf],
    *,
    warehouse: Path,
    temp: Path,
    clock: Clock,
    progress: Progress,
    tell: Callable[[Lag], None],
    stop: threading.Event | None = None,
    batch_seconds: float = 1.0,
    idle_seconds: float = 10.0,
) -> None:
    """Follow every source until told to stop, by the event or by SIGTERM or SIGINT where none is given.

    The warehouse is opened for each batch and closed after it, so that runs and queries get their turn; where another
    process holds it, the batch waits. A source whose server cannot be reached is tried again, less and less often.

    Parameters
    ----------
    followers
        Name of the source: what makes its follower.
    warehouse
        The database file, made where it is missing.
    temp
        Folder for changes that are not applied yet.
    clock
        Names the batches, and gives the instant from which they are known.
    tell
        Called after every batch, and every few seconds while nothing comes.
    batch_seconds
        How long changes are gathered before they are applied.
    idle_seconds
        How often the position is kept while nothing comes that is ours.

    Raises
    ------
    EvervalueError
        A source cannot be followed any more, with the mend; the others are ended.
    """
    ending = stop or threading.Event()
    failed: list[BaseException] = []
    held = threading.Lock()

    def follow(name: str, make: FollowerOf) -> None:
        try:
            _Watcher(
                name, make, warehouse, temp, clock, progress, tell, ending, held, batch_seconds, idle_seconds
            ).run()
        except BaseException as error:
            failed.append(error)
            ending.set()

    with _signals(ending) if stop is None else nullcontext():
        threads = [
            threading.Thread(target=follow, args=item, name=f"evervalue-{item[0]}")
            for item in followers.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)
    if failed:
        raise failed[0]


class _Watcher:
    def __init__(
        self, name: str, make: FollowerOf, warehouse: Path, temp: Path, clock: Clock, progress: Progress,
        tell: Callable[[Lag], None], ending: threading.Event, held: threading.Lock, batch_seconds: float,
        idle_seconds: float,
    ) -> None:  # fmt: skip
        self.name = name
        self.make = make
        self.warehouse = warehouse
        self.temp = temp
        self.clock = clock
        self.progress = progress
        self.tell = tell
        self.ending = ending
        self.held = held
        self.batch_seconds = batch_seconds
        self.idle_seconds = idle_seconds

    def run(self) -> None:
        wait = 1.0
        while not self.ending.is_set():
            follower = self.make(self.temp, self.progress)
            try:
                self._follow(follower)
                wait = 1.0
            except SourceUnavailable as error:
                if not _passing(error):
                    raise
                self.progress.warn(f"{error} Trying again in {wait:.0f} seconds.")
                self.ending.wait(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            finally:
                follower.close()

    def _follow(self, follower: Follower) -> None:
        with self._warehouse() as con:
            if con is None:
                return

            def commit() -> None:
                con.execute("commit")
                con.execute("begin transaction")

            con.execute("begin transaction")
            run_id = self._batch(con)
            try:
                follower.open(con, run_id=run_id, full_refresh=False, commit=commit)
                con.execute("commit")
            except BaseException:
                with suppress(duckdb.EngineError):
                    con.execute("rollback")
                raise
        told = self.clock.now()
        gathering = self.batch_seconds
        while not self.ending.is_set():
            if follower.read(until=None, seconds=gathering, stop=self.ending.is_set):
                began = time.monotonic()
                changes = self._apply(follower)
                if changes is None:
                    return
                behind = self._tell(follower, changes)
                # Applying costs what the tables hold, whatever came: who is behind takes more at a time.
                longer = min(2 * (time.monotonic() - began), LONGEST_BATCH_SECONDS)
                gathering = max(self.batch_seconds, longer) if behind else self.batch_seconds
                told = self.clock.now()
            elif (self.clock.now() - told).total_seconds() >= self.idle_seconds:
                # Nothing of ours came, and the source's log went on: it need not be kept for us.
                if (follower.look_again() or follower.moved) and self._apply(follower) is None:
                    return
                self._tell(follower, 0)
                told = self.clock.now()

    def _apply(self, follower: Follower) -> int | None:
        """Changes applied and committed; None where it is time to end."""
        with self._warehouse() as con:
            if con is None:
                return None
            with raw_zone.transaction(con):
                made = follower.apply(con, run_id=self._batch(con))
        follower.done(committed=True)
        return sum(one.read for one in made.values())

    def _batch(self, con: duckdb.Connection) -> str:
        now = self.clock.now().replace(tzinfo=None)
        run_id = f"{now:%Y%m%dT%H%M%S}.{now.microsecond:06d}-watch-{self.name}"
        raw_zone.note_load(con, run_id, now, "watch")
        return run_id

    @contextmanager
    def _warehouse(self) -> Iterator[duckdb.Connection | None]:
        """The warehouse, once no other process holds it; None where it is time to end."""
        with self.held:
            con = None
            while con is None:
                try:
                    con = duckdb.connect(self.warehouse, temp_directory=self.temp)
                except Busy:
                    if self.ending.wait(BUSY_SECONDS):
                        break
            if con is None:
                yield None
                return
            try:
                raw_zone.ensure(con)
                yield con
            finally:
                con.close()

    def _tell(self, follower: Follower, changes: int) -> int | None:
        """Bytes of the source's log that are not applied, which is told with the rest."""
        behind = follower.behind()
        at = follower.committed_at
        now = self.clock.now().replace(tzinfo=None)
        seconds = 0.0 if behind == 0 else None if at is None else max(0.0, (now - at).total_seconds())
        self.tell(Lag(self.name, changes, behind, seconds))
        return behind


@contextmanager
def _signals(ending: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT end the watch after the batch that is under way."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        ending.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _passing(error: SourceUnavailable) -> bool:
    """Whether trying again may help: the server is away or full, and has not said no."""
    return any(words in str(error) for words in PASSING)
