"""NATS JetStream: by a consumer of our own that begins behind the position of the log, or by a durable one.

Without options, an ephemeral consumer is made that begins behind the last number that the log holds; the server keeps
nothing of us. A position is that number, or `@MS` where the stream begins at an instant. With `consumer`, a durable one
is shared and acknowledged: the server decides what comes, in whatever order, so the position is the set of the numbers
that were read (`numbers.py`), and what comes again is known.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from evervalue.collector.log import Position
from evervalue.collector.streams.nats_client import ANSWER_SECONDS, Connection, told
from evervalue.collector.streams.numbers import Numbers
from evervalue.collector.streams.own_loop import OwnLoop
from evervalue.collector.streams.reader import (
    Chunk,
    Lost,
    Moved,
    Part,
    Positions,
    Record,
    Settle,
    began_anew,
    of_stream,
)
from evervalue.collector.streams.settings import StreamSettings
from evervalue.core.clock import Clock
from evervalue.core.errors import SourceUnavailable
from evervalue.core.text import count

T = TypeVar("T")
PART = "stream"
MOST_RECORDS = 5000
MOST_BYTES = 8 * 1024 * 1024
"""Of one request."""
WAIT_SECONDS = 1.0
REQUEST_SECONDS = 20.0
"""How long the server keeps a request."""
GATHER_SECONDS = 0.01
"""How long is waited for one more message once there are some."""
FORGET_SECONDS = 300.0
"""After how long without us the server drops a consumer of our own."""
ACK_SECONDS = 60.0
ACK = b"+ACK"


class NatsReader:
    """A stream of JetStream.

    Parameters
    ----------
    settings
        Hosts, name and options.
    clock
        Not asked: the server tells when it took a message.
    """

    _first: Chunk | None
    """What opening found, to be written before anything is read."""

    def __init__(self, settings: StreamSettings, clock: Clock) -> None:
        self._settings = settings
        self._durable = settings.options.get("consumer", "")
        self._subject = settings.options.get("subject", "")
        self._loop: OwnLoop | None = None
        self._on: Connection | None = None
        self._forget()

    def open(self, positions: Positions, settle: Settle) -> None:
        """Begin behind the position of the log, or where the settings say."""
        self.close()
        self._forget()
        self._run(self._open(positions()))

    def read(self) -> Chunk:
        """The next messages."""
        if self._first is not None:
            chunk, self._first = self._first, None
            if not chunk.is_empty:
                return chunk
        return self._run(self._read())

    def stored(self, receipt: Any) -> None:
        """Acknowledges what a durable consumer delivered."""
        self._run(self._acknowledge(receipt))

    def parts(self, positions: Sequence[Position]) -> list[Part]:
        """How far the stream is read, and how many messages wait."""
        try:
            return self._run(self._parts(positions))
        finally:
            self.close()

    def check(self) -> str:
        """What is found, after each kind of request was made once."""
        try:
            return self._run(self._check())
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the connection."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        if self._on is not None:
            with suppress(Exception):
                loop.run(asyncio.wait_for(self._on.close(), ANSWER_SECONDS))
            self._on = None
        loop.close()

    def _forget(self) -> None:
        self._stream = ""
        self._consumer = ""
        self._inbox: Any = None
        self._promised = 0
        """Messages that the server still owes for the last request."""
        self._promise_ends = 0.0
        self._is_large = False
        """Whether the next message is larger than a request may be."""
        self._last = 0
        """Number in the stream of the last message read."""
        self._counted = 0
        """Number in the consumer of the last message read."""
        self._read_numbers, self._stored_numbers = Numbers(), Numbers()
        self._is_broken = False
        self._filled_at = 0.0
        self._first = None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            self._loop = OwnLoop()
        return self._loop.run(work)

    async def _connected(self) -> tuple[Connection, Any]:
        """The connection and what the stream is."""
        self._on = Connection(self._settings)
        await self._on.open()
        with told(self._on):
            info = await self._on.js.stream_info(self._settings.name)
        if (
            str(info.config.retention or "limits").rpartition(".")[2].lower() != "limits"
            and not self._durable
        ):
            raise SourceUnavailable(
                f"sources.{self._settings.source}.stream, {self._settings.where}: its messages go when they are "
                "acknowledged (retention workqueue or interest), so it must be read through a durable consumer: write "
                'options = { consumer = "evervalue" }.'
            )
        created = int(info.created.timestamp() * 1000)
        self._stream = f"nats:{self._settings.name}#{created}"
        return self._on, info

    async def _open(self, positions: Sequence[Position]) -> None:
        on, info = await self._connected()
        known = of_stream(positions, self._stream).get(PART)
        start = self._settings.start if not began_anew(positions, self._stream) else "oldest"
        self._first = Chunk()
        if self._durable:
            self._read_numbers = Numbers.of(known or "0")
            self._stored_numbers = Numbers.of(known or "0")
            await self._bind(on, start)
            await self._fill(on)
        else:
            at = known if known is not None else self._begin(start, info)
            at = self._resumed(at, info, self._first)
            if at != known:
                self._first.positions[self._stream, PART] = at
            self._last = 0 if at.startswith("@") else int(at)
            self._consumer = (await self._ephemeral(on, at)).name
        with told(on):
            self._inbox = await on.nc.subscribe(on.nc.new_inbox())

    def _begin(self, start: str, info: Any) -> str:
        """The position of a stream that was never read."""
        at = self._settings.start_at
        if start == "newest":
            return str(info.state.last_seq)
        return f"@{int(at.timestamp() * 1000)}" if at is not None and start != "oldest" else "0"

    def _resumed(self, at: str, info: Any, chunk: Chunk) -> str:
        """Where reading goes on; told where the stream no longer holds what comes next."""
        if at.startswith("@"):
            return at
        last, first, end = int(at), info.state.first_seq, info.state.last_seq
        if last > end:
            chunk.lost.append(
                Lost(
                    PART,
                    f"{self._settings.where} ends at message {end}, and was read up to {last}: it is an older copy of "
                    "itself. It is read on from its end; what was written twice under the same numbers is kept.",
                )
            )
            return str(end)
        if last and first > last + 1:
            self._lose(last + 1, first - 1, chunk)
            return str(first - 1)
        return at

    def _lose(self, first: int, last: int, chunk: Chunk) -> None:
        which = f", of all subjects of which {self._subject} is read" if self._subject else ""
        chunk.lost.append(
            Lost(
                PART,
                f"Messages {first} to {last} of {self._settings.where} ({last - first + 1:,} at most{which}) were "
                "deleted by the limits of the stream, or by hand, before they were read.",
            )
        )

    async def _ephemeral(self, on: Connection, at: str) -> Any:
        """A consumer of our own that begins behind a position."""
        import nats.js.api as api

        begin: dict[str, Any] = {"deliver_policy": api.DeliverPolicy.ALL}
        if at.startswith("@"):
            instant = dt.datetime.fromtimestamp(int(at[1:]) / 1000, dt.UTC)
            begin = {"deliver_policy": api.DeliverPolicy.BY_START_TIME, "opt_start_time": instant}
        elif int(at):
            begin = {"deliver_policy": api.DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": int(at) + 1}
        config = api.ConsumerConfig(
            ack_policy=api.AckPolicy.NONE, filter_subject=self._subject or None, mem_storage=True,
            inactive_threshold=FORGET_SECONDS, num_replicas=1, **begin,
        )  # fmt: skip
        with told(on):
            return await on.js.add_consumer(self._settings.name, config)

    async def _bind(self, on: Connection, start: str) -> None:
        """The durable consumer, made where there is none."""
        import nats.js.api as api
        import nats.js.errors

        with told(on):
            try:
                found = await on.js.consumer_info(self._settings.name, self._durable)
            except nats.js.errors.NotFoundError:
                begin: dict[str, Any] = {"deliver_policy": api.DeliverPolicy.ALL}
                if start == "newest":
                    begin = {"deliver_policy": api.DeliverPolicy.NEW}
                elif start != "oldest":
                    begin = {
                        "deliver_policy": api.DeliverPolicy.BY_START_TIME,
                        "opt_start_time": self._settings.start_at,
                    }
                config = api.ConsumerConfig(
                    name=self._durable, durable_name=self._durable, ack_policy=api.AckPolicy.EXPLICIT,
                    ack_wait=ACK_SECONDS, max_ack_pending=4 * MOST_RECORDS,
                    filter_subject=self._subject or None, **begin,
                )  # fmt: skip
                found = await on.js.add_consumer(self._settings.name, config)
        config = found.config
        if config.deliver_subject or str(config.ack_policy or "").rpartition(".")[2].lower() != "explicit":
            raise SourceUnavailable(
                f"sources.{self._settings.source}.stream, {self._settings.where}: the consumer '{self._durable}' is "
                "not one that is pulled and acknowledged message by message. Make it with --pull --ack explicit, or "
                "name another."
            )
        self._consumer = self._durable

    async def _fill(self, on: Connection) -> None:
        """Everything up to the floor of a durable consumer was acknowledged, and will not come again."""
        with told(on):
            info = await on.js.consumer_info(self._settings.name, self._durable)
        floor = int(info.ack_floor.stream_seq) if info.ack_floor else 0
        self._read_numbers.fill(floor)
        self._stored_numbers.fill(floor)
        self._filled_at = time.monotonic()

    async def _read(self) -> Chunk:
        if self._is_broken:
            raise Moved
        assert self._on is not None
        on = self._on
        if on.nc.is_closed or not on.nc.is_connected:
            said = on.said[-1] if on.said else "the connection is gone"
            raise SourceUnavailable(
                f"sources.{self._settings.source}.stream, {self._settings.where}: {said}."
            )
        with told(on):
            messages = await self._messages(on)
        chunk = Chunk()
        if self._durable:
            await self._take_durable(on, messages, chunk)
            if time.monotonic() - self._filled_at > REQUEST_SECONDS:
                await self._fill(on)
        else:
            await self._take(on, messages, chunk)
        return chunk

    async def _messages(self, on: Connection) -> list[Any]:
        """What the server gives: waits for the first, then takes what is there."""
        import nats.errors

        if self._promised == 0 or time.monotonic() > self._promise_ends:
            asked: dict[str, Any] = {"batch": MOST_RECORDS, "expires": int(REQUEST_SECONDS * 1e9)}
            asked |= {"batch": 1} if self._is_large else {"max_bytes": MOST_BYTES}
            subject = f"{on.js._prefix}.CONSUMER.MSG.NEXT.{self._settings.name}.{self._consumer}"
            await on.nc.publish(subject, json.dumps(asked).encode(), self._inbox.subject)
            self._promised = asked["batch"]
            self._promise_ends = time.monotonic() + REQUEST_SECONDS + ANSWER_SECONDS
        found: list[Any] = []
        wait = WAIT_SECONDS
        while self._promised and len(found) < MOST_RECORDS:
            try:
                message = await self._inbox.next_msg(wait)
            except nats.errors.TimeoutError:
                break
            status = (
                (message.headers or {}).get("Status") if not message.reply.startswith("$JS.ACK") else None
            )
            if status is None and message.reply:
                found.append(message)
                self._promised -= 1
                self._is_large = False
                wait = GATHER_SECONDS
            elif status != "100":
                self._end(status, str((message.headers or {}).get("Description", "")), bool(found))
        return found

    def _end(self, status: str | None, why: str, has_some: bool) -> None:
        """A request is over.

        Raises
        ------
        Moved
            The consumer is gone, or with another server of the cluster.
        SourceUnavailable
            The consumer does not give what is asked.
        """
        self._promised = 0
        if "MaxBytes" in why:
            self._is_large = not has_some
        elif status in ("404", "408") or has_some:
            return
        elif "Exceeded" in why:
            raise SourceUnavailable(
                f"sources.{self._settings.source}.stream, {self._settings.where}: the consumer "
                f"'{self._consumer}' refuses: {why}. Give it no limits of its own on requests."
            )
        else:
            raise Moved

    async def _take(self, on: Connection, messages: Sequence[Any], chunk: Chunk) -> None:
        """Messages of a consumer of our own, which come in order or not at all."""
        first: int | None = None
        for message in messages:
            number, counted, taken_ns = _told_of(message.reply)
            if counted != self._counted + 1:  # something was lost on the way
                self._is_broken = True
                return
            if self._last and number > self._last + 1:
                if first is None:
                    with told(on):
                        first = int((await on.js.stream_info(self._settings.name)).state.first_seq)
                if first > self._last + 1:
                    self._lose(self._last + 1, min(first, number) - 1, chunk)
            self._last, self._counted = number, counted
            chunk.records.append(self._record(message, number, taken_ns))

    async def _take_durable(self, on: Connection, messages: Sequence[Any], chunk: Chunk) -> None:
        """Messages of a durable consumer, of which those that are stored already are only acknowledged again."""
        receipt: list[tuple[int, str]] = []
        for message in messages:
            number, _, taken_ns = _told_of(message.reply)
            if number in self._stored_numbers:
                await on.nc.publish(message.reply, ACK)
            elif number not in self._read_numbers:  # else it is being written
                self._read_numbers.add(number)
                receipt.append((number, message.reply))
                chunk.records.append(self._record(message, number, taken_ns))
        if receipt:
            chunk.positions[self._stream, PART] = str(self._read_numbers)
            chunk.receipt = receipt

    def _record(self, message: Any, number: int, taken_ns: int) -> Record:
        # With the instant: in an older copy of the stream the numbers are given out a second time.
        name = f"{self._stream}|{number}|{taken_ns}"
        place = None if self._durable else (self._stream, PART)
        return Record(message.data, taken_ns // 1000, name, place, str(number))

    async def _acknowledge(self, receipt: Sequence[tuple[int, str]]) -> None:
        assert self._on is not None
        with told(self._on):
            for number, reply in receipt:
                self._stored_numbers.add(number)
                await self._on.nc.publish(reply, ACK)
            await self._on.nc.flush(ANSWER_SECONDS)

    async def _parts(self, positions: Sequence[Position]) -> list[Part]:
        on, info = await self._connected()
        at = of_stream(positions, self._stream).get(PART)
        if self._durable:
            with told(on):
                found = await on.js.consumer_info(self._settings.name, self._durable)
            waiting = int(found.num_pending or 0) + int(found.num_ack_pending or 0)
            return [Part(self._durable, str(Numbers.of(at).last) if at else "not begun", waiting)]
        if at is None:
            return [Part(PART, "not begun")]
        found = await self._ephemeral(on, self._resumed(at, info, Chunk()))
        with suppress(Exception):
            await on.js.delete_consumer(self._settings.name, found.name)
        return [Part(PART, at, int(found.num_pending or 0))]

    async def _check(self) -> str:
        on, info = await self._connected()
        state = info.state
        if self._durable:
            await self._bind(on, self._settings.start)
        else:
            found = await self._ephemeral(on, str(state.last_seq))
            with suppress(Exception):
                await on.js.delete_consumer(self._settings.name, found.name)
        says = f"{count(state.messages, 'message')}, numbers {state.first_seq:,} to {state.last_seq:,}"
        return f"{self._settings.where} can be read: {says}."


def _told_of(reply: str) -> tuple[int, int, int]:
    """Number in the stream, number in the consumer and instant in nanoseconds, of where a message is answered."""
    tokens = reply.split(".")
    at = 5 if len(tokens) == 9 else 7
    return int(tokens[at]), int(tokens[at + 1]), int(tokens[at + 2])
