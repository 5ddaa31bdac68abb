"""When a silence is one: by the rule that the docs state, on weeks that were made up."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Callable

import pytest

from evervalue.collector.silence import Heard, Limits, limits

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)  # a Thursday
STEP = dt.timedelta(minutes=10)
HOUR = 3600.0
Rate = Callable[[dt.datetime], float]


def shop(at: dt.datetime) -> float:
    """Events an hour of a shop that is open by day, on every day."""
    return 30 if 7 <= at.hour < 22 else 0


def office(at: dt.datetime) -> float:
    return 30 if at.weekday() < 5 and 8 <= at.hour < 18 else 0


def always(at: dt.datetime) -> float:
    return 60


def seldom(at: dt.datetime) -> float:
    return 1 / 8


def regular(rate: Rate, until: dt.datetime, heard: Heard | None = None) -> Heard:
    """A source that sent in every step in which its rate is not zero."""
    heard = heard or Heard(START, START)
    at = heard.last
    while (at := at + STEP) <= until:
        if rate(at):
            heard.hears(at, heard.accepted + 5)
    return heard


def when(rate: Rate, dies: dt.datetime, days: int = 20) -> tuple[float | None, float | None]:
    """After how many hours the death of a source is to be watched and in alarm."""
    heard, watch, alarm, at = regular(rate, dies), None, None, dies
    while at < dies + dt.timedelta(days=days):
        at += STEP
        found, quiet = limits(heard, at), (at - heard.last).total_seconds()
        if watch is None and found.watch is not None and quiet > found.watch:
            watch = (at - dies).total_seconds() / HOUR
        if alarm is None and found.alarm is not None and quiet > found.alarm:
            alarm = (at - dies).total_seconds() / HOUR
    return watch, alarm


MONDAY = dt.datetime(2026, 3, 30, 10, tzinfo=dt.UTC)


def test_a_source_that_always_sends_is_missed_after_an_hour() -> None:
    watch, alarm = when(always, MONDAY)
    assert watch is None
    assert alarm == pytest.approx(7 / 6)


def test_a_shop_is_missed_within_hours_by_day_and_not_by_night() -> None:
    assert when(shop, MONDAY)[1] == pytest.approx(7 / 6)
    # Dead at closing time: nobody is woken before the doors have been open for a while.
    _, alarm = when(shop, MONDAY.replace(hour=22))
    assert alarm is not None
    assert 9 + 2 <= alarm <= 9 + 4


def test_an_office_is_to_be_watched_the_same_day_and_in_alarm_beyond_a_weekend() -> None:
    watch, alarm = when(office, MONDAY)
    assert watch is not None
    assert alarm is not None
    assert watch <= 5
    assert 62 < alarm < 5 * 24


@pytest.mark.parametrize("rate", [always, shop, office])
def test_what_is_usual_is_never_told(rate: Rate) -> None:
    heard, at = regular(rate, START + dt.timedelta(days=60)), START + dt.timedelta(days=60)
    for _ in range(21 * 144):
        at += STEP
        found, quiet = limits(heard, at), (at - heard.last).total_seconds()
        assert found.alarm is None or quiet <= found.alarm, at
        assert found.watch is None or quiet <= found.watch, at
        if rate(at):
            heard.hears(at, heard.accepted + 5)


def test_one_fault_in_the_weeks_before_does_not_make_the_next_one_usual() -> None:
    heard = regular(shop, MONDAY - dt.timedelta(days=10, hours=1))
    heard = regular(lambda at: shop(at) if at > MONDAY - dt.timedelta(days=10) + dt.timedelta(hours=6) else 0,
                    MONDAY, heard)  # fmt: skip
    assert max(seconds for _, seconds in heard.silences) > 6 * HOUR
    found = limits(heard, MONDAY + dt.timedelta(hours=2))
    assert found.alarm == HOUR


def test_what_comes_at_random_and_seldom_is_hardly_ever_missed_in_vain() -> None:
    rng = random.Random(7)
    heard, at, alarms, told = Heard(START, START), START, 0, False
    for _ in range(200 * 144):
        at += STEP
        if rng.random() < 1 - math.exp(-seldom(at) / 6):
            heard.hears(at, heard.accepted + 1)
            told = False
        elif not told and (at - heard.last).total_seconds() > 24 * HOUR:
            found = limits(heard, at)
            told = found.alarm is not None and (at - heard.last).total_seconds() > found.alarm
            alarms += told
    assert alarms <= 1


def test_nothing_is_said_of_what_is_hardly_known() -> None:
    assert limits(regular(always, START + dt.timedelta(days=13)), START + dt.timedelta(days=20)) == Limits(
        None, None
    )
    once = Heard(START, START)
    once.hears(START + dt.timedelta(hours=1), 1)
    assert limits(once, START + dt.timedelta(days=100)) == Limits(None, None)
    weekly = Heard(START, START)
    for week in range(12):
        weekly.hears(START + dt.timedelta(weeks=week), week + 1)
    assert limits(weekly, START + dt.timedelta(weeks=14)) == Limits(None, None)


def test_what_is_set_holds_by_night_and_from_the_first_day() -> None:
    assert limits(Heard(START, START), START, 900.0) == Limits(None, 900.0, True)


def test_what_is_remembered_does_not_grow() -> None:
    heard = Heard(START, START)
    for hour in range(24 * 200):
        heard.hears(START + dt.timedelta(hours=hour), hour + 1)
    assert len(heard.silences) <= 64 * 24
    assert len(heard.days) <= 64
