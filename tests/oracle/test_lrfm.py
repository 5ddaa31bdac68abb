"""Random orders: `ev.lrfm` equals a plain Python implementation, row by row, whichever way and frame they take."""

from __future__ import annotations

import datetime as dt
import warnings
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import evervalue as ev
from evervalue.core.progress import Silent
from evervalue.library.session import engine
from evervalue.library.session import settings as settings_of
from evervalue.pipeline.from_orders import score_orders
from tests.support import plain_lrfm
from tests.support.plain_lrfm import Line

FIRST = dt.date(2023, 12, 1)

# Few values of each, so that ties, shared orders, customers with one order and orders over several days are common.
days = st.integers(0, 40).map(lambda n: FIRST + dt.timedelta(days=n))
money = st.one_of(
    st.integers(-3, 6).map(Decimal), st.decimals(-1000, 1000, places=4, allow_nan=False, allow_infinity=False)
)
text_keys = st.sampled_from(["Ann", "ann", "Bob", "B", "Zoë", "Żaneta", "a b", "10", "9", "Ø", "😀"])
number_keys = st.integers(1, 15)
order_ids = st.one_of(st.none(), st.integers(1, 12))
kinds = st.sampled_from(["sale", "sale", "sale", "return", "refund", "adjustment"])
names = st.one_of(st.none(), st.sampled_from(["Same", "Same", "Other", "Ünal", "a"]))


def lines_of(
    keys: st.SearchStrategy[Any], *, with_kind: bool, with_name: bool
) -> st.SearchStrategy[list[Line]]:
    line = st.builds(
        Line,
        keys,
        order_ids,
        days,
        money,
        kinds if with_kind else st.just("sale"),
        names if with_name else st.none(),
    )
    return st.lists(line, min_size=1, max_size=40)


orders = st.tuples(st.booleans(), st.booleans(), st.booleans()).flatmap(
    lambda t: lines_of(text_keys if t[0] else number_keys, with_kind=t[1], with_name=t[2])
)
cutoffs = st.one_of(st.none(), st.integers(1, 50).map(lambda n: FIRST + dt.timedelta(days=n)))


def frame_of(lines: list[Line]) -> pl.DataFrame:
    columns: dict[str, Any] = {
        "customer_id": [line.customer_id for line in lines],
        "order_id": pl.Series([line.order_id for line in lines], dtype=pl.Int64),
        "order_date": pl.Series([line.order_date for line in lines], dtype=pl.Date),
        "monetary": pl.Series([line.monetary for line in lines], dtype=pl.Decimal(18, 4)),
    }
    if any(line.kind != "sale" for line in lines):
        columns["kind"] = [line.kind for line in lines]
    if any(line.customer for line in lines):
        columns["customer"] = pl.Series([line.customer for line in lines], dtype=pl.String)
    return pl.DataFrame(columns)


def by_key(scores: pl.DataFrame) -> dict[str, dict[str, Any]]:
    rows = {}
    for row in scores.to_dicts():
        key = row.pop("customer_id", row["customer"])
        row["customer"] = str(row["customer"])
        rows[str(key)] = row
    return rows


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(orders, cutoffs, st.integers(2, 10), st.sampled_from(["first", "share"]))
def test_scores_equal_the_plain_implementation(
    lines: list[Line], as_of: dt.date | None, bins: int, ties: Any
) -> None:
    expected = plain_lrfm.lrfm(lines, as_of=as_of, bins=bins, ties=ties)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ev.ScoresSayLittle)
        found = ev.lrfm(frame_of(lines), as_of=as_of, bins=bins, ties=ties)

    assert by_key(found) == expected
    keys = found["customer_id" if "customer_id" in found.columns else "customer"].to_list()
    assert keys == sorted(keys), "rows come in the order of the keys"


@pytest.mark.slow
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.booleans().flatmap(
        lambda text: lines_of(text_keys if text else number_keys, with_kind=False, with_name=False)
    ),
    cutoffs,
)
def test_the_shorter_way_lands_the_same_tables(lines: list[Line], as_of: dt.date | None) -> None:
    frame = frame_of(lines).to_arrow()
    landed = []
    for shorter in (True, False):
        with engine("The test") as con:
            con.register("lines", frame)
            score_orders(
                con,
                "lines",
                settings_of({}),
                "customers.lrfm",
                progress=Silent(),
                as_of=as_of,
                shorter=shorter,
            )
            landed.append(
                [
                    con.execute(f"select * from {table}").fetchall()
                    for table in (
                        "customers.cutoff",
                        "customers.history",
                        "customers.lrfm",
                        "customers.lrfm_bounds",
                    )
                ]
            )
    for one, other in zip(*landed, strict=True):
        assert sorted(map(str, one)) == sorted(map(str, other))


@pytest.mark.parametrize("bins", [2, 4, 7])
def test_all_values_tied(bins: int) -> None:
    lines = [Line(name, None, FIRST, Decimal(5)) for name in ("d", "a", "c", "b", "e")]

    first = by_key(ev.lrfm(frame_of(lines), bins=bins)) if bins <= 5 else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ev.ScoresSayLittle)
        share = by_key(ev.lrfm(frame_of(lines), bins=bins, ties="share"))

    assert {row["m_score"] for row in share.values()} == {1}
    assert {row["r_score"] for row in share.values()} == {bins}
    if first is not None:
        assert first == plain_lrfm.lrfm(lines, bins=bins)
        assert [first[name]["m_score"] for name in "abcde"] == sorted(
            first[name]["m_score"] for name in "abcde"
        )


def test_one_customer_is_scored_with_a_warning() -> None:
    with pytest.warns(ev.ScoresSayLittle, match="1 customer for 4 score bins"):
        scores = ev.lrfm(frame_of([Line("Ann", 1, FIRST, Decimal(3))]))

    assert scores.select("l_score", "r_score", "f_score", "m_score").rows() == [(1, 4, 1, 1)]
