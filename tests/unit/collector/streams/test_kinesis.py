"""A stream of Kinesis is read once into the log, through splits, crashes, clocks and refusals."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from evervalue.collector.streams import kinesis as module
from evervalue.collector.streams.aggregated import records_in
from evervalue.collector.streams.kinesis import KinesisReader
from evervalue.collector.streams.kinesis_client import told
from evervalue.core.clock import FixedClock, SystemClock
from evervalue.core.errors import SourceUnavailable
from tests.support.kinesis import Kinesis, kinesis_server, stream
from tests.support.streaming import Log, body, consumed, killed_again_and_again, message, until

FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with kinesis_server() as found:
        yield found


@pytest.fixture
def clicks(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kinesis]:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    with stream(address) as found:
        yield found


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_every_record_is_stored_once_also_when_it_is_read_again(clicks: Kinesis, log: Log) -> None:
    packed = gzip.compress(json.dumps({"batch": [message("b1"), message("b2")]}).encode())
    bodies = [body("a"), body("a"), packed, body(None), body("c", event="")]
    with consumed(clicks.settings(), into=log):
        clicks.put(bodies, key="one")
        log.stored(4)
    assert log.ids()[:3] == ["a", "b1", "b2"]
    assert [code for code, _ in log.refused()] == ["no_event"]
    clicks.put([body("d")])
    with consumed(clicks.settings(), into=log):
        log.stored(5)
    assert (log.tally().accepted, log.tally().duplicate, log.tally().quarantined) == (7, 1, 1)
    # The checkpoint is lost, and all of it read again.
    emptied = log.open()
    assert emptied.con is not None
    emptied.con.execute("delete from position")
    emptied.close()
    with consumed(clicks.settings(), into=log):
        until(lambda: log.tally().accepted == 14)
    assert log.tally().stored == 5


def test_children_are_read_once_their_parents_are_read_out(clicks: Kinesis, log: Log) -> None:
    clicks.put([body(f"a{n:03}") for n in range(200)], key="k")
    parent = next(name for name, s in clicks.stream.shards.items() if s.records)
    clicks.split(parent)
    clicks.put([body(f"b{n:03}") for n in range(200)], key="k")
    child = next(name for name, s in clicks.stream.shards.items() if s.records and s.parent)
    clicks.split(child)
    clicks.put([body(f"c{n:03}") for n in range(200)], key="k")
    with consumed(clicks.settings(), into=log):
        log.stored(600)
        assert log.ids() == [f"{x}{n:03}" for x in "abc" for n in range(200)]
        until(lambda: log.positions()[parent] == "end" and log.positions()[child] == "end")
        open_ones = sorted(name for name, s in clicks.stream.shards.items() if s.is_open)
        pair = next(
            (x, y) for x in open_ones for y in open_ones
            if clicks.stream.shards[x].ending_hash + 1 == clicks.stream.shards[y].starting_hash
        )  # fmt: skip
        clicks.merge(*pair)
        clicks.put([body(f"d{n:03}") for n in range(200)])
        until(lambda: {log.positions().get(x) for x in pair} == {"end"})
        log.stored(800)


def test_a_stream_is_begun_at_its_newest_record_or_at_an_instant(
    clicks: Kinesis, log: Log, tmp_path: Path
) -> None:
    clicks.put([body("old")])
    with consumed(clicks.settings(start="newest"), into=log):
        until(lambda: len(log.positions()) == 2)
        clicks.put([body("new")])
        log.stored(1)
    assert log.ids() == ["new"]
    at = (SystemClock().now() - dt.timedelta(hours=1)).isoformat()
    both = Log(tmp_path / "other")
    with consumed(clicks.settings(start=at), into=both):
        both.stored(2)


def test_a_stream_begun_at_its_newest_record_misses_nothing_across_a_restart(
    clicks: Kinesis, log: Log
) -> None:
    with consumed(clicks.settings(start="newest"), into=log):
        until(lambda: len(log.positions()) == 2)
    clicks.put([body("between")])
    with consumed(clicks.settings(start="newest"), into=log):
        log.stored(1)


def test_what_fell_out_of_retention_is_told_and_counted(clicks: Kinesis, log: Log) -> None:
    clicks.put([body("a")], key="k")
    with consumed(clicks.settings(), into=log):
        log.stored(1)
        until(lambda: len(log.positions()) == 2)
    later = FixedClock(SystemClock().now() + dt.timedelta(days=3))
    with consumed(clicks.settings(), into=log, clock=later):
        until(lambda: log.tally().quarantined)
    code, says = log.refused()[0]
    assert code == "lost_in_stream"
    assert "fell out of retention (24 hours)" in says
    assert "us-east-1/clicks" in says


def test_a_shard_that_is_gone_before_it_was_read_out_is_told(clicks: Kinesis, log: Log) -> None:
    clicks.put([body("a")], key="k")
    with consumed(clicks.settings(), into=log):
        log.stored(1)
    parent = next(name for name, s in clicks.stream.shards.items() if s.records)
    clicks.put([body("lost")], key="k")
    clicks.split(parent)
    clicks.put([body("b")], key="k")
    del clicks.stream.shards[parent]
    with consumed(clicks.settings(), into=log):
        log.stored(2)
        until(lambda: log.tally().quarantined == 1)
    assert log.ids() == ["a", "b"]
    assert f"The shard {parent}" in log.refused()[0][1]


def test_a_stream_that_is_made_again_under_its_name_is_read_from_its_beginning(
    clicks: Kinesis, log: Log
) -> None:
    clicks.put([body(None, event=f"E{n}") for n in range(5)], key="k")
    with consumed(clicks.settings(start="newest"), into=log):
        until(lambda: len(log.positions()) == 2)
    clicks.client.delete_stream(StreamName="clicks")
    clicks.make(1)
    clicks.stream.creation_datetime += dt.timedelta(seconds=90)
    clicks.put([body(None, event=f"E{n}") for n in range(3)], key="k")
    with consumed(clicks.settings(start="newest"), into=log):
        log.stored(3)


def test_poison_is_quarantined_and_what_stands_behind_it_is_read(clicks: Kinesis, log: Log) -> None:
    bad = [b"", b"\xff\xfe", b"{", b"[1]", b"null", b"\x1f\x8bnot gzip", b"[" * 100_000, b'{"batch": 5}',
           gzip.compress(b" " * 3_000_000), b'{"batch": [' + b"{}," * 3000 + b"{}]}"]  # fmt: skip
    with consumed(clicks.settings(), into=log):
        clicks.put([*[b for b in bad if b], body("good")], key="k")
        log.stored(1)
    assert log.tally().quarantined == len(bad) - 1
    assert {code for code, _ in log.refused()} == {
        "unreadable",
        "unknown_type",
        "not_an_object",
        "too_large",
        "too_many",
    }


def test_an_event_is_placed_by_when_the_stream_took_it_or_says_it_came(clicks: Kinesis, log: Log) -> None:
    now = SystemClock().now()
    sent, happened = "2020-01-01T00:00:10Z", "2020-01-01T00:00:00Z"
    clicks.put([
        body("relayed", originalTimestamp=happened, sentAt=sent, receivedAt="2020-01-01T00:00:11Z"),
        body("direct", originalTimestamp=happened, sentAt=sent),
        json.dumps({"batch": [message("b1", timestamp=happened, receivedAt="2021-01-01T00:00:00Z", sentAt=happened)],
                    "sentAt": sent}).encode(),
    ])  # fmt: skip
    with consumed(clicks.settings(), into=log, clock=FixedClock(now + dt.timedelta(hours=5))):
        log.stored(3)
    placed = {e["messageId"]: e["timestamp"] for e in log.events()}
    assert placed["relayed"] == "2020-01-01T00:00:01.000Z"
    assert placed["b1"] == "2021-01-01T00:00:00.000Z"
    direct = dt.datetime.fromisoformat(placed["direct"])
    assert abs(direct - (now - dt.timedelta(seconds=10))) < dt.timedelta(seconds=5)


AGGREGATE = base64.b64decode(
    "84mawgoCazAKAmsxGkkIABpFeyJ0eXBlIjogInRyYWNrIiwgImV2ZW50IjogIlNlZW4iLCAidXNlcklkIjogInUxIiwgIm1lc3NhZ2VJZCI6"
    "ICJnMCJ9GkkIARpFeyJ0eXBlIjogInRyYWNrIiwgImV2ZW50IjogIlNlZW4iLCAidXNlcklkIjogInUxIiwgIm1lc3NhZ2VJZCI6ICJnMSJ9"
    "GkkIABpFeyJ0eXBlIjogInRyYWNrIiwgImV2ZW50IjogIlNlZW4iLCAidXNlcklkIjogInUxIiwgIm1lc3NhZ2VJZCI6ICJnMiJ9GjYIABoy"
    "eyJ0eXBlIjogInRyYWNrIiwgImV2ZW50IjogIlNlZW4iLCAidXNlcklkIjogInUxIn3rH4rXHWWUg1d5zExt45b7"
)
"""Four messages, of which the last has no messageId, as the library aws_kinesis_agg 1.2.3 puts them together."""


def test_what_a_producer_put_together_is_taken_apart(clicks: Kinesis, log: Log) -> None:
    damaged = AGGREGATE[:-1] + b"?"
    with consumed(clicks.settings(), into=log):
        clicks.put([body("a"), AGGREGATE, AGGREGATE, damaged, body("z")], key="k")
        log.stored(7)
    assert [log.ids()[n] for n in (0, 1, 2, 3, 6)] == ["a", "g0", "g1", "g2", "z"]
    tally = log.tally()
    assert (tally.duplicate, tally.quarantined) == (3, 1)
    for n in range(len(AGGREGATE)):
        assert records_in(AGGREGATE[:n]) is None


def refused(code: str) -> Exception:
    """What the client library raises where AWS answers with this code."""
    error: Exception = ClientError({"Error": {"Code": code, "Message": "no"}}, "GetRecords")
    return error


@pytest.mark.parametrize("code", ["ExpiredIteratorException", "ProvisionedThroughputExceededException"])
def test_an_iterator_that_expired_is_made_anew_and_a_busy_shard_asked_again(
    clicks: Kinesis, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clicks.put([body("a")], key="k")
    reader = KinesisReader(clicks.settings(), SystemClock())
    reader.open(list, lambda: None)
    ask, refusals = reader._client.get_records, [refused(code), refused(code)]

    def get(**asked: object) -> object:
        if len(refusals) == 2 or (len(refusals) == 1 and code.startswith("Prov")):
            raise refusals.pop()
        return ask(**asked)

    monkeypatch.setattr(reader._client, "get_records", get)
    chunks = [until(lambda: reader.read()) for _ in range(12)]
    assert sum(len(chunk.records) for chunk in chunks) == 1
    assert len(refusals) == (1 if code.startswith("Exp") else 0)
    reader.close()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("AccessDeniedException", "Reading needs the rights kinesis:DescribeStreamSummary, ListShards"),
        ("UnrecognizedClientException", "the credentials are refused"),
        ("KMSDisabledException", "GetRecords was refused (KMSDisabledException)"),
    ],
)
def test_what_aws_refuses_is_told_with_what_mends_it(clicks: Kinesis, code: str, says: str) -> None:
    with pytest.raises(SourceUnavailable) as error, told(clicks.settings(), "GetRecords"):
        raise refused(code)
    assert says in str(error.value)


def test_errors_say_what_is_wrong_and_what_to_do(
    clicks: Kinesis, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SystemClock()
    assert "2 shards, records are kept for 24 hours" in KinesisReader(clicks.settings(), clock).check()
    clicks.client.delete_stream(StreamName="clicks")
    with pytest.raises(SourceUnavailable, match="there is no stream 'clicks' in us-east-1"):
        KinesisReader(clicks.settings(), clock).check()
    unreachable = clicks.settings(options={"endpoint": "http://127.0.0.1:9"})
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        KinesisReader(unreachable, clock).check()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(SourceUnavailable, match="there are no credentials"):
        KinesisReader(clicks.settings(), clock).check()


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_where_the_consumer_is_killed(clicks: Kinesis, log: Log) -> None:
    n = 4000
    killed_again_and_again(
        clicks.settings(), log, n, 8,
        lambda numbers: clicks.put([body(None if x % 2 else f"m{x}", n=x) for x in numbers]),
    )  # fmt: skip
    with consumed(clicks.settings(), into=log):
        log.stored(n, 60)
    assert sorted(e["n"] for e in log.events()) == list(range(n))
    assert log.tally().duplicate == 0, "the position moves with what it covers, so nothing is read twice"
