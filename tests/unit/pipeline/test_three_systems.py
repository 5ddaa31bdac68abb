"""One company's sales in three systems (orders, costs, accounts) give the same customers as its one file."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.projects import project, published, run_project, saas_project

SCORES = (
    "customer, length_days, recency_days, frequency, monetary, l_score, r_score, f_score, m_score, lrfm_score, "
    "customer_value"
)
ORDERS = [
    "Row ID",
    "Order ID",
    "Order Date",
    "Customer ID",
    "Product",
    "Region",
    "Country",
    "Sales",
    "Quantity",
]
SETTINGS = """
[project]
currency = "USD"
[identity]
country = "US"
[sources.shop]
customer_keys = "company"
path = "orders*.csv"
date_format = "%m/%d/%Y"
[sources.shop.columns]
line_id = "Row ID"
order_id = "Order ID"
ordered_at = "Order Date"
customer_id = "Customer ID"
product_name = "Product"
region = "Region"
country = "Country"
amount = "Sales"
quantity = "Quantity"
[sources.shop.attributes]
region = "Region"

[sources.erp]
path = "costs.csv"
provides = "cost_entries"
[sources.erp.columns]
entry_id = "Document"
cost_kind = "Kind"
line_id = "Order line"
amount = "Cost"

[sources.crm]
customer_keys = "{keys}"
path = "accounts.csv"
provides = "customers"
external_ids = "company"
[sources.crm.columns]
customer_id = "Account"
customer_name = "Name"
email = "E-mail"
external_id = "ERP number"
[sources.crm.attributes]
industry = "Industry"

[lrfm]
monetary = "margin"
ties = "first"
"""


def write(path: Path, header: list[str], rows: Iterable[Iterable[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def three_systems(
    folder: Path, sales: Path, *, keys: str, prefix: str = "", shuffled: int | None = None
) -> Path:
    """A project whose orders, costs and accounts come from three systems; shuffled: in other rows, files and order."""
    with sales.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    folder.mkdir(parents=True, exist_ok=True)
    costs = [
        [f"D{line['Row ID']}", "cogs", line["Row ID"], Decimal(line["Sales"]) - Decimal(line["Profit"])]
        for line in lines
    ]
    accounts = {
        line["Customer ID"]: [
            prefix + line["Customer ID"], line["Customer"], line["Industry"],
            f"accounts.payable{line['Customer ID']}@customer.biz", line["Customer ID"],
        ]
        for line in lines
    }  # fmt: skip
    orders = [[line[name] for name in ORDERS] for line in lines]
    parts = [orders]
    rows = list(accounts.values())
    if shuffled is not None:
        mixed = random.Random(shuffled)
        for table in (orders, costs, rows):
            mixed.shuffle(table)
        at = mixed.randrange(1, len(orders))
        parts = [orders[:at], orders[at:]]
    for n, part in enumerate(parts):
        write(folder / f"orders{n}.csv", ORDERS, part)
    write(folder / "costs.csv", ["Document", "Kind", "Order line", "Cost"], costs)
    write(folder / "accounts.csv", ["Account", "Name", "Industry", "E-mail", "ERP number"], rows)
    return project(folder, {}, SETTINGS.replace("{keys}", keys))


@pytest.fixture(scope="module")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = saas_project(tmp_path_factory.mktemp("one"))
    run_project(folder)
    return folder


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, saas_sales: Path) -> Path:
    folder = three_systems(tmp_path_factory.mktemp("three"), saas_sales, keys="company")
    run_project(folder)
    return folder


def test_three_systems_give_the_scores_of_the_one_file(one_file: Path, three: Path) -> None:
    (row,) = published(
        three, "select customers, high_value, mid_value, low_value, monetary from insight.headline"
    )
    assert row == (99, 14, 43, 42, Decimal("286397.0217"))
    everything = f"select customer_id, {SCORES} from customers.lrfm order by customer_id"
    assert published(three, everything) == published(one_file, everything)


def test_every_cost_is_borne_by_its_line(three: Path) -> None:
    assert published(
        three, "select source, entry_count, amount, allocated, unallocated from curated.cost_totals"
    ) == [("erp", 9994, Decimal("2010803.8386"), Decimal("2010803.8386"), Decimal(0))]
    rows = "select source, rows_read, rows_stored, amount_read, amount_stored, amount_unexplained "
    assert published(three, rows + "from curated.reconciliation order by source") == [
        ("crm", 99, 99, Decimal(0), Decimal(0), Decimal(0)),
        ("erp", 9994, 9994, Decimal("2010803.8386"), Decimal("2010803.8386"), Decimal(0)),
        ("shop", 9994, 9994, Decimal("2297200.8603"), Decimal("2297200.8603"), Decimal(0)),
    ]
    assert published(
        three, "select count(*) from curated.customer_attributes where attribute = 'industry'"
    ) == [(99,)]


def test_accounts_with_numbers_of_their_own_are_the_same_customers(
    one_file: Path, tmp_path: Path, saas_sales: Path
) -> None:
    folder = three_systems(tmp_path, saas_sales, keys="crm", prefix="A-")
    run_project(folder)
    everything = f"select {SCORES} from customers.lrfm order by all"
    assert published(folder, everything) == published(one_file, everything)
    assert published(
        folder, "select type, count(*), min(record_a), min(record_b) from identity.links group by type"
    ) == [("customer_number", 99, "company:1001", "crm:A-1001")]


CURATED = (
    "order_lines", "orders", "customers", "customer_attributes", "customer_keys", "cost_entries", "cost_allocations",
    "cost_totals", "reconciliation", "reversals",
)  # fmt: skip
LINEAGE = ("file_id", "line", "cost_file_id", "cost_line")


def rows_of(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every curated table, but for the file and the line it came from."""
    found = {}
    for table in CURATED:
        columns = published(folder, f"select column_name from (describe curated.{table})")
        names = ", ".join(f'"{name}"' for (name,) in columns if name not in LINEAGE)
        found[table] = published(folder, f"select {names} from curated.{table} order by all")
    return found


def test_the_order_of_rows_files_and_sources_changes_nothing(
    three: Path, tmp_path: Path, saas_sales: Path
) -> None:
    folder = three_systems(tmp_path, saas_sales, keys="company", shuffled=7)
    toml = (folder / "evervalue.toml").read_text()
    start, shop, erp, crm = (
        toml.index(part) for part in ("[project]", "[sources.shop]", "[sources.erp]", "[sources.crm]")
    )
    end = toml.index("[lrfm]")
    swapped = toml[start:shop] + toml[crm:end] + toml[erp:crm] + toml[shop:erp] + toml[end:]
    (folder / "evervalue.toml").write_text(swapped)
    run_project(folder)
    found, expected = rows_of(folder), rows_of(three)
    for table in CURATED:
        assert found[table] == expected[table], table
