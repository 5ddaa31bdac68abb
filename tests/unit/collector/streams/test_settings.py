"""A stream's address, start and options are read, or refused with what to write instead."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from evervalue.collector.streams.opening import reader
from evervalue.collector.streams.settings import stream_settings
from evervalue.core.clock import SystemClock
from evervalue.core.errors import MissingExtra, SettingsError
from evervalue.pipeline.settings import settings_from
from tests.support.streaming import settings


def test_an_address_is_taken_apart() -> None:
    one = settings("kafka://b1:9092,b2:9092/clicks?group=ev", options={"security.protocol": "SASL_SSL"})
    assert (one.kind, one.hosts, one.name) == ("kafka", "b1:9092,b2:9092", "clicks")
    assert one.options == {"group": "ev", "security.protocol": "SASL_SSL"}
    assert one.where == "kafka://b1:9092,b2:9092/clicks"
    assert (one.start, one.start_at) == ("oldest", None)
    at = settings("kinesis://eu-west-1/clicks", start=dt.datetime(2026, 3, 1, tzinfo=dt.UTC))
    assert at.start_at == dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    assert settings("nats://h/S", start="2026-03-01").start_at == dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"stream": 5}, "must be an address such as kinesis://"),
        ({"stream": "kinsis://r/s"}, "'kinsis' is not a kind of stream (did you mean 'kinesis'?)"),
        ({"stream": "kinesis://eu-west-1"}, "is not written as kinesis://REGION/STREAM"),
        ({"stream": "nats://h:4222/a/b"}, "is not written as nats://"),
        ({"stream": "nats://me:hidden@h:4222/S"}, "names and passwords do not belong into the address"),
        ({"stream": "nats://h/S", "start": "soon"}, 'must be "oldest", "newest" or an instant'),
        ({"stream": "nats://h/S", "options": {"usr": "a"}}, "'user'"),
        ({"stream": "nats://h/S", "options": {"password": "hidden"}}, "is a secret"),
        ({"stream": "kafka://h/t", "options": {"sasl.password": "hidden"}}, "is a secret"),
        ({"stream": "kafka://h/t", "options": {"a": []}}, "must be a text, a number"),
        ({"start": "oldest"}, "belongs to a stream, and none is named"),
        ({"options": {}}, "belongs to a stream"),
    ],
)
def test_what_is_no_stream_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as error:
        stream_settings("web", table)
    assert says in str(error.value)
    assert str(error.value).startswith("sources.web.")
    assert "hidden" not in str(error.value)


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    one = settings("kafka://h/t", options={"sasl.username": "me", "sasl.password": "${KAFKA_PW}"})
    with pytest.raises(SettingsError, match=r"names \$\{KAFKA_PW\}, which the environment does not set"):
        one.filled()
    monkeypatch.setenv("KAFKA_PW", "hidden")
    assert one.filled() == {"sasl.username": "me", "sasl.password": "hidden"}
    assert "hidden" not in repr(one)


def test_a_source_of_events_names_its_stream_beside_its_mapping() -> None:
    web = {"kind": "events", "customer_keys": "shop", "stream": "nats://h:4222/S", "start": "newest"}
    found = settings_from({"sources": {"web": web, "till": {"kind": "events"}}})
    assert found.events == ("web", "till")
    assert {name: one.url for name, one in found.streams.items()} == {"web": "nats://h:4222/S"}
    assert found.sources["web"].customer_keys == "shop"
    with pytest.raises(SettingsError, match="sources.web.stream"):
        settings_from({"sources": {"web": {**web, "stream": "S"}}})


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(MissingExtra, match=r"pip install 'evervalue\[kinesis\]'"):
        reader(settings("kinesis://eu-west-1/clicks"), SystemClock())
