"""A write key that stands in a page is public: whoever sends with it stops no run, and is told no more than it may."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import CheckFailed, SettingsError
from evervalue.pipeline.settings import read_project
from tests.support.projects import project, published, run_project
from tests.support.sites import TOML, Site, order

DAY = "2024-01-05"
SALES = "order,date,customer,amount\ne1,2024-01-05,u1,16\ne2,2024-01-06,u2,7\n"
ERP = """
[sources.erp]
path = "sales.csv"
columns = { order_id = "order", ordered_at = "date", customer_id = "customer", amount = "amount" }
"""
ADDS_UP = (
    "select bool_and(rows_read = rows_stored + rows_duplicate + rows_quarantined + rows_set_aside) "
    "from curated.reconciliation"
)
RATES = """
[sources.rates]
path = "rates.csv"
provides = "rates"
columns = { rate_date = "day", from_currency = "from", to_currency = "to", rate = "rate" }
"""


def test_a_currency_without_a_rate_waits_for_one(tmp_path: Path) -> None:
    site = Site(
        tmp_path / "shop", TOML + RATES, files={"rates.csv": "day,from,to,rate\n2024-01-05,EUR,USD,2\n"}
    )
    site.send(
        order("o1", DAY, ("p1", 10, 1)),
        order("o2", DAY, ("p1", 10, 1), currency="EUR"),
        order("o3", DAY, ("p1", 10, 1), ("p2", 1, 1), currency="XXX", discount=2),
        order("o3", DAY, ("p2", 1, 1), currency="XXX", event="Order Refunded"),
    )
    run_project(site.folder)
    assert [(line[0], line[4]) for line in site.lines()] == [("o1", 10), ("o2", 20)]
    told = "select source, reason, row_count from run.quarantine order by all"
    assert published(site.folder, told) == [
        ("web.discounts", "no_rate", 1),
        ("web.lines", "no_rate", 2),
        ("web.refunds", "no_rate", 1),
    ]
    assert published(site.folder, ADDS_UP) == [(True,)]
    (site.folder / "rates.csv").write_text("day,from,to,rate\n2024-01-05,EUR,USD,2\n2024-01-05,XXX,USD,3\n")
    run_project(site.folder)
    assert [(line[0], line[2], line[4]) for line in site.lines()] == [
        ("o1", "sale", 10),
        ("o2", "sale", 20),
        ("o3", "adjustment", -6),
        ("o3", "refund", -3),
        ("o3", "sale", 30),
        ("o3", "sale", 3),
    ]
    assert published(site.folder, told) == []
    # And back: a rate that is taken away again takes its lines along.
    (site.folder / "rates.csv").write_text("day,from,to,rate\n2024-01-05,EUR,USD,2\n")
    run_project(site.folder)
    assert len(site.lines()) == 2
    assert published(site.folder, ADDS_UP) == [(True,)]


def test_other_sources_stop_for_a_rate_unless_they_are_told_not_to(tmp_path: Path) -> None:
    sales = "order,date,customer,amount,money\ne1,2024-01-05,u1,16,EUR\ne2,2024-01-05,u1,7,USD\n"
    mapped = ERP.replace('amount = "amount"', 'amount = "amount", currency = "money"')
    folder = project(tmp_path / "shop", {"sales.csv": sales}, f'[project]\ncurrency = "USD"\n{mapped}')
    with pytest.raises(CheckFailed, match="missing_rates"):
        run_project(folder)
    waits = mapped.replace("columns =", 'without_rate = "quarantine"\ncolumns =')
    folder = project(tmp_path / "other", {"sales.csv": sales}, f'[project]\ncurrency = "USD"\n{waits}')
    run_project(folder)
    assert published(folder, "select order_id from curated.orders") == [("e2",)]


def test_a_user_id_that_is_a_number_of_the_sales_database_stops_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop", TOML + ERP, files={"sales.csv": SALES})
    site.send(order("o1", DAY, ("p1", 10, 1), user="u1"))
    run_project(site.folder)
    assert published(site.folder, "select count(*) from customers.lrfm where frequency > 0") == [(3,)]


def test_a_key_of_a_page_tells_of_visits_and_never_of_orders_or_people(tmp_path: Path) -> None:
    toml = (
        TOML
        + 'trust = "browser"\ncustomer_keys = "shop"\n'
        + ERP.replace("columns", 'customer_keys = "shop"\ncolumns')
    )
    site = Site(tmp_path / "shop", toml, files={"sales.csv": SALES})
    site.send(
        order("e1", DAY, ("p1", 1e9, 1)),
        order("e1", DAY, ("p1", 16, 1), event="Order Cancelled"),
        {"type": "alias", "previousId": "u1", "userId": "u2"},
        {
            "type": "identify",
            "anonymousId": "u1",
            "userId": "u2",
            "traits": {"name": "Mallory", "email": "m@a.biz"},
        },
        {"type": "page", "userId": "u1", "properties": {"path": "/"}},
    )
    run_project(site.folder)
    rows = published(
        site.folder, "select customer_id, customer, monetary::double from customers.history order by all"
    )
    assert rows == [("u1", "u1", 16), ("u2", "u2", 7)]
    assert published(site.folder, ADDS_UP) == [(True,)]
    aside = (
        "select sum(rows_set_aside), sum(rows_stored) from curated.reconciliation where source like 'web.%'"
    )
    ((set_aside, stored),) = published(site.folder, aside)
    assert set_aside > 0
    assert stored == 0


def test_trust_in_something_unknown_is_told(tmp_path: Path) -> None:
    folder = project(tmp_path / "shop", {}, '[sources.web]\nkind = "events"\ntrust = "browsers"\n')
    with pytest.raises(SettingsError, match="did you mean 'browser'"):
        read_project(folder)


WORDS: list[Any] = [
    None, "", " ", "0", "-1", "1e999", 1e300, -1e300, 2**63, -(2**63), 10**19, True, [], {}, [[]], {"$": 1}, "NaN", "∞",
    "a\x00b", "\u2028", "'; drop table coming; --", "${x}", "{}", "[]", "null", "é" * 500, "9" * 400, 1e-300, "1,5",
    "2024-13-45", "9999-12-31T23:59:59Z", "1970-01-01", 0.1, "u1", "o1", ["o1"], {"id": "o1"}, "\ud7ff", "\U0001f600",
]  # fmt: skip
PRODUCT = ("product_id", "id", "sku", "name", "category", "price", "quantity")
ORDER = (
    "subtotal",
    "revenue",
    "total",
    "value",
    "shipping",
    "tax",
    "discount",
    "currency",
    "order_id",
    "email",
)
TRAITS = ("name", "firstName", "email", "phone", "company", "plan", "address")
CONTEXT = ("page", "campaign", "library", "traits")
EVENTS = ("Order Completed", "Order Refunded", "Order Cancelled", "Product Added", "Product Viewed")


def hostile(chance: random.Random) -> dict[str, Any]:
    """An event of which nothing can be relied on but that the collector takes it."""

    def some(names: tuple[str, ...], share: float) -> dict[str, Any]:
        return {name: chance.choice(WORDS) for name in names if chance.random() < share}

    properties = some(ORDER, 0.3)
    if chance.random() < 0.6:
        products = (
            chance.choice([some(PRODUCT, 0.6), chance.choice(WORDS)]) for _ in range(chance.randrange(4))
        )
        properties["products"] = list(products)
    kind = chance.choice(["track", "track", "track", "identify", "page", "alias"])
    message: dict[str, Any] = {"type": kind, "properties": properties, "previousId": "u3"}
    message["userId"] = chance.choice(["u1", "u2"])
    if kind == "track":
        message["event"] = chance.choice(EVENTS)
    if kind == "identify":
        message["traits"] = some(TRAITS, 1)
    if chance.random() < 0.5:
        message["context"] = some(CONTEXT, 0.7)
    if chance.random() < 0.5:
        message["anonymousId"] = chance.choice(["a1", "a2", "u1"])
    if chance.random() < 0.3:
        days = ["2100-01-01T00:00:00Z", "1999-01-01T00:00:00Z", "2024-01-01T10:00:00Z"]
        message["timestamp"] = chance.choice(days)
    return message


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_sent_a_run_goes_on(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    site = Site(tmp_path / "shop")
    site.send(order("good", DAY, ("p1", 10, 1), user="good"))
    for _ in range(2):
        site.send(*(hostile(chance) for _ in range(300)))
        run_project(site.folder)
    worth = "select monetary::double from customers.history where customer_id = 'good'"
    assert published(site.folder, worth) == [(10,)]
    assert published(site.folder, ADDS_UP) == [(True,)]


def test_orders_of_which_none_can_be_read_stop_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop", TOML + ERP, files={"sales.csv": SALES})
    site.send(order("o1", DAY, ("p1", "x", 1)), order("o2", DAY, ("p1", "y", 1)))
    run_project(site.folder)
    assert published(site.folder, "select count(*) from curated.orders") == [(2,)]
