"""Decisions: the newest word holds, who has it stays until it is opened again, and what is snoozed comes back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from evervalue.core.clock import FixedClock
from evervalue.state.decisions import SCHEMA, Choice, Decisions, Standing
from evervalue.state.store import Store

NOON = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def kept(tmp_path: Path, clock: FixedClock) -> Decisions:
    return Decisions(Store(tmp_path, SCHEMA), clock)


def decide(kept: Decisions, choice: Choice, reason: str = "gem", **more: object) -> None:
    kept.decide("c1", reason, choice, who="Bo", run_id="r1", **more)  # type: ignore[arg-type]


def one(kept: Decisions, reason: str = "gem") -> Standing:
    (found,) = [s for s in kept.standing() if s.reason == reason]
    return found


def test_the_newest_word_holds_and_the_log_keeps_all(kept: Decisions) -> None:
    decide(kept, "assign", assignee="Ada", note="knows them")
    assert one(kept) == Standing(
        "c1", "gem", "assigned", "Ada", "", "knows them", "Bo", "2024-03-01T12:00:00Z"
    )
    decide(kept, "done", note="called")
    assert (one(kept).status, one(kept).assignee, one(kept).note) == ("done", "Ada", "called")
    decide(kept, "reopen")
    assert (one(kept).status, one(kept).assignee) == ("open", "")
    assert [row["choice"] for row in kept.log()] == ["reopen", "done", "assign"]
    assert kept.log(customer_id="c2") == []


def test_another_reason_is_another_decision(kept: Decisions) -> None:
    decide(kept, "decline")
    decide(kept, "done", reason="silent")
    assert (one(kept).status, one(kept, "silent").status) == ("declined", "done")


def test_what_is_snoozed_comes_back_on_its_day_to_whom_it_was_given(
    kept: Decisions, clock: FixedClock
) -> None:
    decide(kept, "assign", assignee="Ada")
    decide(kept, "snooze", until=dt.date(2024, 3, 3))
    before = kept.version()
    assert one(kept).status == "snoozed"
    clock.at += dt.timedelta(days=1)
    assert one(kept).status == "snoozed"
    clock.at += dt.timedelta(days=1)
    assert (one(kept).status, one(kept).assignee, one(kept).until) == ("assigned", "Ada", "")
    assert kept.version() != before, "answers that were kept by a client are out of date now"


def test_another_process_sees_what_was_decided(kept: Decisions, tmp_path: Path, clock: FixedClock) -> None:
    other = Decisions(Store(tmp_path, SCHEMA), clock)
    assert other.standing() == []
    before = other.version()
    decide(kept, "assign", assignee="Ada")
    assert other.standing() == kept.standing()
    assert other.version() != before
    assert other.assignees() == ["Ada"]
