"""Orders in PostgreSQL, costs in an ERP file, accounts in a bucket: the customers are those of the one file."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evervalue.core.clock import FixedClock
from evervalue.core.progress import Silent
from evervalue.pipeline.settings import read_project
from evervalue.pipeline.source_check import check_sources
from evervalue.pipeline.watching import follow
from evervalue.sources.changes.watch import Lag
from evervalue.warehouse.publish import Publisher
from tests.support.projects import NOON, project, published, run_project, saas_project
from tests.support.s3 import Store

if TYPE_CHECKING:
    from tests.support.postgres import Postgres

SETTINGS = """
[project]
currency = "USD"

[sources.shop]
kind = "postgres"
connection = "${SHOP_DSN}"
capture = "CAPTURE"
customer_keys = "company"
[sources.shop.tables.orders]
table = "sales.orders"
[sources.shop.tables.lines]
table = "sales.order_lines"
[sources.shop.outputs.lines]
from = "lines"
lookups.orders = { order_id = "order_id" }
[sources.shop.outputs.lines.columns]
line_id = "line_id"
order_id = "order_id"
ordered_at = "orders.ordered_on"
customer_id = "orders.customer_id"
product_name = "product"
amount = "amount"
quantity = "quantity"
region = "orders.region"

[sources.erp]
path = "costs.csv"
provides = "cost_entries"
[sources.erp.columns]
entry_id = "document"
cost_kind = "kind"
line_id = "line"
amount = "cost"

[sources.crm]
path = "s3://crm/accounts/*.csv"
provides = "customers"
customer_keys = "company"
[sources.crm.columns]
customer_id = "account"
customer_name = "name"
[sources.crm.attributes]
industry = "industry"

