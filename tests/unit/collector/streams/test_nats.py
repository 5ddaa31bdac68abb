"""A stream of JetStream is read once into the log, from a real server, through crashes of both."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evervalue.collector.streams import nats_client
from evervalue.collector.streams.nats import NatsReader
from evervalue.collector.streams.settings import StreamSettings
from evervalue.core.clock import SystemClock
from evervalue.core.errors import MissingExtra, SourceUnavailable
from tests.conftest import browser_tests_must_run
from tests.support.nats import Nats, binary
from tests.support.streaming import Log, body, consumed, killed_again_and_again, message, settings, until


@pytest.fixture(scope="module")
def server() -> Iterator[Nats]:
    try:
        binary()
    except FileNotFoundError as error:
        if browser_tests_must_run():
            raise
        pytest.skip(str(error))
    with Nats() as found:
        yield found


@pytest.fixture
def clicks(server: Nats, monkeypatch: pytest.MonkeyPatch) -> Nats:
    monkeypatch.setattr("evervalue.collector.streams.nats.WAIT_SECONDS", 0.1)
    server.make()
    return server


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


DURABLE: dict[str, Any] = {"options": {"consumer": "ev"}}
BOTH = pytest.mark.parametrize("table", [{}, DURABLE], ids=["own", "durable"])


@BOTH
def test_every_message_is_stored_once(clicks: Nats, log: Log, table: dict[str, Any]) -> None:
    packed = gzip.compress(json.dumps({"batch": [message("b1"), message("b2")]}).encode())
    with consumed(clicks.settings(**table), into=log):
        clicks.put([body("a"), body("a"), packed, body(None), body("c", event=""), b"", b"{"])
        log.stored(4)
    assert log.ids()[:3] == ["a", "b1", "b2"]
    assert sorted(code for code, _ in log.refused()) == ["no_event", "unreadable", "unreadable"]
    clicks.put([body("d")])
    with consumed(clicks.settings(**table), into=log):
        log.stored(5)
    assert (log.tally().accepted, log.tally().duplicate, log.tally().quarantined) == (9, 1, 3)
    assert log.positions() == {"stream": "8"}


@pytest.mark.slow
def test_a_checkpoint_that_is_lost_doubles_nothing(clicks: Nats, log: Log) -> None:
    clicks.put([body(None, n=n) for n in range(3000)])
    with consumed(clicks.settings(), into=log):
        log.stored(3000)
    emptied = log.open()
    assert emptied.con is not None
    emptied.con.execute("delete from position")
    emptied.close()
    with consumed(clicks.settings(), into=log):
        until(lambda: log.tally().accepted == 6000)
    assert log.tally().stored == 3000


@BOTH
def test_reading_goes_on_when_the_server_comes_back(clicks: Nats, log: Log, table: dict[str, Any]) -> None:
    with consumed(clicks.settings(**table), into=log) as (consumer,):
        clicks.put([body(f"a{n}") for n in range(100)])
        log.stored(100)
        clicks.stop(kill=True)
        until(lambda: not consumer.state.is_reading)
        assert "nats://127.0.0.1" in consumer.state.says
        clicks.start()
        clicks.put([body(f"b{n}") for n in range(100)])
        log.stored(200)
        until(lambda: consumer.state.is_reading and not consumer.state.says)
    assert log.tally().duplicate == 0


def test_a_stream_is_begun_at_its_newest_message_or_at_an_instant(
    clicks: Nats, log: Log, tmp_path: Path
) -> None:
    clicks.put([body("old")])
    time.sleep(0.05)
    at = SystemClock().now().isoformat()
    clicks.put([body("newer")])
    with consumed(clicks.settings(start="newest"), into=log):
        until(lambda: log.positions() == {"stream": "2"})
    clicks.put([body("newest")])
    with consumed(clicks.settings(start="newest"), into=log):
        log.stored(1)
    assert log.ids() == ["newest"]
    for name, table in [("own", {}), ("durable", DURABLE)]:
        other = Log(tmp_path / name)
        with consumed(clicks.settings(start=at, **table), into=other):
            other.stored(2)
        assert other.ids() == ["newer", "newest"]


def test_messages_that_are_gone_before_they_were_read_are_told_and_counted(clicks: Nats, log: Log) -> None:
    clicks.make(max_msgs=10)
    clicks.put([body("a"), body("b")])
    with consumed(clicks.settings(), into=log):
        log.stored(2)
    clicks.put([body(f"c{n}") for n in range(50)])
    with consumed(clicks.settings(), into=log):
        log.stored(12)
    assert log.ids()[2:] == [f"c{n}" for n in range(40, 50)]
    ((code, says),) = log.refused()
    assert code == "lost_in_stream"
    assert "Messages 3 to 42 of nats://" in says
    assert "40 at most" in says


def test_a_stream_that_is_made_again_under_its_name_is_read_from_its_beginning(
    clicks: Nats, log: Log
) -> None:
    clicks.put([body(None, n=n) for n in range(20)])
    with consumed(clicks.settings(), into=log):
        log.stored(20)
    clicks.make()
    clicks.put([body(None, n=n) for n in range(5)])
    with consumed(clicks.settings(start="newest"), into=log):
        log.stored(25)


def test_a_subject_is_read_alone(clicks: Nats, log: Log) -> None:
    clicks.put([body("a")], "clicks.web")
    clicks.put([body("b")], "clicks.till")
    clicks.put([body("c")], "clicks.web")
    with consumed(clicks.settings(options={"subject": "clicks.web"}), into=log):
        log.stored(2)
    assert log.ids() == ["a", "c"]
    assert log.refused() == []


def test_a_work_queue_is_read_through_a_durable_consumer(clicks: Nats, log: Log) -> None:
    clicks.make(retention="workqueue")
    clicks.put([body("a")])
    with pytest.raises(SourceUnavailable, match='options = { consumer = "evervalue" }'):
        NatsReader(clicks.settings(), SystemClock()).check()
    with consumed(clicks.settings(**DURABLE), into=log):
        log.stored(1)
        until(lambda: clicks.ask(lambda js: js.stream_info("CLICKS")).state.messages == 0)


def test_messages_that_are_delivered_again_are_known(clicks: Nats, log: Log) -> None:
    """Whoever reads beside us dies with messages that it did not acknowledge: they come late, and out of order."""
    config = {"durable_name": "ev", "ack_policy": "explicit", "ack_wait": 1.0, "max_ack_pending": 5000}

    async def take_and_die(js: Any) -> None:
        await js.add_consumer("CLICKS", **config)
        subscription = await js.pull_subscribe_bind("ev", "CLICKS")
        assert len(await subscription.fetch(50)) == 50

    clicks.put([body(None, n=n, **({"event": ""} if n % 10 == 0 else {})) for n in range(200)])
    clicks.ask(take_and_die)
    with consumed(clicks.settings(**DURABLE), into=log):
        until(lambda: log.tally().accepted == 200)
        until(lambda: clicks.ask(lambda js: js.consumer_info("CLICKS", "ev")).num_ack_pending == 0)
    assert (log.tally().stored, log.tally().duplicate, log.tally().quarantined) == (180, 0, 20)
    assert log.positions() == {"stream": "200"}


def test_errors_say_what_is_wrong_and_what_to_do(clicks: Nats) -> None:
    clock = SystemClock()
    clicks.put([body("a"), body("b")])
    assert "2 messages, numbers 1 to 2" in NatsReader(clicks.settings(), clock).check()
    with pytest.raises(SourceUnavailable, match="there is no such stream"):
        NatsReader(clicks.settings("ABSENT"), clock).check()
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        NatsReader(settings("nats://127.0.0.1:9/CLICKS"), clock).check()


def test_how_much_waits_is_told(clicks: Nats, log: Log) -> None:
    clicks.put([body("a"), body("b")])
    clock = SystemClock()
    (part,) = NatsReader(clicks.settings(), clock).parts([])
    assert (part.position, part.behind_records) == ("not begun", None)
    with consumed(clicks.settings(), into=log):
        log.stored(2)
    clicks.put([body("c")] * 3)
    opened = log.open()
    (part,) = NatsReader(clicks.settings(), clock).parts(opened.positions("web"))
    opened.close()
    assert (part.position, part.behind_records) == ("2", 3)


USERS = """
authorization { users: [
  { user: all, password: pw }
  { user: reader, password: pw, permissions: {
      publish: ["$JS.API.STREAM.INFO.CLICKS", "$JS.API.CONSUMER.*.CLICKS", "$JS.API.CONSUMER.*.CLICKS.>",
                "$JS.API.CONSUMER.MSG.NEXT.CLICKS.>", "$JS.ACK.CLICKS.>"], subscribe: ["_INBOX.>"] } }
  { user: nobody, password: pw, permissions: { publish: { deny: ">" }, subscribe: ["_INBOX.>"] } }
] }
"""


def test_rights_that_the_docs_name_suffice_and_their_lack_is_told(
    server: Nats, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NATS_PW", "pw")
    monkeypatch.setenv("WRONG_PW", "no")
    monkeypatch.setattr("evervalue.collector.streams.nats_client.ANSWER_SECONDS", 0.5)
    with Nats(USERS) as strict:
        as_all = {"user": "all", "password": "pw"}
        strict.ask(lambda js: js.add_stream(name="CLICKS", subjects=["clicks.>"]), **as_all)
        strict.ask(lambda js: js.publish("clicks.web", body("a")), **as_all)

        def named(user: str, password: str = "${NATS_PW}", **more: str) -> Any:
            return strict.settings(options={"user": user, "password": password, **more})

        for table in ({}, {"consumer": "ev"}):
            NatsReader(named("reader", **table), SystemClock()).check()
        with consumed(named("reader"), into=log):
            log.stored(1)
        with pytest.raises(SourceUnavailable, match="we are not allowed to ask"):
            NatsReader(named("nobody"), SystemClock()).check()
        with pytest.raises(SourceUnavailable, match="does not let us in"):
            NatsReader(named("reader", "${WRONG_PW}"), SystemClock()).check()


def test_events_of_a_day_are_placed_by_when_the_stream_took_them(clicks: Nats, log: Log) -> None:
    clicks.put([body("a", sentAt="2020-01-01T00:00:10Z", originalTimestamp="2020-01-01T00:00:00Z")])
    with consumed(clicks.settings(), into=log):
        log.stored(1)
    placed = dt.datetime.fromisoformat(log.events()[0]["timestamp"])
    assert abs(SystemClock().now() - dt.timedelta(seconds=10) - placed) < dt.timedelta(seconds=20)


@pytest.mark.slow
@BOTH
def test_nothing_is_lost_or_doubled_where_the_consumer_is_killed(
    clicks: Nats, log: Log, table: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if table:
        config = {"durable_name": "ev", "ack_policy": "explicit", "ack_wait": 1.0, "max_ack_pending": 20000}
        clicks.ask(lambda js: js.add_consumer("CLICKS", **config))
    n = 40_000
    killed_again_and_again(
        clicks.settings(**table), log, n, 10,
        lambda numbers: clicks.put([body(None if x % 2 else f"m{x}", n=x) for x in numbers]),
    )  # fmt: skip
    with consumed(clicks.settings(**table), into=log):
        log.stored(n, 60)
    assert sorted(e["n"] for e in log.events()) == list(range(n))
    assert log.tally().duplicate == 0, "the position moves with what it covers, so nothing is read twice"


@pytest.mark.parametrize("option", ["credentials", "nkey_seed"])
def test_keys_of_nats_want_their_library(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_client, "find_spec", lambda name: None)
    settings = StreamSettings("web", "nats://host:4222/CLICKS", options={option: "x"})
    with pytest.raises(MissingExtra, match="pip install nkeys"):
        nats_client.login(settings, {option: "x"})
