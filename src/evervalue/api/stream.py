"""Server-sent events: a customer's live profile, told anew whenever an event or a run changes it.

One look at the log every few milliseconds, by one thread for all who watch, tells whose events came; only those who
watch one of them are woken. (WHATWG HTML, section 9.2, says how the stream is written.)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from evervalue.api.cells import to_json
from evervalue.api.live import Live, LiveProfile
from evervalue.api.snapshots import Row
from evervalue.core.errors import EvervalueError

log = logging.getLogger("evervalue.api")
LOOK_SECONDS = 0.01
"""Between two looks at the log while somebody watches."""
AT_ONCE = 10_000
BEAT_SECONDS = 15.0
"""After so long without news a comment is sent, so that nobody between takes the connection for dead."""
AWAY_SECONDS = 1.0
"""Before what could not be read is tried again."""
AT_A_TIME = 2
"""Profiles that are made for streams at a time: many pages that follow many events leave room for who asks."""
OF_OTHERS = ("as_of", "last_event")
"""What moves with the events of anybody; that alone is no news of the customer."""
MOST_WATCHERS = 500
"""Of one process."""

Make = Callable[[], LiveProfile | None]


@dataclass(eq=False)
class Watcher:
    """Somebody who watches a customer."""

    keys: frozenset[tuple[str, str]] = frozenset()
    """Source and key of whose events are watched."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Streams:
    """The streams of one process.

    Parameters
    ----------
    live
        Live profiles.
    run_id
        Name of the published run, as it is now.
    """

    def __init__(self, live: Live, run_id: Callable[[], str | None]) -> None:
        self._live = live
        self._run_id = run_id
        self._watchers: set[Watcher] = set()
        self._looking: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "evervalue-live")
        self._looked_at = 0
        self._turns = asyncio.Semaphore(AT_A_TIME)

    @property
    def count(self) -> int:
        """How many watch."""
        return len(self._watchers)

    @property
    def is_full(self) -> bool:
        """Whether no more may watch."""
        return len(self._watchers) >= MOST_WATCHERS

    async def of(self, make: Make) -> AsyncIterator[bytes]:
        """The stream of one profile: as it is now, then whenever it changes; it ends where there is none any more."""
        watcher = Watcher()
        self._watchers.add(watcher)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            before: Row | None = None
            while True:
                watcher.woken.clear()
                try:
                    async with self._turns:
                        found = await asyncio.get_running_loop().run_in_executor(None, make)
                except EvervalueError as error:  # a snapshot or the log is away for a moment
                    log.warning("a live profile cannot be made: %s", error)
                    watcher.woken.set()
                    await asyncio.sleep(AWAY_SECONDS)
                    continue
                if found is None:
                    return
                if watcher.keys != found.keys:
                    watcher.keys = found.keys
                    if self._looked_at > found.row["last_event"]:  # passed over before the keys were known
                        watcher.woken.set()
                now = {name: value for name, value in found.row.items() if name not in OF_OTHERS}
                if now != before:
                    yield b"event: profile\nid: %d\ndata: %b\n\n" % (
                        found.row["last_event"],
                        to_json(found.row),
                    )
                    before = now
                while not watcher.woken.is_set():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(watcher.woken.wait(), BEAT_SECONDS)
                        break
                    yield b": still here\n\n"
        finally:
            self._watchers.discard(watcher)

    def close(self) -> None:
        """Ends the looking."""
        if self._looking is not None:
            self._looking.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _look(self) -> None:
        """Wakes who watches somebody whose events came, or all of them when a run is published."""
        loop = asyncio.get_running_loop()
        after: int | None = None
        run_id = self._run_id()
        while self._watchers:
            try:
                after, came = await loop.run_in_executor(self._thread, self._came, after)
                self._looked_at = after or 0
                found = self._run_id()
            except EvervalueError as error:  # the log is away for a moment
                log.warning("the event log cannot be read: %s", error)
                await asyncio.sleep(AWAY_SECONDS)
                continue
            for watcher in list(self._watchers):
                if found != run_id or came & watcher.keys:
                    watcher.woken.set()
            run_id = found
            await asyncio.sleep(LOOK_SECONDS)

    def _came(self, after: int | None) -> tuple[int, frozenset[tuple[str, str]]]:
        """The place of the newest event now, and whose events came behind `after`."""
        events = self._live.log()
        if events is None:
            return after or 0, frozenset()
        if after is None:
            # Profiles of those who watch were made after this place was the newest, or are made anew.
            return events.last(), frozenset(key for watcher in list(self._watchers) for key in watcher.keys)
        rows = events.whose(after, AT_ONCE)
        came = frozenset((row.source, row.who) for row in rows if row.who is not None)
        return (rows[-1].seq if rows else after), came
