"""What Prometheus is told: read with its own parser."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

import evervalue
from evervalue.collector.log import EventLog
from evervalue.collector.messages import Refusal
from evervalue.collector.metrics import BOUNDS, Histogram, Meters, Watched, rendered
from evervalue.collector.records import Tally
from evervalue.core.errors import StorageError
from tests.support.collecting import collecting


def read(page: bytes | str) -> dict[str, Metric]:
    text = page.decode() if isinstance(page, bytes) else page
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(family: Metric) -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix(family.name), *sample.labels.values()): sample.value
        for sample in family.samples
    }


def test_every_metric_says_what_it_is_and_of_which_kind() -> None:
    meters = Meters()
    meters.answers.update([200, 200, 401])
    meters.refuse("web", [Refusal("no_event", "", b""), Refusal("no_event", "", b"")])
    meters.committed(0.003, failed=False)
    meters.committed(0.2, failed=True)
    watched = Watched(
        1_700_000_000.5, 12.0, True, 3, Histogram(), {"web": 7200.0}, {"web": 3600.0}, {"web": True}
    )
    told = read(rendered(meters, [Tally("web", 10, 6, 3, 1), Tally("till", 5, 3, 1, 0)], (7, 900), watched))
    assert all(family.documentation and family.type != "unknown" for family in told.values())
    assert samples(told["evervalue_events"])["_total", "web", "stored"] == 6
    assert samples(told["evervalue_events_unaccounted"]) == {("", "web"): 0, ("", "till"): 1}
    assert samples(told["evervalue_collector_refused"]) == {("_total", "web", "no_event"): 2}
    assert samples(told["evervalue_collector_answers"]) == {("_total", "200"): 2, ("_total", "401"): 1}
    assert samples(told["evervalue_collector_failed_commits"]) == {("_total",): 1}
    assert samples(told["evervalue_collector_waiting_events"]) == {("",): 7}
    assert told["evervalue_build_info"].samples[0].labels["version"] == evervalue.__version__
    assert samples(told["evervalue_canary_age_seconds"]) == {("",): 12}
    assert samples(told["evervalue_source_silent_seconds"]) == {("", "web"): 7200}
    assert samples(told["evervalue_source_silence_limit_seconds"]) == {("", "web"): 3600}
    assert samples(told["evervalue_source_silent"]) == {("", "web"): 1}


def test_a_histogram_counts_each_duration_in_every_bucket_that_holds_it() -> None:
    meters = Meters()
    for seconds in (0.001, 0.0011, 0.3, 60.0):
        meters.committed(seconds, failed=False)
    found = samples(read(rendered(meters, [], (0, 0)))["evervalue_collector_commit_seconds"])
    buckets = [found["_bucket", str(bound)] for bound in BOUNDS]
    assert buckets == [sum(s <= bound for s in (0.001, 0.0011, 0.3, 60.0)) for bound in BOUNDS]
    assert found["_bucket", "+Inf"] == found["_count",] == 4
    assert found["_sum",] == pytest.approx(60.3021)


def test_names_that_hold_quotes_cannot_forge_a_line() -> None:
    name = 'a"} 1\nforged 2\\'
    told = read(rendered(Meters(), [Tally(name, 1, 1, 0, 0)], (0, 0)))
    assert "forged" not in told
    assert samples(told["evervalue_events"])["_total", name, "stored"] == 1


def test_the_page_is_there_also_where_the_log_is_not(tmp_path: Path) -> None:
    gone = False

    def open_log() -> EventLog:
        if gone:
            raise StorageError("The disk is gone.")
        return EventLog(tmp_path / "events.db")

    with collecting(tmp_path / "data", open_log=open_log) as web:
        web.send("/v1/page", {"userId": "u", "messageId": "m"})
        assert samples(read(web.send("/metrics", method="GET").body)["evervalue_log_up"]) == {("",): 1}
        gone = True
        answer = web.send("/metrics", method="GET")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    told = read(answer.body)
    assert samples(told["evervalue_log_up"]) == {("",): 0}
    assert samples(told["evervalue_collector_answers"])["_total", "200"] >= 2
    assert samples(told["evervalue_collector_request_seconds"])["_count",] == 1, "gets are none"
