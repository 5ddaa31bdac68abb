"""The watch of a collector, on a collector that really listens: canaries, silence, lines, and what is said of it."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Sequence
from pathlib import Path

import apsw
import pytest

from evervalue.collector import canary as canaries
from evervalue.collector import standing
from evervalue.collector.log import LOG, EventLog
from evervalue.collector.records import Delivery
from evervalue.pipeline.collecting import seen
from tests.support.watching import NOW, Watching, watching


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def ready(found: Watching) -> tuple[int, str]:
    answer = found.web.send("/readyz", method="GET")
    return answer.status, answer.body["canary"]["fault"]


def test_a_canary_goes_the_whole_way_and_leaves_no_trace_among_what_users_see(data: Path) -> None:
    with watching(data) as found:
        assert ready(found) == (503, "no canary has come back yet")
        assert found.page("m1") == 200
        found.beat(canary=True)
        assert ready(found) == (200, "")
        log = found.web.log()
        whole = apsw.Connection(str(data / LOG)).execute("select name from source order by 1").fetchall()
        assert whole == [("_canary",), ("web",)], "it was really stored"
        assert [e.source for e in log.read(0)] == ["web"]
        assert [t.source for t in log.tallies()] == ["web"]
        assert [e.source for e in log.whose(0, 10)] == ["web"]
        assert log.last() == log.read(log.before(1))[0].seq
        assert log.newest_us(0) == log.read(0)[0].at_us
        assert '"_canary"' not in found.web.send("/metrics", method="GET").body
        assert "evervalue_canary_seconds_count 1" in found.web.send("/metrics", method="GET").body
        log.close()


def test_old_canaries_are_taken_out_of_the_log(data: Path) -> None:
    with watching(data) as found:
        for _ in range(30):
            found.after(minutes=1)
            found.beat(canary=True)
        con = apsw.Connection(str(data / LOG))
        held = con.execute("select 1 from event").fetchall()
        assert 1 <= len(held) <= 11
        con.close()


def test_nobody_else_is_let_in_as_the_canary(data: Path) -> None:
    with watching(data) as found:
        for key in ("_canary", "evc_", "evc_guess", "evc_\udcff"):
            assert found.web.app.keys.source_of(key) is None
        with pytest.raises(Exception, match="cannot name a source"):
            found.watch._keys.create("_canary")


class Standing(EventLog):
    """A log whose commits wait until they are let go."""

    may_commit = threading.Event()

    def write(self, deliveries: Sequence[Delivery]) -> None:
        self.may_commit.wait(20)
        super().write(deliveries)


def test_a_log_that_stands_still_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canaries, "PATIENCE_SECONDS", 0.3)
    with watching(data, open_log=lambda: Standing(data / LOG)) as found:
        found.beat(canary=True)
        assert ready(found) == (503, "no answer within 0.3 seconds")
        collector = seen(data, found.clock.now()).collector
        assert collector is not None
        assert collector.state == "alarm"
        assert "no answer within 0.3 seconds" in collector.says
        Standing.may_commit.set()
        monkeypatch.setattr(canaries, "PATIENCE_SECONDS", 10.0)
        found.beat(canary=True)
        assert ready(found) == (200, "")
        assert [line.split()[0] for line in found.lines()] == ["canary_failed", "canary_recovered"]


def test_a_full_disk_is_told_and_so_is_its_recovery(data: Path) -> None:
    pages = 0

    def connect() -> apsw.Connection:
        con = apsw.Connection(str(data / LOG))
        if pages:
            con.execute(f"pragma max_page_count = {pages}").fetchall()
        return con

    EventLog(data / LOG).close()
    with watching(data, open_log=lambda: EventLog(data / LOG, connect)) as found:
        pages = 1  # SQLite takes the number of pages that there are
        for size in (20_000, 2_000, 10):  # until not even a small one fits any more
            for n in range(200):
                body = {
                    "userId": "u",
                    "messageId": f"{size}-{n}",
                    "event": "E",
                    "properties": {"x": "y" * size},
                }
                if (status := found.web.send("/v1/track", body).status) != 200:
                    break
            assert status == 503
        found.beat(canary=True)
        assert ready(found) == (503, "answered 503")
        pages = 1_000_000
        found.beat(canary=True)
        assert ready(found) == (200, "")
        assert [line.split()[0] for line in found.lines()] == [
            "canary_failed", "disk_refuses", "canary_recovered", "disk_recovered",
        ]  # fmt: skip


def test_a_log_that_was_deleted_is_told(data: Path) -> None:
    with watching(data) as found:
        assert found.page("m1") == 200
        assert found.page("m2") == 200
        found.beat(canary=True)
        for path in data.glob(f"{LOG}*"):
            path.unlink()
        seen_now = seen(data, found.clock.now())
        assert seen_now.collector is not None
        assert seen_now.collector.state == "alarm"
        assert "has lost its log" in seen_now.collector.says
        found.beat(canary=True)
        assert ready(found) == (503, "answered 503")
        assert found.page("m3") == 200
        found.beat()
        assert any(line.startswith("log_replaced") and "sources=web" in line for line in found.lines())


def test_a_canary_that_is_too_old_is_no_good_sign(data: Path) -> None:
    with watching(data) as found:
        found.beat(canary=True)
        found.after(seconds=180)
        assert ready(found)[0] == 200
        found.after(seconds=1)
        assert ready(found) == (503, "no canary was found for 3 minutes")


def test_a_collector_is_stopped_silent_or_gone(data: Path) -> None:
    assert seen(data, NOW).collector is None
    with watching(data) as found:
        found.beat(canary=True)
        listening = seen(data, NOW).collector
        assert listening is not None
        assert (listening.state, listening.listens) == ("ok", True)
        gone = seen(data, NOW + dt.timedelta(minutes=5)).collector
        assert gone is not None
        assert (gone.state, gone.listens) == ("alarm", False)
        assert gone.says.startswith("has said nothing for 5 minutes")
    (data / standing.STANDING).write_text("{")
    assert seen(data, NOW).collector is None


def test_a_source_that_falls_silent_is_in_alarm_until_it_sends_again(data: Path) -> None:
    with watching(data, silences={"web": 1800.0}) as found:
        found.page("m1")
        found.beat(canary=True, minute=True)
        found.page("m2")
        found.beat()
        found.after(minutes=30)
        found.beat(canary=True)
        assert [s.state for s in seen(data, found.clock.now()).sources] == ["ok"]
        found.after(minutes=1)
        # At the moment of asking, whatever the collector has noticed.
        (told,) = seen(data, found.clock.now() - dt.timedelta(seconds=30)).sources
        assert (told.state, told.worst_check) == ("alarm", "silence")
        assert told.state_says == "nothing came for 30 minutes, where 30 minutes are allowed"
        found.beat(canary=True)
        page = found.web.send("/metrics", method="GET").body
        assert 'evervalue_source_silent{source="web"} 1' in page
        assert 'evervalue_source_silence_limit_seconds{source="web"} 1800.0' in page
        found.page("m3")
        found.after(seconds=5)
        found.beat()
        (told,) = seen(data, found.clock.now()).sources
        assert (told.state, told.last_event_at) == ("ok", found.clock.now())
    assert [line.split()[0] for line in found.lines()] == ["silent", "heard_again"]
    assert "silent source=web silent_seconds=1860 usual_seconds=1800" in found.lines()


def test_time_without_a_collector_is_no_silence(data: Path) -> None:
    with watching(data, silences={"web": 3600.0}) as found:
        found.beat(canary=True, minute=True)
        found.page("m1")
        found.after(minutes=1)
        found.beat()
        found.after(minutes=40)
        found.beat(canary=True)
    with watching(data, at=found.clock.now() + dt.timedelta(days=3), silences={"web": 3600.0}) as again:
        again.beat(canary=True, minute=True)
        (told,) = seen(data, again.clock.now()).sources
        assert (told.state, told.silent_seconds) == ("ok", 2400)
        assert told.last_event_at == NOW + dt.timedelta(minutes=1), "when it really was"
        again.after(minutes=21)
        again.beat(canary=True)
        assert [s.state for s in seen(data, again.clock.now()).sources] == ["alarm"]
    # What was in alarm stays so, and a duplicate is a sign of life as well.
    with watching(data, at=again.clock.now() + dt.timedelta(hours=1), silences={"web": 3600.0}) as third:
        third.beat(canary=True, minute=True)
        assert [s.state for s in seen(data, third.clock.now()).sources] == ["alarm"]
        third.page("m1")
        third.beat()
        assert [s.state for s in seen(data, third.clock.now()).sources] == ["ok"]


def test_a_sum_that_does_not_hold_is_an_alarm(data: Path) -> None:
    with watching(data) as found:
        found.page("m1")
        found.page("m1")
        found.beat(canary=True)
        con = apsw.Connection(str(data / LOG))
        con.set_busy_timeout(1000)
        con.execute("update tally set stored = stored - 1 where source_id = (select source_id from source where "
                    "name = 'web')").fetchall()  # fmt: skip
        con.close()
        (told,) = seen(data, found.clock.now()).sources
    assert (told.state, told.worst_check, told.unaccounted) == ("alarm", "accounts", 1)
    assert told.state_says.startswith("1 event is not accounted for: of 2 accepted 0 are stored, 1 duplicate")


def test_lines_count_and_name_keys_and_refusals(data: Path) -> None:
    with watching(data) as found:
        found.beat(canary=True, minute=True)
        for n in range(3):
            found.web.send("/v1/track", {"userId": "u", "messageId": f"t{n}"})
            found.web.send("/v1/page", {}, key="nobody")
        key = found.watch._keys.create("till")
        found.beat(minute=True)
        found.watch._keys.revoke(key[:8])
        found.beat(minute=True)
        found.beat(minute=True)
    assert found.lines() == [
        "refused source=web code=no_event count=3 seconds=60.0",
        "unknown_key status=401 count=3 seconds=60.0",
        f"key_created source=till begins_with={key[:8]}",
        f"key_revoked source=till begins_with={key[:8]}",
    ]
