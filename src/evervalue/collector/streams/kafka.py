"""The Kafka protocol: the partitions that the group gives us, each from the offset that stands in the log.

A position is the next offset to read, as Kafka itself counts. What the group has committed is not asked: it is
written after the log, for Kafka's tools to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from evervalue.collector.log import Position
from evervalue.collector.streams.kafka_client import ANSWER_SECONDS, consumer, group, refusal, told
from evervalue.collector.streams.reader import (
    Chunk,
    Lost,
    Moved,
    Part,
    Positions,
    Record,
    Settle,
    of_stream,
)
from evervalue.collector.streams.settings import StreamSettings
from evervalue.core.clock import Clock
from evervalue.core.errors import EvervalueError
from evervalue.core.text import count

MOST_RECORDS = 5000
WAIT_SECONDS = 1.0
GATHER_SECONDS = 0.005
"""How long is waited for more messages once there is one."""
INCREMENTAL = ("cooperative-sticky", "consumer")
"""Ways of a group to give partitions one by one: partition.assignment.strategy, or group.protocol."""


class KafkaReader:
    """A topic.

    Parameters
    ----------
    settings
        Brokers, topic and options.
    clock
        Tells when a message came whose topic keeps no instants.
    """

    def __init__(self, settings: StreamSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        ways = (
            settings.options.get("partition.assignment.strategy"), settings.options.get("group.protocol")
        )  # fmt: skip
        self._is_incremental = any(way in INCREMENTAL for way in ways)
        self._consumer: Any = None
        self._said: list[Any] = []
        self._stream = ""
        self._mine: set[int] = set()
        """Partitions that the group has given us."""
        self._found = Chunk()
        """What was found where partitions were given, to be written before anything is read of them."""
        self._failed: EvervalueError | None = None
        self._is_broken = False
        self._positions: Positions = list
        self._settle: Settle = lambda: None

    def open(self, positions: Positions, settle: Settle) -> None:
        """Join the group; each partition it gives is read behind the position of the log."""
        self.close()
        self._positions, self._settle = positions, settle
        partitions = self._connect()
        if not of_stream(positions(), self._stream):
            # For all of them, and before they are given out: another server may begin, too.
            for partition in partitions:
                at = self._begin(partition)
                self._found.positions[self._stream, str(partition)] = str(at)
        with told(self._settings, self._said):
            self._consumer.subscribe(
                [self._settings.name], on_assign=self._given, on_revoke=self._taken, on_lost=self._lost
            )

    def read(self) -> Chunk:
        """The next messages of all partitions that are ours."""
        if self._is_broken:
            raise Moved
        chunk, self._found = self._found, Chunk()
        if not chunk.is_empty:
            return chunk
        with told(self._settings, self._said):
            first = self._consumer.poll(WAIT_SECONDS)
            messages = [] if first is None else [first]
            if messages:
                messages += self._consumer.consume(MOST_RECORDS - 1, GATHER_SECONDS)
        if self._failed is not None:
            raise self._failed
        chunk, self._found = self._found, Chunk()
        self._take(messages, chunk)
        if not messages:
            self._check_reachable()
        return chunk

    def stored(self, receipt: Any) -> None:
        """Tells the group, so that Kafka's tools show how far we are; nothing depends on it."""
        import confluent_kafka

        offsets = [
            confluent_kafka.TopicPartition(self._settings.name, partition, offset)
            for partition, offset in receipt.items()
            if partition in self._mine
        ]
        if offsets:
            with suppress(confluent_kafka.KafkaException):
                self._consumer.commit(offsets=offsets, asynchronous=True)

    def parts(self, positions: Sequence[Position]) -> list[Part]:
        """How far each partition is read, and how many messages wait in it."""
        try:
            partitions = self._connect()
            known, found = of_stream(positions, self._stream), []
            for partition in partitions:
                low, high = self._bounds(partition)
                at = known.get(str(partition))
                if at is None:
                    found.append(Part(str(partition), "not begun", high - low))
                else:
                    found.append(Part(str(partition), at, high - max(int(at), low)))
            return found
        finally:
            self.close()

    def check(self) -> str:
        """What is found, after each kind of request was made once."""
        import confluent_kafka

        try:
            partitions = self._connect()
            bounds = {partition: self._bounds(partition) for partition in partitions}
            topic = self._settings.name
            with told(self._settings, self._said):
                own = [confluent_kafka.TopicPartition(topic, partition) for partition in partitions]
                for one in self._consumer.committed(own, timeout=ANSWER_SECONDS):
                    if one.error is not None:
                        raise refusal(self._settings, one.error, self._said)
                filled = [(p, low) for p, (low, high) in bounds.items() if high > low]
                if filled:
                    self._consumer.assign([confluent_kafka.TopicPartition(topic, *filled[0])])
                    message = self._consumer.poll(ANSWER_SECONDS)
                    if message is not None and message.error() is not None:
                        raise refusal(self._settings, message.error(), self._said)
            held = sum(high - low for low, high in bounds.values())
            says = f"{count(len(partitions), 'partition')}, {count(held, 'message')} at most"
            return f"{self._settings.where} can be read as group '{group(self._settings)}': {says}."
        finally:
            self.close()

    def close(self) -> None:
        """Leave the group."""
        found, self._consumer = self._consumer, None
        if found is not None:
            with suppress(Exception):
                found.close()
        self._mine.clear()
        self._found, self._failed, self._is_broken = Chunk(), None, False
        self._said.clear()

    def _connect(self) -> list[int]:
        """The partitions of the topic; learns the identity of the stream."""
        self._consumer = consumer(self._settings, self._said)
        with told(self._settings, self._said):
            found = self._consumer.list_topics(self._settings.name, timeout=ANSWER_SECONDS)
        topic = found.topics[self._settings.name]
        if topic.error is not None:
            raise refusal(self._settings, topic.error, self._said)
        self._stream = f"kafka:{found.cluster_id or ''}:{self._settings.name}"
        return sorted(topic.partitions)

    def _bounds(self, partition: int) -> tuple[int, int]:
        """The oldest offset of a partition, and the next one."""
        import confluent_kafka

        with told(self._settings, self._said):
            low, high = self._consumer.get_watermark_offsets(
                confluent_kafka.TopicPartition(self._settings.name, partition), timeout=ANSWER_SECONDS
            )
        return int(low), int(high)

    def _begin(self, partition: int) -> int:
        """The offset at which a partition begins that was never read."""
        import confluent_kafka

        low, high = self._bounds(partition)
        at = self._settings.start_at
        if at is not None:
            asked = confluent_kafka.TopicPartition(self._settings.name, partition, int(at.timestamp() * 1000))
            with told(self._settings, self._said):
                (found,) = self._consumer.offsets_for_times([asked], timeout=ANSWER_SECONDS)
            return int(found.offset) if found.offset >= 0 else high
        return high if self._settings.start == "newest" else low

    def _given(self, consumer: Any, partitions: Iterable[Any]) -> None:
        """Called within `poll`, when the group gives us partitions: sets each to the position of the log."""
        partitions = list(partitions)
        try:
            self._settle()
            known = of_stream(self._positions(), self._stream)
            for one in partitions:
                one.offset = self._resumed(one.partition, known)
            if self._is_incremental:
                consumer.incremental_assign(partitions)
            else:
                consumer.assign(partitions)
                self._mine.clear()
            self._mine |= {one.partition for one in partitions}
        except EvervalueError as error:
            self._failed = error

    def _taken(self, consumer: Any, partitions: Iterable[Any]) -> None:
        """Called within `poll`, when the group takes partitions from us: what was read of them is on disk first."""
        try:
            self._settle()
        except EvervalueError as error:
            self._failed = error
        self._lost(consumer, partitions)

    def _lost(self, consumer: Any, partitions: Iterable[Any]) -> None:
        """Called within `poll`, when partitions were taken from us without our being asked."""
        self._mine -= {one.partition for one in partitions}

    def _resumed(self, partition: int, known: Mapping[str, str]) -> int:
        """Where reading goes on; told where the topic no longer holds what comes next."""
        low, high = self._bounds(partition)
        # A partition that was added later is read from its beginning: everything in it is new.
        at = int(known.get(str(partition), low))
        where = f"partition {partition} of {self._settings.where}"
        if at < low:
            says = f"Messages {at} to {low - 1} of {where} ({low - at:,}) fell out of retention before they were read."
        elif at > high:
            says = (
                f"The {where} ends at {high}, and was read up to {at}: the topic was made again, or lost its end. It "
                "is read from its beginning."
            )
        else:
            return at
        self._found.lost.append(Lost(str(partition), says))
        self._found.positions[self._stream, str(partition)] = str(low)
        return low

    def _take(self, messages: Sequence[Any], chunk: Chunk) -> None:
        from confluent_kafka import KafkaError

        receipt: dict[int, int] = {}
        for message in messages:
            error = message.error()
            if error is not None:
                if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError._MAX_POLL_EXCEEDED):
                    self._is_broken = True  # the next time it is opened says what is lost
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise refusal(self._settings, error, self._said)
                continue
            partition, offset = message.partition(), message.offset()
            if partition not in self._mine:
                continue  # taken from us meanwhile; who has it now reads it
            kind, at_ms = message.timestamp()
            now_us = int(self._clock.now().timestamp() * 1_000_000)
            arrived_us = min(at_ms * 1000, now_us) if kind and at_ms > 0 else now_us
            # With the instant: a topic that is made again counts from 0 again.
            name = f"{self._stream}|{partition}|{offset}|{at_ms}"
            place = (self._stream, str(partition))
            chunk.records.append(Record(message.value() or b"", arrived_us, name, place, str(offset + 1)))
            receipt[partition] = offset + 1
        for record in chunk.records:
            if record.place is not None:
                chunk.positions.pop(record.place, None)  # where it began
        if receipt:
            chunk.receipt = receipt
            self._said.clear()

    def _check_reachable(self) -> None:
        """Refuses to wait on where no broker answers.

        Raises
        ------
        SourceUnavailable
            So it is.
        """
        from confluent_kafka import KafkaError

        last = [KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION, KafkaError._SSL]
        for error in self._said:
            if error.code() in last or error.fatal():
                raise refusal(self._settings, error, self._said)
        if len(self._said) > 100:
            del self._said[:-10]
