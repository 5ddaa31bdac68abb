"""Group commit: what many requests bring while the disk is busy is written in one go, and then acknowledged.

A queue that is full refuses at once: who sends is told to come again, and memory stays bounded.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import perf_counter

from evervalue.collector.records import Delivery, Log
from evervalue.core.errors import EvervalueError, StorageError
from evervalue.core.logs import fault, tell

LOG = logging.getLogger("evervalue.collector")
MOST_BYTES = 64 * 1024 * 1024
MOST_EVENTS = 50_000
"""What may wait for the disk."""
AT_ONCE = 20_000
"""Events of one commit, about."""

Done = Callable[[EvervalueError | None], None]
"""Called by the writer's thread: with None once the delivery is on disk, else with what went wrong."""


class Writer:
    """A thread that writes deliveries to the log in the order in which they came.

    Parameters
    ----------
    open_log
        Opens the log, in the writer's own thread.
    committed
        Told of each commit: how many seconds it took, and whether it failed.
    """

    def __init__(
        self, open_log: Callable[[], Log], committed: Callable[[float, bool], None] | None = None
    ) -> None:
        self._open_log = open_log
        self._committed = committed
        self._waiting: list[tuple[Delivery, Done]] = []
        self._bytes = self._events = 0
        self._ready = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="evervalue-events", daemon=True)
        self._thread.start()

    def put(self, delivery: Delivery, done: Done) -> bool:
        """Whether there was room; if so `done` is called once, by another thread."""
        size, events = weight(delivery), len(delivery.taken) + len(delivery.refused)
        with self._ready:
            full = self._waiting and (self._bytes + size > MOST_BYTES or self._events + events > MOST_EVENTS)
            if self._ending or full:
                return False
            self._waiting.append((delivery, done))
            self._bytes += size
            self._events += events
            self._ready.notify()
        return True

    @property
    def waiting(self) -> tuple[int, int]:
        """Events and bytes that wait for the disk."""
        with self._ready:
            return self._events, self._bytes

    def close(self) -> None:
        """Write what waits, then end."""
        with self._ready:
            self._ending = True
            self._ready.notify()
        self._thread.join()

    def _run(self) -> None:
        log: Log | None = None
        while True:
            batch = self._next()
            if not batch:
                break
            failed: EvervalueError | None = None
            begun = perf_counter()
            try:
                log = log or self._open_log()
                log.write([delivery for delivery, _ in batch])
            except EvervalueError as error:
                failed = error
            except Exception as error:  # the one thread that writes must not end
                tell(LOG, logging.ERROR, "fault", fault=fault(error))
                failed = StorageError("What came could not be written; the collector's lines tell the fault.")
            if self._committed is not None:
                self._committed(perf_counter() - begun, failed is not None)
            for _, done in batch:
                done(failed)
        if log is not None:
            log.close()

    def _next(self) -> list[tuple[Delivery, Done]]:
        """The next deliveries to be written together; empty when it is time to end."""
        with self._ready:
            while not self._waiting and not self._ending:
                self._ready.wait()
            events = n = 0
            for delivery, _ in self._waiting:
                events += len(delivery.taken) + len(delivery.refused)
                n += 1
                if events >= AT_ONCE:
                    break
            batch, self._waiting = self._waiting[:n], self._waiting[n:]
            self._bytes -= sum(weight(delivery) for delivery, _ in batch)
            self._events -= events
            return batch


def weight(delivery: Delivery) -> int:
    """Bytes that a delivery holds, about."""
    return sum(len(e.body) for e in delivery.taken) + sum(len(r.body) for r in delivery.refused)
