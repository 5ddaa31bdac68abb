"""Stops what runs too long: one thread that watches all queries of a process."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watch:
    """One thing being watched; `fired` tells afterwards whether it was stopped."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self._done = False
        self.fired = False

    def fire(self) -> None:
        """Stops it, unless it has ended already."""
        with self._lock:
            if not self._done:
                self.fired = True
                self._stop()

    def end(self) -> None:
        """It has ended: from here on nothing is stopped any more."""
        with self._lock:
            self._done = True


class Watchdog:
    """Calls `stop` on whatever has not ended within its time."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Watch]] = []
        self._wake = threading.Condition()
        self._number = itertools.count()
        self._thread: threading.Thread | None = None

    @contextmanager
    def limit(self, seconds: float, stop: Callable[[], None]) -> Iterator[Watch]:
        """A block of code with a time limit; `stop` is called from another thread when it is over."""
        watch = Watch(stop)
        with self._wake:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="query-watchdog", daemon=True)
                self._thread.start()
            heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._number), watch))
            if self._heap[0][2] is watch:
                self._wake.notify()
        try:
            yield watch
        finally:
            watch.end()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._heap or self._heap[0][0] > time.monotonic():
                    self._wake.wait(self._heap[0][0] - time.monotonic() if self._heap else None)
                _, _, watch = heapq.heappop(self._heap)
            watch.fire()
