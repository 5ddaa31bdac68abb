"""What the live layer says of a customer is what the next run says, to the last digit, with the models it had."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evervalue.api import live_rules
from evervalue.api.live import VALUE, Live
from evervalue.api.profile import profile
from evervalue.api.settings import ServerSettings
from evervalue.api.snapshots import SnapshotReader
from evervalue.live.rules import Published
from evervalue.live.value import ORDERS
from evervalue.models.scoring import customer_histories
from evervalue.warehouse import duckdb
from evervalue.warehouse.publish import Publisher
from tests.support.projects import run_project
from tests.support.sites import Site, order

TOML = """
[project]
currency = "USD"
time_zone = "America/New_York"
[lrfm]
monetary = "revenue"
ties = "{ties}"
[value]
model = "{model}"
spend = "gamma-gamma"
recalibrate = {recalibrate}
[sources.web]
kind = "events"
customer_keys = "shop"
[sources.rates]
provides = "rates"
path = "rates.csv"
columns = {{ rate_date = "day", from_currency = "from", to_currency = "to", rate = "rate" }}
"""
FIRST, DAYS = date(2022, 1, 1), 500
SCORES = ("l_score", "r_score", "f_score", "m_score", "lrfm_score", "customer_value")
FIGURES = (
    "first_order_date",
    "last_order_date",
    "length_days",
    "recency_days",
    "frequency",
    "revenue",
    "monetary",
)


def rates() -> str:
    lines = [f"{FIRST + timedelta(days=d)},EUR,USD,1.0{d % 9}" for d in range(-1, 2 * DAYS)]
    return "\n".join(("day,from,to,rate", *lines)) + "\n"


class Shop:
    """Random customers who order, take back, tell things again, and come as visitors first."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.orders: list[dict[str, Any]] = []
        self.n = 0

    def events(self, count: int, first: int, last: int) -> list[dict[str, Any]]:
        return [self.event(first, last) for _ in range(count)]

    def event(self, first: int, last: int) -> dict[str, Any]:
        r = self.random
        day = FIRST + timedelta(days=r.randint(first, last))
        if r.random() < 0.15 and self.orders:
            told = r.choice(self.orders)
            if r.random() < 0.3:
                return dict(told)  # once more, with another messageId
            what = r.choice(("Order Refunded", "Order Cancelled"))
            amount = r.choice((None, round(r.uniform(1, 60), 2)))
            back = {"order_id": told["properties"]["order_id"], "currency": told["properties"]["currency"]}
            if amount is not None:
                back["subtotal"] = amount
            return {**told, "event": what, "timestamp": f"{day}T03:30:00Z", "properties": back}
        if r.random() < 0.1:
            return {"type": "page", "userId": f"u{r.randint(1, 40)}", "anonymousId": f"a{r.randint(1, 9)}",
                    "timestamp": f"{day}T03:30:00Z"}  # fmt: skip
        self.n += 1
        products = [(f"p{r.randint(1, 5)}", round(r.uniform(0.01, 80), r.choice((0, 2, 3))), r.randint(1, 4))
                    for _ in range(r.randint(0, 3))]  # fmt: skip
        extra: dict[str, Any] = {}
        if not products:
            extra = r.choice(
                ({"subtotal": 40.5}, {"revenue": 33.333, "discount": 1.111}, {"total": 20, "tax": 1.5})
            )
        elif r.random() < 0.3:
            extra = {"discount": round(r.uniform(0, 2), 2)}
        made = order(f"o{self.n}", str(day), *products, user=f"u{r.randint(1, 40)}", **extra)
        made["timestamp"] = f"{day}T0{r.randint(2, 7)}:30:00Z"  # on both sides of midnight in New York
        made["properties"]["currency"] = r.choice(("USD", "USD", "EUR"))
        self.orders.append(made)
        return made


@pytest.mark.parametrize(
    ("seed", "ties", "model", "recalibrate"),
    [(1, "first", "bg-nbd", "false"), pytest.param(2, "share", "pareto-nbd", "true", marks=pytest.mark.slow)],
)
def test_live_is_what_the_next_run_says(
    tmp_path: Path, seed: int, ties: str, model: str, recalibrate: str
) -> None:
    site = Site(
        tmp_path / "shop",
        TOML.format(ties=ties, model=model, recalibrate=recalibrate),
        files={"rates.csv": rates()},
    )
    shop = Shop(seed)
    site.send(*shop.events(400, 0, DAYS))
    run_project(site.folder)
    site.send(*shop.events(120, DAYS - 100, DAYS + 60))
    site.send(order("last", str(FIRST + timedelta(days=DAYS + 61)), ("p", 5, 1), user="u1"))

    data_dir = site.folder / "evervalue-data"
    live, reader = Live(data_dir), SnapshotReader(data_dir, ServerSettings())
    with reader.lease() as reading:
        published = reading.once(live_rules.published)
        keys = [f"u{n}" for n in range(1, 41)]
        said = {key: live.profile(reading, key, profile(reading, key)) for key in keys}
    reader.close()
    run_project(site.folder)
    then = After(Publisher(data_dir).current().path, published)
    assert len(then.figures) > 30
    for key, found in said.items():
        assert (found is None) == (key not in then.figures)
        if found is None:
            continue
        assert found.row["cutoff"] == then.cutoff
        assert tuple(found.row[name] for name in FIGURES) == then.figures[key], found.row
        assert tuple(found.row[name] for name in SCORES) == then.scores(key), found.row
        for name in VALUE if key in then.places else ():
            batch, here = float(getattr(then.values, name)[then.places[key]]), found.row[name]
            assert here is not None
            if name in ORDERS:
                assert here == pytest.approx(batch, abs=1e-9), (key, name)
            else:
                assert abs(here - Decimal(batch)) <= Decimal("0.00006"), (key, name)


class After:
    """What a run says that is scored by the boundaries and the models of the run before."""

    def __init__(self, file: Path, before: Published) -> None:
        assert before.predictor is not None
        self.con = duckdb.connect(file, read_only=True)
        (self.cutoff,) = self.con.execute("select as_of from customers.cutoff").fetchone() or (None,)
        rows = self.con.execute(f"select customer_id, {', '.join(FIGURES)} from customers.history").fetchall()
        self.figures = {row[0]: row[1:] for row in rows}
        self.values = before.predictor.scores(customer_histories(self.con))
        placed = self.con.execute("select customer_id from customers.purchase_history order by 1").fetchall()
        self.places = {row[0]: n for n, row in enumerate(placed)}
        self.before = before

    def scores(self, key: str) -> tuple[Any, ...]:
        """A second way to the scores: the customer ranked among the boundary rows."""
        row = dict(zip(FIGURES, self.figures[key], strict=True))
        if not row["frequency"]:
            return (None,) * 6
        by, shift = self.before.scoring, (self.cutoff - self.before.as_of).days
        numbers = {
            "L": row["length_days"],
            "R": row["recency_days"] - shift,
            "F": row["frequency"],
            "M": row["monetary"],
        }
        found = []
        for dimension, number in numbers.items():
            bounds = [(b.value, b.name, b.key) for b in by.bounds[dimension]]
            mine = (Decimal(number), key, key) if by.ties == "first" else (Decimal(number), "", "")
            place = sorted([*bounds, mine]).index(mine)
            found.append(by.bins - place if dimension == "R" else 1 + place)
        total = sum(found)
        tier = "High-Value" if total >= 14 else "Mid-Value" if total >= 10 else "Low-Value"
        return (*found, total, tier)
