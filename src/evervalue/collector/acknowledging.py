"""Tells the requests of an event loop what the writer's thread did: the loop is woken once a commit."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

from evervalue.collector.writer import Done
from evervalue.core.errors import EvervalueError

Outcome = asyncio.Future[EvervalueError | None]


class Acknowledging:
    """The futures of one event loop.

    Parameters
    ----------
    loop
        Where they are awaited.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._known: deque[tuple[Outcome, EvervalueError | None]] = deque()
        self._woken = False

    def expect(self) -> tuple[Outcome, Done]:
        """A future, and what sets it from any thread: None once the delivery is on disk, else what went wrong."""
        outcome: Outcome = self.loop.create_future()

        def done(error: EvervalueError | None) -> None:
            self._known.append((outcome, error))
            if not self._woken:
                self._woken = True
                with suppress(RuntimeError):  # the loop has ended, and nobody waits
                    self.loop.call_soon_threadsafe(self._tell)

        return outcome, done

    def _tell(self) -> None:
        self._woken = False  # before the queue is emptied: what comes from here on wakes the loop again
        while self._known:
            outcome, error = self._known.popleft()
            if not outcome.done():
                outcome.set_result(error)
