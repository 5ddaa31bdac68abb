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
from evervalue.core.errors import SourceUnavailable
from evervalue.core.progress import Progress
from evervalue.sources import raw_zone
from evervalue.sources.changes import positions
from evervalue.sources.changes.feed import Follower, FollowerOf
from evervalue.sources.changes.lag import Behind, Gauge
from evervalue.sources.changes.shared_warehouse import SharedWarehouse
from evervalue.sources.changes.standing import BEAT_SECONDS, Board
from evervalue.warehouse import duckdb

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
    """Since the instant up to which all is applied; 0 where nothing waits, None before any is known."""


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
    standings: Path | None = None,
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
    standings
        Folder of the files that say how each follower stands; None writes none.

    Raises
    ------
    EvervalueError
        A source cannot be followed any more, or the warehouse is gone, with the mend; the others are ended.
    """
    ending = stop or threading.Event()
    failed: dict[str, BaseException] = {}
    shared = SharedWarehouse(warehouse, temp, ending)
    board = Board(standings, followers, clock)

    def follow(name: str, make: FollowerOf) -> None:
        try:
            _Watcher(
                name, make, shared, temp, clock, progress, tell, ending, board, batch_seconds, idle_seconds
            ).run()
        except BaseException as error:
            failed[name] = error
            ending.set()

    with _signals(ending) if stop is None else nullcontext():
        threads = [
            threading.Thread(target=follow, args=item, name=f"evervalue-{item[0]}")
            for item in followers.items()
        ]
        for thread in threads:
            thread.start()
        beat = time.monotonic()
        while alive := [thread for thread in threads if thread.is_alive()]:
            alive[0].join(0.2)
            if time.monotonic() - beat >= BEAT_SECONDS:
                board.beat()
                beat = time.monotonic()
    board.end(failed)
    if failed:
        raise next(iter(failed.values()))


class _Watcher:
    def __init__(
        self, name: str, make: FollowerOf, warehouse: SharedWarehouse, temp: Path, clock: Clock,
        progress: Progress, tell: Callable[[Lag], None], ending: threading.Event, board: Board,
        batch_seconds: float, idle_seconds: float,
    ) -> None:  # fmt: skip
        self.name = name
        self.make = make
        self.warehouse = warehouse
        self.temp = temp
        self.clock = clock
        self.progress = progress
        self.tell = tell
        self.ending = ending
        self.board = board
        self.gauge = Gauge()
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
                self.board.note(self.name, state="retrying", says=str(error))
                self.progress.warn(f"{error} Trying again in {wait:.0f} seconds.")
                self.ending.wait(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            finally:
                follower.close()

    def _follow(self, follower: Follower) -> None:
        with self.warehouse.opened() as con:
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
        self._tell(follower, 0)
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
                self._look(follower)
                if (follower.look_again() or follower.moved) and self._apply(follower) is None:
                    return
                self._tell(follower, 0)
                told = self.clock.now()

    def _apply(self, follower: Follower) -> int | None:
        """Changes applied and committed; None where it is time to end."""
        with self.warehouse.opened() as con:
            if con is None:
                return None
            self.warehouse.refuse_another(con, self.name, follower.position)
            with raw_zone.transaction(con):
                made = follower.apply(con, run_id=self._batch(con))
                if (held := positions.read(con, self.name)) is not None:
                    positions.note_current(con, self.name, self.gauge.current_to(held.next_lsn, held))
        follower.done(committed=True)
        return sum(one.read for one in made.values())

    def _batch(self, con: duckdb.Connection) -> str:
        now = self.clock.now().replace(tzinfo=None)
        run_id = f"{now:%Y%m%dT%H%M%S}.{now.microsecond:06d}-watch-{self.name}"
        raw_zone.note_load(con, run_id, now, "watch")
        return run_id

    def _look(self, follower: Follower) -> Behind:
        return self.gauge.look(*follower.end(), follower.applied_to, follower.position)

    def _tell(self, follower: Follower, changes: int) -> int | None:
        """Bytes of the source's log that are not applied, which is told with the rest."""
        behind = self._look(follower)
        self.board.note(
            self.name, state="following", says="", asked_at=self.clock.now().replace(tzinfo=None),
            behind_seconds=behind.seconds, behind_bytes=behind.bytes,
        )  # fmt: skip
        self.tell(Lag(self.name, changes, behind.bytes, behind.seconds))
        return behind.bytes


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
