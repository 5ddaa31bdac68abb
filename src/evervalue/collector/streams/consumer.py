"""The loop that carries a stream into the log: read, judge, write together with the position, go on.

One delivery is being written while the next records are read, never more: memory is bounded by two of them. Whatever
fails, the stream is opened again at the position that the log holds, after a pause that grows. A position only ever
moves with what it covers, so a crash at any instant leaves nothing out and stores nothing twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from evervalue.collector.messages import Event, Refusal, kept
from evervalue.collector.records import Delivery, Log
from evervalue.collector.streams.reader import Chunk, Moved, Reader
from evervalue.collector.streams.records import judged
from evervalue.collector.writer import Done
from evervalue.core.clock import Clock
from evervalue.core.errors import EvervalueError

LOG = logging.getLogger("evervalue.streams")
SHORTEST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0
FULL_PAUSE_SECONDS = 0.02
"""How long is waited for room where more waits for the disk than may."""

MOST_BYTES = 16 * 1024 * 1024
"""Of events in one delivery, about; packed records can hold many times their size."""

Put = Callable[[Delivery, Done], bool]


@dataclass(frozen=True, slots=True)
class State:
    """How a stream is doing."""

    source: str
    is_reading: bool = False
    records: int = 0
    """Records that were stored since the start of this process."""
    says: str = ""
    """What keeps it from being read; empty where nothing does."""


class Writing:
    """A delivery on its way to the disk."""

    def __init__(self, records: int, receipt: Any) -> None:
        self.records, self.receipt = records, receipt
        self._end = threading.Event()
        self._failed: EvervalueError | None = None

    def done(self, failed: EvervalueError | None) -> None:
        """Called by the writer."""
        self._failed = failed
        self._end.set()

    def wait(self) -> None:
        """Returns once it is on disk.

        Raises
        ------
        EvervalueError
            It is not, and will not be.
        """
        self._end.wait()
        if self._failed is not None:
            raise self._failed


class Consumer:
    """A thread that reads one stream into the log until it is stopped.

    Parameters
    ----------
    source
        Whose events they are.
    reader
        The stream.
    put
        Hands a delivery to the one writer of the log; False where there is no room just now.
    open_log
        Opens the log to read positions, in the consumer's own thread.
    clock
        Tells when a record came to us.
    """

    def __init__(
        self, source: str, reader: Reader, put: Put, open_log: Callable[[], Log], clock: Clock
    ) -> None:
        self.state = State(source)
        self._source, self._reader, self._put, self._clock = source, reader, put, clock
        self._open_log = open_log
        self._stop = threading.Event()
        self._writing: Writing | None = None
        self._thread = threading.Thread(target=self._run, name=f"evervalue-stream-{source}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is being written; what was read and is not written will be read again."""
        self._stop.set()

    def join(self, seconds: float | None = None) -> None:
        """Wait for the end."""
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = SHORTEST_PAUSE_SECONDS
        while not self._stop.is_set():
            before = self.state.records
            try:
                self._read_on()
            except Moved:
                pass
            except EvervalueError as error:
                self._tell(str(error))
            except Exception as error:  # a stream that fails must not end the others
                LOG.exception("The stream of source %s failed.", self._source)
                self._tell(f"{type(error).__name__}; the log of this process has more.", quietly=True)
            finally:
                with suppress(Exception):
                    self._settle()
                self._writing = None
                with suppress(Exception):
                    self._reader.close()
            if self.state.records > before:
                pause = SHORTEST_PAUSE_SECONDS
            self._stop.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self.state = replace(self.state, is_reading=False)

    def _read_on(self) -> None:
        """Read until stopped, or until something fails."""
        log = self._open_log()
        try:
            self._reader.open(lambda: log.positions(self._source), self._settle)
            while not self._stop.is_set():
                chunk = self._reader.read()
                self._tell("")
                for delivery, records, receipt in self._deliveries(chunk):
                    self._settle()
                    self._write(delivery, records, receipt)
                if chunk.is_empty:
                    self._settle()
            self._settle()
        finally:
            log.close()

    def _settle(self) -> None:
        """Waits for what is being written, then tells the stream."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.wait()
            self.state = replace(self.state, records=self.state.records + writing.records)
            if writing.receipt is not None:
                self._reader.stored(writing.receipt)

    def _write(self, delivery: Delivery, records: int, receipt: Any) -> None:
        writing = Writing(records, receipt)
        while not self._put(delivery, writing.done):
            if self._stop.wait(FULL_PAUSE_SECONDS):
                raise Moved
        self._writing = writing

    def _deliveries(self, chunk: Chunk) -> Iterator[tuple[Delivery, int, Any]]:
        """What is written of a chunk, in as many pieces as memory wants; with each its records and receipt."""
        if chunk.is_empty:
            return
        now_us = int(self._clock.now().timestamp() * 1_000_000)
        taken: list[Event] = []
        refused: list[Refusal] = []
        positions: dict[tuple[str, str], str] = {}
        size = records = 0
        for lost in chunk.lost:
            LOG.error("Source %s, %s: %s", self._source, lost.part, lost.says)
            body = kept({"part": lost.part, "lost": lost.says})
            refused.append(Refusal("lost_in_stream", lost.says, body))
        for record in chunk.records:
            found = judged(record)
            taken += found.taken
            refused += found.refused
            records += 1
            size += sum(len(e.body) for e in found.taken) + sum(len(r.body) for r in found.refused)
            if record.place is not None:
                positions[record.place] = record.position
            if size > MOST_BYTES and record is not chunk.records[-1]:
                yield Delivery(self._source, now_us, taken, refused, positions), records, None
                taken, refused, positions, size, records = [], [], {}, 0, 0
        positions |= chunk.positions
        yield Delivery(self._source, now_us, taken, refused, positions), records, chunk.receipt

    def _tell(self, fault: str, *, quietly: bool = False) -> None:
        """Keeps how the stream is doing, and says it where it has changed."""
        if fault == self.state.says and self.state.is_reading == (not fault):
            return
        if fault and not quietly:
            LOG.warning("The stream of source %s is not read just now: %s", self._source, fault)
        elif not fault and self.state.says:
            LOG.warning("The stream of source %s is read again.", self._source)
        self.state = replace(self.state, is_reading=not fault, says=fault)


def stopped(consumers: Iterable[Consumer], seconds: float = 30.0) -> None:
    """Stops them all together, and waits for each."""
    consumers = list(consumers)
    for consumer in consumers:
        consumer.stop()
    for consumer in consumers:
        consumer.join(seconds)
