"""The mock cluster of librdkafka, which speaks the Kafka protocol over TCP to any client, in this process.

It is what the library is tested with itself: topics, partitions, consumer groups with rebalances, committed offsets,
brokers that go down. It keeps 5 MB or 100,000 messages a partition, and forgets the oldest: retention, for a test.
It has no transactions, rights or passwords that these tests could use.
"""

from __future__ import annotations

import ctypes
import glob
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from evervalue.collector.streams.settings import StreamSettings
from tests.support.streaming import settings

PRODUCER = 0


def _library() -> ctypes.CDLL:
    """The library that the Python client is made of."""
    folder = Path(importlib.import_module("confluent_kafka").__file__ or "").parent
    places = [f"{folder}.libs/librdkafka*", f"{folder}/.dylibs/librdkafka*"]
    found = [path for place in places for path in glob.glob(place)]  # noqa: PTH207 - an absolute pattern
    library = ctypes.CDLL(found[0])
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


class Kafka:
    """A cluster, and a topic `clicks`."""

    def __init__(self, brokers: int = 1) -> None:
        self._library = _library()
        said = ctypes.create_string_buffer(500)
        conf = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        self._client = ctypes.c_void_p(self._library.rd_kafka_new(PRODUCER, conf, said, ctypes.c_size_t(500)))
        assert self._client.value, said.value
        self._cluster = ctypes.c_void_p(self._library.rd_kafka_mock_cluster_new(self._client, brokers))
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 50)
        self.brokers: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self._producer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer = None
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    def make(self, topic: str, partitions: int) -> None:
        assert self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1) == 0

    def refuse(self, topic: str, code: int) -> None:
        """Every request for the topic is answered with this error; 0 ends it."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, topic.encode(), code)

    def down(self) -> None:
        self._library.rd_kafka_mock_broker_set_down(self._cluster, -1)

    def up(self) -> None:
        self._library.rd_kafka_mock_broker_set_up(self._cluster, -1)

    def settings(self, topic: str, **table: Any) -> StreamSettings:
        table.setdefault("options", {})
        # Who joins again waits for a second less than the session, as the mock has it.
        quick = {"session.timeout.ms": 2000, "heartbeat.interval.ms": 200, "reconnect.backoff.max.ms": 200}
        table["options"] = {**quick, **table["options"]}
        return settings(f"kafka://{self.brokers}/{topic}?group={topic}", **table)

    def put(self, topic: str, bodies: Sequence[bytes | None], partition: int | None = None) -> None:
        """Writes messages, to all partitions in turn or to one."""
        if self._producer is None:
            producer = importlib.import_module("confluent_kafka").Producer
            self._producer = producer(
                {"bootstrap.servers": self.brokers, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000,
                 "partitioner": "random", "log_level": 0}
            )  # fmt: skip
        where = {} if partition is None else {"partition": partition}
        failed: list[Any] = []
        for body in bodies:
            self._producer.produce(
                topic, body, on_delivery=lambda e, _: failed.append(e) if e else None, **where
            )
        assert self._producer.flush(30) == 0
        assert not failed
