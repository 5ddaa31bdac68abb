"""A topic is read once into the log, through crashes, rebalances, retention and brokers that go down."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evervalue.collector.streams.kafka import KafkaReader
from evervalue.core.clock import SystemClock
from evervalue.core.errors import SettingsError, SourceUnavailable
from tests.support.kafka import Kafka
from tests.support.streaming import Log, body, consumed, killed_again_and_again, message, settings, until

names = (f"clicks{n}" for n in itertools.count())


@pytest.fixture(scope="module")
def cluster() -> Iterator[Kafka]:
    with Kafka() as found:
        yield found


@pytest.fixture
def topic(cluster: Kafka, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("evervalue.collector.streams.kafka.WAIT_SECONDS", 0.1)
    name = next(names)
    cluster.make(name, 3)
    return name


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_every_message_is_stored_once(cluster: Kafka, topic: str, log: Log) -> None:
    packed = gzip.compress(json.dumps({"batch": [message("b1"), message("b2")]}).encode())
    with consumed(cluster.settings(topic), into=log):
        cluster.put(
            topic, [body("a"), body("a"), packed, body(None), body("c", event=""), None, b"{"], partition=1
        )
        log.stored(4)
    assert log.ids()[:3] == ["a", "b1", "b2"]
    assert sorted(code for code, _ in log.refused()) == ["no_event", "unreadable", "unreadable"]
    cluster.put(topic, [body("d")], partition=2)
    with consumed(cluster.settings(topic), into=log):
        log.stored(5)
    assert (log.tally().accepted, log.tally().duplicate, log.tally().quarantined) == (9, 1, 3)
    assert log.positions() == {"0": "0", "1": "7", "2": "1"}


@pytest.mark.slow
def test_a_checkpoint_that_is_lost_doubles_nothing(cluster: Kafka, topic: str, log: Log) -> None:
    cluster.put(topic, [body(None, n=n) for n in range(3000)])
    with consumed(cluster.settings(topic), into=log):
        log.stored(3000)
    emptied = log.open()
    assert emptied.con is not None
    emptied.con.execute("delete from position")
    emptied.close()
    with consumed(cluster.settings(topic), into=log):
        until(lambda: log.tally().accepted == 6000)
    assert log.tally().stored == 3000


def test_what_the_group_has_committed_is_told_and_not_asked(
    cluster: Kafka, topic: str, log: Log, tmp_path: Path
) -> None:
    from confluent_kafka import Consumer, TopicPartition

    cluster.put(topic, [body(f"a{n}") for n in range(10)], partition=0)
    with consumed(cluster.settings(topic), into=log):
        log.stored(10)
    asking = Consumer({"bootstrap.servers": cluster.brokers, "group.id": topic})
    (committed,) = asking.committed([TopicPartition(topic, 0)], timeout=5)
    asking.close()
    assert committed.offset == 10
    # Another log was not part of that, and misses none of it.
    other = Log(tmp_path / "other")
    with consumed(cluster.settings(topic), into=other):
        other.stored(10)


def test_a_topic_is_begun_at_its_newest_message_and_misses_nothing_across_a_restart(
    cluster: Kafka, topic: str, log: Log
) -> None:
    cluster.put(topic, [body("old")], partition=0)
    with consumed(cluster.settings(topic, start="newest"), into=log):
        until(lambda: log.positions() == {"0": "1", "1": "0", "2": "0"})
    cluster.put(topic, [body("between")], partition=0)
    with consumed(cluster.settings(topic, start="newest"), into=log):
        log.stored(1)
    assert log.ids() == ["between"]


def test_a_topic_is_begun_at_the_offsets_that_the_brokers_name_for_an_instant(
    cluster: Kafka, topic: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mock cluster does not know which offset belongs to an instant, so its answer is put in its place."""
    import confluent_kafka

    asked: list[tuple[int, int]] = []

    class Knowing(confluent_kafka.Consumer):
        def offsets_for_times(self, partitions: list[Any], timeout: float = -1) -> list[Any]:
            asked.extend((one.partition, one.offset) for one in partitions)
            for one in partitions:
                one.offset = 3 if one.partition == 0 else -1
            return partitions

    monkeypatch.setattr(confluent_kafka, "Consumer", Knowing)
    for partition in (0, 1):
        cluster.put(topic, [body(f"p{partition}-{n}") for n in range(5)], partition=partition)
    with consumed(cluster.settings(topic, start="2026-03-01T00:00:00Z"), into=log):
        log.stored(2)
    assert asked == [(n, 1_772_323_200_000) for n in range(3)]
    assert log.ids() == ["p0-3", "p0-4"]


