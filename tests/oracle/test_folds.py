"""Folds of a backtest against a plain Python count over the orders: nothing of the window leaks into the features."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evervalue.core.errors import InputError, SettingsError
from evervalue.core.progress import Silent
from evervalue.library.session import engine
from evervalue.library.session import settings as settings_of
from evervalue.models.fold import Folds
from evervalue.pipeline.folds import make_folds
from evervalue.pipeline.from_orders import score_orders

FIRST = dt.date(2024, 1, 1)
Line = tuple[str, dt.date, Decimal, str]


def day(n: int) -> dt.date:
    return FIRST + dt.timedelta(days=n)


def made(lines: list[Line], **asked: Any) -> Folds:
    frame = pl.DataFrame(
        lines,
        schema={
            "customer_id": pl.String,
            "order_date": pl.Date,
            "monetary": pl.Decimal(18, 4),
            "kind": pl.String,
        },
        orient="row",
    )
    with engine("The test") as con:
        con.register("lines", frame.to_arrow())
        score_orders(con, "lines", settings_of({}), "customers.cutoff", progress=Silent(), shorter=False)
        return make_folds(con, **asked)


def sale(customer: str, n: int, amount: float = 1.0) -> Line:
    return customer, day(n), Decimal(str(amount)), "sale"


random_lines = st.lists(
    st.tuples(
        st.sampled_from("abcdefg"),
        st.integers(0, 60).map(day),
        st.integers(-50, 400).map(lambda cents: Decimal(cents) / 4),
        st.sampled_from(["sale", "sale", "sale", "return"]),
    ),
    min_size=3,
    max_size=60,
)


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(random_lines, st.integers(1, 40), st.lists(st.integers(-2, 62), min_size=1, max_size=4, unique=True))
def test_folds_equal_a_plain_count(lines: list[Line], horizon: int, places: list[int]) -> None:
    sales = [line for line in lines if line[3] == "sale"]
    if not sales:
        with pytest.raises(InputError, match="no sale"):
            made(lines, horizon_days=horizon, origins=[day(n) for n in places])
        return
    newest = max(when for _, when, _, _ in lines)
    end = min(newest, max(when for _, when, _, _ in sales)) + dt.timedelta(days=1)
    first = min(when for _, when, _, _ in sales)
    kept = sorted(o for o in map(day, places) if first < o and o + dt.timedelta(days=horizon) <= end)
    if not kept:
        with pytest.raises(InputError, match="No origin can be tested"):
            made(lines, horizon_days=horizon, origins=[day(n) for n in places])
        return
    found = made(lines, horizon_days=horizon, origins=[day(n) for n in places])
    assert [f.origin for f in found] == kept
    assert bool(found.notes) == (len(kept) < len(places))
    spent: dict[str, dict[dt.date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    returned: dict[str, dict[dt.date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for customer, when, amount, kind in lines:
        (spent if kind == "sale" else returned)[customer][when] += amount

    def money(customer: str, since: dt.date, until: dt.date) -> float:
        both = (*spent[customer].items(), *returned[customer].items())
        return float(sum(amount for when, amount in both if since <= when < until))

    for fold in found:
        origin, until = fold.origin, fold.origin + dt.timedelta(days=horizon)
        known = sorted(c for c, days in spent.items() if min(days) < origin)
        assert fold.ids.tolist() == known
        opened = origin - dt.timedelta(days=fold.window_days)
        assert fold.window_days == min(horizon, (origin - first).days)
        for n, customer in enumerate(known):
            days = spent[customer]
            before = sorted(d for d in days if d < origin)
            after = [d for d in days if origin <= d < until]
            window = [d for d in before if d >= opened]
            of_sales = float(sum(days[d] for d in before))
            left = (
                min(1.0, max(0.0, money(customer, dt.date.min, origin) / of_sales)) if of_sales > 0 else 1.0
            )
            assert fold.frequency[n] == len(before) - 1
            assert fold.recency[n] == (before[-1] - before[0]).days
            assert fold.T[n] == (origin - before[0]).days - 1
            repeats = [float(days[d]) for d in before[1:]]
            mean = np.mean(repeats) if repeats else 0.0
            assert fold.monetary_value[n] == pytest.approx(mean * left, abs=5e-5), "less what returns took"
            assert fold.extra["monetary"][n] == pytest.approx(of_sales * left)
            assert fold.actual_orders[n] == len(after)
            assert fold.actual_value[n] == pytest.approx(money(customer, origin, until))
            assert fold.window_orders[n] == len(window)
            assert fold.window_value[n] == pytest.approx(money(customer, opened, origin))
            assert fold.late[n] == (before[0] >= kept[0])
        came = [c for c, days in spent.items() if origin <= min(days) < until]
        assert fold.newcomers == len(came)
        assert fold.newcomer_value == pytest.approx(sum(money(c, dt.date.min, until) for c in came))
    timeline, last = found.timeline, found[-1]
    assert timeline is not None
    repeats_by_day: dict[int, int] = defaultdict(int)
    for customer in last.ids:
        for d in sorted(spent[customer])[1:]:
            if d < last.end:
                repeats_by_day[(d - timeline.first_day).days] += 1
    assert {n: v for n, v in enumerate(timeline.repeats) if v} == repeats_by_day
    assert timeline.starts.sum() == len(last)


def test_origins_spread_evenly_and_at_most_a_horizon_apart() -> None:
    lines = [sale("a", n) for n in range(101)]  # known to the end of day 100
    assert [f.origin for f in made(lines, horizon_days=41, origins=3)] == [day(20), day(40), day(60)]
    assert [f.origin for f in made(lines, horizon_days=10, origins=3)] == [day(71), day(81), day(91)]
    assert [f.origin for f in made(lines, horizon_days=10, origins=2, step_days=30)] == [day(61), day(91)]


def test_an_incomplete_window_is_left_out_and_said() -> None:
    lines = [sale("a", n) for n in range(0, 51, 10)]
    found = made(lines, horizon_days=20, origins=[day(30), day(40)])
    assert [f.origin for f in found] == [day(30)]
    assert found.notes == [
        "Left out: 2024-02-10, whose 20 days are not complete on 2024-02-20, the last day known."
    ]
    far = made(lines, horizon_days=20, origins=2, step_days=40)
    assert far.notes == ["Left out: 2023-12-23, before which there is no order (the first is of 2024-01-01)."]
    earlier = made(lines, horizon_days=20, origins=[day(30)], as_of=day(50))
    assert earlier[0].actual_orders.tolist() == [2.0]
    with pytest.raises(InputError, match="No origin can be tested"):
        made(lines, horizon_days=20, origins=[day(31)], as_of=day(50))


def test_the_sample_hangs_on_keys_and_seed_alone() -> None:
    lines = [sale(f"c{n:03}", n % 37, n) for n in range(200)] + [
        sale(f"c{n:03}", 40 + n % 9, n) for n in range(200)
    ]
    one = made(lines, horizon_days=8, sample=50, origins=2)
    turned = made(lines[::-1], horizon_days=8, sample=50, origins=2)
    other = made(lines, horizon_days=8, sample=50, origins=2, random_state=1)
    assert one.sampled == len(one[-1]) == 50
    assert [f.ids.tolist() for f in one] == [f.ids.tolist() for f in turned]
    assert one[-1].ids.tolist() != other[-1].ids.tolist()
    assert set(one[0].ids) <= set(one[-1].ids), "the same customers at every origin"
    assert "50 of 200 customers stand for all" in one.notes[-1]
    assert made(lines, horizon_days=8, sample=None, origins=2).sampled is None


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"horizon_days": 0}, "whole days, one at least"),
        ({"horizon_days": 2.5}, "whole days"),
        ({"horizon_days": float("inf")}, "not unlimited"),
        ({"horizon_days": 5, "origins": 0}, "one at least"),
        ({"horizon_days": 5, "step_days": 0}, "one day at least"),
        ({"horizon_days": 5, "sample": 0}, "one customer at least"),
        ({"horizon_days": 5, "as_of": day(99)}, "lies after the newest order"),
    ],
)
def test_what_is_impossible_is_refused(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        made([sale(c, n) for c in "ab" for n in range(30)], **asked)


def test_too_short_a_history_is_refused_with_a_way_out() -> None:
    with pytest.raises(
        InputError, match=r"window of 30 days .* no day before it.*; 15 days would leave as much"
    ):
        made([sale("a", n) for n in range(30)], horizon_days=30)