[lrfm]
monetary = "margin"
ties = "first"
"""
TABLES = """
create schema sales;
create table sales.orders (
    order_id text primary key, ordered_on date not null, customer_id text not null, region text
);
create table sales.order_lines (
    line_id integer primary key, order_id text not null references sales.orders, product text,
    amount numeric(14,4) not null, quantity numeric(10,2)
);
"""
SCORES = (
    "select customer_id, customer, length_days, recency_days, frequency, monetary, lrfm_score, customer_value "
    "from customers.lrfm order by customer_id"
)


def fill(postgres: Postgres, database: str, store: Store, folder: Path, sales: Path) -> None:
    """The one file, parted over three systems."""
    with sales.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    orders = {x["Order ID"]: x for x in lines}
    with postgres.connected(database) as con, con.cursor() as cursor:
        cursor.execute(TABLES)
        with cursor.copy("copy sales.orders from stdin") as copy:
            for order, x in orders.items():
                month, day, year = x["Order Date"].split("/")
                copy.write_row((order, f"{year}-{month:0>2}-{day:0>2}", x["Customer ID"], x["Region"]))
        with cursor.copy("copy sales.order_lines from stdin") as copy:
            for x in lines:
                copy.write_row((x["Row ID"], x["Order ID"], x["Product"], x["Sales"], x["Quantity"]))
    with (folder / "costs.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["document", "kind", "line", "cost"])
        for x in lines:
            writer.writerow(
                [f"D{x['Row ID']}", "cogs", x["Row ID"], Decimal(x["Sales"]) - Decimal(x["Profit"])]
            )
    accounts = {x["Customer ID"]: f'{x["Customer ID"]},"{x["Customer"]}",{x["Industry"]}' for x in lines}
    listed = list(accounts.values())
    store.put("accounts/a.csv", "\n".join(["account,name,industry", *listed[:50]]) + "\n")
    store.put("accounts/b.csv", "\n".join(["account,name,industry", *listed[50:]]) + "\n")


@pytest.fixture(scope="module")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = saas_project(tmp_path_factory.mktemp("one"))
    run_project(folder)
    return folder


@pytest.mark.parametrize("capture", ["snapshot", pytest.param("changes", marks=pytest.mark.slow)])
def test_three_real_systems_give_the_scores_of_the_one_file(
    capture: str, one_file: Path, tmp_path: Path, postgres: Postgres, s3: Store, saas_sales: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    database = "real_systems"
    monkeypatch.setenv("SHOP_DSN", postgres.fresh_database(database))
    folder = project(tmp_path / "shop", {}, SETTINGS.replace("CAPTURE", capture))
    fill(postgres, database, s3, folder, saas_sales)

    checked = {c.name: c for c in check_sources(read_project(folder), clock=FixedClock(NOON), rows=3)}
    assert {name: c.fine for name, c in checked.items()} == dict.fromkeys(
        ("shop.orders", "shop.lines", "erp", "crm"), True
    ) | {"shop.lines": True}
    assert len(checked["crm"].rows) == 3

    run_project(folder)
    assert published(folder, SCORES) == published(one_file, SCORES)
    read = "select source, rows_read, rows_stored, amount_unexplained from curated.reconciliation order by source"
    assert published(folder, read) == [
        ("crm", 99, 99, 0),
        ("erp", 9994, 9994, 0),
        ("shop.lines", 9994, 9994, 0),
    ]

    # Nothing has changed: nothing is read, mapped or counted again.
    report = run_project(folder).report
    assert not any(one.remapped for one in report.sources.values())
    # An order comes, one is corrected, one is taken back: the next run tells just that.
    with postgres.connected(database) as con:
        con.execute("insert into sales.orders values ('N-1', '2023-12-31', '1017', 'EMEA')")
        con.execute("insert into sales.order_lines values (20001, 'N-1', 'x', 100, 1)")
        con.execute("update sales.order_lines set amount = amount + 1 where line_id = 1")
        con.execute("delete from sales.order_lines where line_id = 2")
    with (folder / "costs.csv").open("a") as out:
        out.write("D20001,cogs,20001,40\n")
    run_project(folder)
    before = published(one_file, "select revenue from insight.headline")[0][0]
    assert published(folder, "select revenue from insight.headline") == [
        (before + 100 + 1 - Decimal("731.94"),)
    ]
    assert published(folder, "select count(*) from curated.order_lines") == [(9994,)]


@pytest.mark.slow
def test_watching_brings_changes_between_runs(
    tmp_path: Path, postgres: Postgres, s3: Store, saas_sales: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = "real_systems"
    monkeypatch.setenv("SHOP_DSN", postgres.fresh_database(database))
    folder = project(tmp_path / "shop", {}, SETTINGS.replace("CAPTURE", "changes"))
    fill(postgres, database, s3, folder, saas_sales)
    run_project(folder)
    stop = threading.Event()
    seen: list[Lag] = []

    def tell(lag: Lag) -> None:
        seen.append(lag)
        if sum(one.changes for one in seen) >= 3 and lag.bytes == 0:
            stop.set()

    watcher = threading.Thread(
        target=follow, args=(read_project(folder),),
        kwargs={"clock": FixedClock(NOON), "progress": Silent(), "tell": tell, "stop": stop},
    )  # fmt: skip
    watcher.start()
    try:
        with postgres.connected(database) as con:
            con.execute("insert into sales.orders values ('N-1', '2023-12-31', '1017', 'EMEA')")
            con.execute("insert into sales.order_lines values (20001, 'N-1', 'x', 100, 1)")
            con.execute("update sales.order_lines set amount = 101 where line_id = 20001")
        watcher.join(60)
    finally:
        stop.set()
        watcher.join(60)
    assert sum(one.changes for one in seen) == 3
    with (folder / "costs.csv").open("a") as out:
        out.write("D20001,cogs,20001,40\n")
    report = run_project(folder).report
    assert report.sources["shop.lines"].remapped
    rows = "select amount::varchar, margin::varchar from curated.order_lines where line_id = '20001'"
    assert published(folder, rows) == [("101.0000", "61.0000")]
    assert Publisher(read_project(folder).data_dir).current_id()


@pytest.mark.slow
def test_a_server_that_follows_publishes_what_comes(
    tmp_path: Path, postgres: Postgres, s3: Store, saas_sales: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = "real_systems"
    monkeypatch.setenv("SHOP_DSN", postgres.fresh_database(database))
    folder = project(tmp_path / "shop", {}, SETTINGS.replace("CAPTURE", "changes"))
    fill(postgres, database, s3, folder, saas_sales)
    run_project(folder)
    before = published(folder, "select revenue from insight.headline")[0][0]
    command = [sys.executable, "-u", "-c", "from evervalue.cli import main; main()"]
    server = subprocess.Popen(
        [*command, "serve", str(folder), "--port", "0", "--watch", "10s"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        assert "Dashboard: http://127.0.0.1:" in next(line for line in server.stdout if "Dashboard" in line)
        with postgres.connected(database) as con:
            con.execute("update sales.order_lines set amount = amount + 1000 where line_id = 1")
        until = time.monotonic() + 120
        while published(folder, "select revenue from insight.headline")[0][0] != before + 1000:
            assert time.monotonic() < until, "what came was not published"
            time.sleep(1)
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
    left = subprocess.run(["pgrep", "-f", f"{folder}.*watch"], capture_output=True, text=True, check=False)
    assert not left.stdout, "the process that followed is still there"
