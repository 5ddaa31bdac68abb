"""A client for the Kafka protocol, and what it refuses in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from evervalue.collector.streams.settings import StreamSettings
from evervalue.core.errors import SettingsError, SourceUnavailable

ANSWER_SECONDS = 8.0
FIXED = {
    # The position stands in the log; the group's own is only shown to Kafka's tools.
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    # Where the log's position is gone, that is told, not passed over.
    "auto.offset.reset": "error",
}
BOUNDS = {
    "queued.max.messages.kbytes": 16 * 1024,
    "fetch.message.max.bytes": 4 * 1024 * 1024,
    "isolation.level": "read_committed",
    "client.id": "evervalue",
    "log_level": 0,
}
"""What the settings may set otherwise: memory, and that messages of transactions that were aborted are not read."""


def group(settings: StreamSettings) -> str:
    """The consumer group."""
    return settings.options.get("group") or f"evervalue-{settings.source}"


def consumer(settings: StreamSettings, said: list[Any]) -> Any:
    """A consumer that is not yet part of its group; what its brokers report goes into `said`.

    Raises
    ------
    SettingsError
        An option is none of librdkafka's, or is missing.
    """
    import confluent_kafka

    given = {key: value for key, value in settings.filled().items() if key != "group"}
    taken = sorted(set(given) & {*FIXED, "bootstrap.servers", "group.id"})
    if taken:
        raise SettingsError(
            f"sources.{settings.source}.options.{taken[0]} cannot be set: reading once depends on it."
        )
    hosts = ",".join(host if ":" in host else f"{host}:9092" for host in settings.hosts.split(","))
    config = {**BOUNDS, **given, **FIXED, "bootstrap.servers": hosts, "group.id": group(settings)}
    try:
        return confluent_kafka.Consumer({**config, "error_cb": said.append})
    except (confluent_kafka.KafkaException, ValueError, TypeError) as error:
        what = error.args[0] if error.args else error
        raise SettingsError(
            f"sources.{settings.source}.options: the client library refuses them: "
            f"{what.str() if hasattr(what, 'str') else what}. They are named as in librdkafka's CONFIGURATION.md."
        ) from None


@contextmanager
def told(settings: StreamSettings, said: list[Any]) -> Iterator[None]:
    """Turns what the library raises into our own error, with what mends it.

    Raises
    ------
    SourceUnavailable
        Always, where it raised anything.
    """
    import confluent_kafka

    try:
        yield
    except confluent_kafka.KafkaException as error:
        raise refusal(settings, error.args[0], said) from None


def refusal(settings: StreamSettings, error: Any, said: list[Any]) -> SourceUnavailable:
    """What a broker or the library reports, with what mends it."""
    from confluent_kafka import KafkaError

    where = f"sources.{settings.source}.stream, {settings.where}"
    codes = [error.code(), *(one.code() for one in said)]
    if KafkaError._AUTHENTICATION in codes or KafkaError.SASL_AUTHENTICATION_FAILED in codes:
        return SourceUnavailable(
            f"{where}: the brokers do not let us in. See security.protocol, sasl.mechanism, sasl.username and "
            f"sasl.password (as a ${{VARIABLE}}) in [sources.{settings.source}.options]."
        )
    if KafkaError._SSL in codes:
        return SourceUnavailable(
            f"{where}: no secure connection comes about. See security.protocol and ssl.ca.location in "
            f"[sources.{settings.source}.options]."
        )
    code = error.code()
    if code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION):
        return SourceUnavailable(f"{where}: there is no topic '{settings.name}' there.")
    if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return SourceUnavailable(
            f"{where}: we may not read the topic. It needs the rights Read and Describe on topic '{settings.name}'."
        )
    if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
        return SourceUnavailable(
            f"{where}: we may not be part of the group. It needs the right Read on group '{group(settings)}', or name "
            "another one: ?group=NAME."
        )
    unreachable = (
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
    )
    if code in unreachable:
        why = next(
            (one.str() for one in reversed(said) if one.code() != KafkaError._ALL_BROKERS_DOWN), error.str()
        )
        return SourceUnavailable(
            f"{where} cannot be reached ({why[:200]}). See that the brokers run, that this machine may connect to "
            "them by the names that they give themselves (advertised.listeners), and whether they want "
            "security.protocol."
        )
    return SourceUnavailable(f"{where}: {error.str()[:200]} ({error.name()}).")
