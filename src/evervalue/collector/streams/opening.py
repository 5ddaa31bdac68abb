"""The streams of a project: their readers, and the threads that carry them into the log."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

from evervalue.collector.records import Log
from evervalue.collector.streams.consumer import Consumer, Put, stopped
from evervalue.collector.streams.reader import Reader
from evervalue.collector.streams.settings import StreamSettings
from evervalue.core.clock import Clock
from evervalue.core.errors import MissingExtra

READERS = {"kinesis": "KinesisReader", "kafka": "KafkaReader", "nats": "NatsReader"}
LIBRARIES = {"kinesis": "boto3", "kafka": "confluent_kafka", "nats": "nats"}


def reader(settings: StreamSettings, clock: Clock) -> Reader:
    """What reads a stream; nothing is connected yet.

    Raises
    ------
    MissingExtra
        The library that it needs is not installed.
    """
    try:
        importlib.import_module(LIBRARIES[settings.kind])
    except ImportError:
        raise MissingExtra(
            f"sources.{settings.source}.stream: reading {settings.kind} needs the library {LIBRARIES[settings.kind]}: "
            f"pip install 'evervalue[{settings.kind}]'."
        ) from None
    module = importlib.import_module(f"evervalue.collector.streams.{settings.kind}")
    return cast("Reader", getattr(module, READERS[settings.kind])(settings, clock))


@contextmanager
def consuming(
    streams: Mapping[str, StreamSettings], put: Put, open_log: Callable[[], Log], clock: Clock
) -> Iterator[list[Consumer]]:
    """The streams are read until the end of the block; what is not written then is read again the next time.

    Parameters
    ----------
    streams
        Source: its stream.
    put
        The writer's `put`.
    open_log
        Opens the event log.

    Raises
    ------
    MissingExtra
        A library is not installed.
    SettingsError
        An option names a variable that the environment does not set.
    """
    for settings in streams.values():
        settings.filled()
    consumers = [
        Consumer(source, reader(settings, clock), put, open_log, clock)
        for source, settings in streams.items()
    ]
    for consumer in consumers:
        consumer.start()
    try:
        yield consumers
    finally:
        stopped(consumers)
