"""What `read_orders` gives: facts, quarantine, shows, frames, and scores that outlive their orders."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

import evervalue as ev
from evervalue.core.errors import AmbiguousInput, MissingColumns, SettingsError

CSV = """Customer,Order,Day,Profit
Ann <b>,1,2024-01-31,10.50
Bob,2,2024-02-01,7.25
Bob,3,2024-02-09,-2.00
Cid,4,2024-02-30,1.00
,5,2024-02-11,1.00
Dee,6,2024-02-12,n/a
Eve,7,2024-02-13,3.00
Fay,8,2024-02-14,4.00
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "orders.csv"
    file.write_text(CSV, "utf-8")
    return file


@pytest.fixture
def orders(path: Path) -> ev.Orders:
    return ev.read_orders(path, customer="Customer", order="Order", date="Day", monetary="Profit")


def test_facts_and_quarantine(orders: ev.Orders) -> None:
    assert (orders.facts.lines, orders.facts.customers) == (5, 4)
    assert orders.facts.monetary == Decimal("22.7500")
    assert sum(orders.quarantined.values()) == 3
    assert {"bad_date", "missing_customer"} <= set(orders.quarantined)


def test_shows(orders: ev.Orders) -> None:
    text, html = repr(orders), orders._repr_html_()
    assert "5 in 5 orders of 4 customers" in text
    assert "3 rows: " in text
    assert "Ann &lt;b&gt;" in html
    assert "Ann <b>" not in html
    scores = ev.lrfm(orders)
    assert "4" in repr(scores)
    assert "as of" in scores._repr_html_()
    gems = ev.hidden_gems(scores)
    assert "hidden gems" in repr(gems)
    assert gems._repr_html_().startswith("<div class='evervalue'>")


def test_frames(orders: ev.Orders, path: Path) -> None:
    frame = ev.read_orders(path, "Customer", "Order", "Day", "Profit", frame="polars")
    assert frame.columns == ["customer_id", "customer", "order_id", "order_date", "kind", "monetary"]
    assert frame.equals(orders.to_polars())
    assert pl.DataFrame(orders).equals(frame)
    assert len(orders) == len(orders.to_pandas()) == orders.to_arrow().num_rows == 5
    assert len(orders.relation.fetchall()) == 5
    assert ev.lrfm(frame).equals(ev.lrfm(orders).to_polars())
    with pytest.raises(SettingsError, match="did you mean 'pandas'"):
        ev.read_orders(path, frame="panda")  # type: ignore[call-overload]


def test_scores_outlive_their_orders(path: Path) -> None:
    scores = ev.lrfm(ev.read_orders(path, "Customer", "Order", "Day", "Profit"))
    gems = ev.hidden_gems(scores, top=2)
    kept = scores.relation
    gc.collect()
    assert len(scores) == 4
    del scores
    gc.collect()
    assert len(gems) >= 0
    assert len(kept.fetchall()) == 4


def test_one_object_many_threads(orders: ev.Orders) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(
            pool.map(lambda n: ev.lrfm(orders, ties=("first", "share")[n % 2]).to_polars(), range(12))
        )
    assert all(found[n].equals(found[n % 2]) for n in range(12))


def test_what_a_file_leaves_open(tmp_path: Path) -> None:
    doubtful = tmp_path / "doubtful.csv"
    doubtful.write_text("Customer,Day,Profit\nAnn,03/04/2022,1\nBob,05/06/2022,2\n")
    with pytest.raises(AmbiguousInput, match="date_format"):
        ev.read_orders(doubtful, customer="Customer", date="Day", monetary="Profit")
    orders = ev.read_orders(doubtful, "Customer", None, "Day", "Profit", date_format="%d/%m/%Y")
    assert str(orders.facts.first_order_date) == "2022-04-03"
    with pytest.raises(MissingColumns, match="Profits"):
        ev.read_orders(doubtful, "Customer", None, "Day", "Profits", date_format="%d/%m/%Y")
