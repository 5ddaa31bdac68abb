"""The stream of a replication slot: messages in, acknowledgements out, signs of life while we are busy.

psycopg has no replication cursor, so this speaks COPY BOTH over its low level connection.
"""

from __future__ import annotations

import select
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from evervalue.core.errors import SourceUnavailable
from evervalue.sources.changes.postgres_slot import connect, shown
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.postgres_errors import driver, failed, refusal
from evervalue.sources.databases.postgres_facts import literal, quoted

LIFE_SECONDS = 5.0
"""The server ends a connection that says nothing for wal_sender_timeout, a minute by default."""
_keepalive = struct.Struct(">QqB").unpack_from


PATIENCE_SECONDS = 3.0
"""How long a slot may be in use: the server lets go of one a moment after its stream was closed."""
PAUSE_SECONDS = 0.05


class Stream:
    """Changes from a position on. Closed by `close`, which leaves the slot where it was acknowledged."""

    def __init__(self, address: Address, slot: str, publication: str, start: int) -> None:
        """Asks for everything that was committed at or after `start`.

        Raises
        ------
        SourceUnavailable
            The slot is in use, gone, or the right to replicate is missing.
        """
        self.address = address
        self.start = start
        self.acknowledged = 0
        self.seen = start
        """As far as the server says it has sent everything."""
        self.received = 0
        """Bytes of messages."""
        self._lock = threading.Lock()
        self._said = 0.0
        self._con = connect(address, replication=True)
        self._pg = self._con.pgconn
        text = (
            f"START_REPLICATION SLOT {quoted(slot)} LOGICAL {shown(start)} "
            f"(proto_version '1', publication_names {literal(quoted(publication))})"
        )
        copying, end = driver().pq.ExecStatus.COPY_BOTH, time.monotonic() + PATIENCE_SECONDS
        while (result := self._pg.exec_(text.encode())).status != copying:
            error = failed(result)
            is_in_use = getattr(error, "sqlstate", "") == "55006"
            if is_in_use and time.monotonic() < end:
                time.sleep(PAUSE_SECONDS)
                continue
            self.close()
            if is_in_use:
                raise SourceUnavailable(
                    f"{address.where}: somebody else reads from the replication slot '{slot}'. Where it is another "
                    "run or watch of this project, wait for it to end; another project needs a slot of its own."
                )
            raise refusal(error, address, "starting the stream of changes")

    def message(self, wait: float) -> bytes | None:
        """The next message of the plugin; None where none came within `wait` seconds.

        Raises
        ------
        SourceUnavailable
            The connection broke, or the server ended the stream.
        """
        end = time.monotonic() + wait
        read = self._pg.get_copy_data
        while True:
            with self._lock:
                try:
                    size, data = read(1)
                except driver().Error as error:
                    raise refusal(error, self.address, "reading the stream of changes") from None
            if size > 0:
                kind = data[0]
                if kind == 119:  # w: data behind three numbers of eight bytes
                    self.received += size
                    return bytes(data[25:])
                if kind == 107:  # k
                    sent, _, asks = _keepalive(data, 1)
                    self.seen = max(self.seen, sent)
                    if asks:
                        self.say()
                continue
            if size < 0:
                self._ended()
            self._alive()
            left = end - time.monotonic()
            if left <= 0:
                return None
            if select.select([self._pg.socket], [], [], min(left, 1.0))[0]:
                with self._lock:
                    try:
                        self._pg.consume_input()
                    except driver().Error as error:
                        raise refusal(error, self.address, "reading the stream of changes") from None

    def acknowledge(self, lsn: int) -> None:
        """Tells the server that everything before `lsn` is kept here for good, so that it may forget it."""
        self.acknowledged = max(self.acknowledged, lsn)
        self.say()

    def ask(self) -> None:
        """Asks the server how far it has sent."""
        self.say(reply=True)

    def say(self, *, reply: bool = False) -> None:
        """Sends where we are. What is not acknowledged is sent again after a break."""
        at = self.acknowledged
        data = struct.pack(">cQQQqB", b"r", at, at, at, 0, int(reply))
        with self._lock:
            try:
                self._pg.put_copy_data(data)
                while self._pg.flush() == 1:
                    select.select([self._pg.socket], [self._pg.socket], [], 1.0)
                    self._pg.consume_input()
            except driver().Error as error:
                raise refusal(error, self.address, "acknowledging changes") from None
        self._said = time.monotonic()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While the block runs the server is told that we live, from another thread."""
        done = threading.Event()

        def tell() -> None:
            while not done.wait(LIFE_SECONDS):
                with suppress(SourceUnavailable):  # what is broken is met by who reads next
                    self.say()

        thread = threading.Thread(target=tell, name="evervalue-signs-of-life", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def close(self) -> None:
        """Ends the connection."""
        with suppress(Exception):
            self._con.close()

    def _alive(self) -> None:
        if time.monotonic() - self._said > LIFE_SECONDS:
            self.say()

    def _ended(self) -> None:
        result: Any = self._pg.get_result()
        if result is not None and result.status == driver().pq.ExecStatus.FATAL_ERROR:
            raise refusal(failed(result), self.address, "reading the stream of changes")
        raise SourceUnavailable(
            f"{self.address.where}: the server ended the stream of changes; it may be shutting down. Run again."
        )