def test_partitions_move_between_servers_without_loss_or_double(cluster: Kafka, topic: str, log: Log) -> None:
    """Two servers with one log: one joins while messages come, and goes again."""
    numbers = iter(range(100_000))

    def put() -> None:
        cluster.put(
            topic, [body(None, n=next(numbers), **({"event": ""} if x % 9 == 0 else {})) for x in range(300)]
        )

    one = cluster.settings(topic, options={"client.id": "one"})
    two = cluster.settings(topic, options={"client.id": "two"})
    put()
    with consumed(one, into=log):
        until(lambda: log.tally().accepted)
        put()
        with consumed(two, into=log) as (second,):

            def has_read() -> bool:
                put()
                return second.state.records > 300

            until(has_read, every=0.1)
        put()
        n = next(numbers)
        until(lambda: log.tally().accepted == n)
    tally = log.tally()
    assert (tally.duplicate, tally.quarantined) == (0, n // 300 * 34)
    assert len({e["n"] for e in log.events()}) == tally.stored == n - tally.quarantined


def test_messages_that_are_gone_before_they_were_read_are_told_and_counted(
    cluster: Kafka, topic: str, log: Log
) -> None:
    cluster.put(topic, [body("first")], partition=0)
    with consumed(cluster.settings(topic), into=log):
        log.stored(1)
    large = "x" * 20_000
    cluster.put(topic, [body(f"m{n}", properties={"x": large}) for n in range(400)], partition=0)
    with consumed(cluster.settings(topic), into=log):
        until(lambda: "m399" in log.ids()[-1:])
    ((code, says),) = log.refused()
    lost = 401 - log.tally().stored
    assert code == "lost_in_stream"
    assert lost > 50
    assert f"Messages 1 to {lost} of partition 0" in says
    assert f"({lost})" in says
    assert log.positions()["0"] == "401"


def test_reading_goes_on_when_the_brokers_come_back(cluster: Kafka, topic: str, log: Log) -> None:
    cluster.put(topic, [body(f"a{n}") for n in range(100)])
    with consumed(cluster.settings(topic), into=log) as (consumer,):
        log.stored(100)
        cluster.down()
        try:
            until(lambda: not consumer.state.is_reading)
            assert "cannot be reached" in consumer.state.says
        finally:
            cluster.up()
        cluster.put(topic, [body(f"b{n}") for n in range(100)])
        log.stored(200, 60)
    assert log.tally().duplicate == 0


def test_a_topic_that_is_made_again_is_read_from_its_beginning(cluster: Kafka, topic: str, log: Log) -> None:
    cluster.put(topic, [body(None, n=n) for n in range(5)], partition=0)
    with consumed(cluster.settings(topic), into=log):
        log.stored(5)
    further = log.open()
    assert further.con is not None
    further.con.execute("update position set position = '900' where part = '0'")
    further.close()
    with consumed(cluster.settings(topic), into=log):
        until(lambda: log.positions()["0"] == "5")
    assert (log.tally().stored, log.tally().duplicate) == (5, 5)
    assert "ends at 5, and was read up to 900" in log.refused()[0][1]


def test_how_much_waits_is_told(cluster: Kafka, topic: str, log: Log) -> None:
    cluster.put(topic, [body("a")], partition=0)
    with consumed(cluster.settings(topic), into=log):
        log.stored(1)
    cluster.put(topic, [body("b")] * 4, partition=0)
    opened = log.open()
    parts = KafkaReader(cluster.settings(topic), SystemClock()).parts(opened.positions("web"))
    opened.close()
    assert [(p.name, p.position, p.behind_records) for p in parts] == [
        ("0", "1", 4),
        ("1", "0", 0),
        ("2", "0", 0),
    ]


def test_errors_say_what_is_wrong_and_what_to_do(
    cluster: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from confluent_kafka import KafkaError

    clock = SystemClock()
    cluster.put(topic, [body("a")])

    def check(name: str = topic, **options: str) -> str:
        return KafkaReader(cluster.settings(name, options=options), clock).check()

    assert f"can be read as group '{topic}': 3 partitions, 1 message at most" in check()
    with pytest.raises(SourceUnavailable, match="there is no topic 'absent' there"):
        check("absent")
    cluster.refuse(topic, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(SourceUnavailable, match="needs the rights Read and Describe on topic"):
        check()
    cluster.refuse(topic, 0)
    monkeypatch.setattr("evervalue.collector.streams.kafka.ANSWER_SECONDS", 1.0)
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        KafkaReader(settings(f"kafka://127.0.0.1:9/{topic}"), clock).check()
    with pytest.raises(SettingsError, match="No such configuration property"):
        check(nonsense="1")
    with pytest.raises(SettingsError, match=r"options.enable.auto.commit cannot be set"):
        check(topic, **{"enable.auto.commit": "true"})


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_where_the_consumer_is_killed(
    cluster: Kafka, topic: str, log: Log
) -> None:
    n = 40_000
    killed_again_and_again(
        cluster.settings(topic), log, n, 8,
        lambda numbers: cluster.put(topic, [body(None if x % 2 else f"m{x}", n=x) for x in numbers]),
    )  # fmt: skip
    with consumed(cluster.settings(topic), into=log):
        log.stored(n, 90)
    assert sorted(e["n"] for e in log.events()) == list(range(n))
    assert log.tally().duplicate == 0, "the position moves with what it covers, so nothing is read twice"
