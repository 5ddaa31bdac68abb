"""Rows that an output of several tables refuses: listed, written out as their table has them, mended, taken back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from evervalue.core.clock import FixedClock
from evervalue.core.errors import InputError
from evervalue.core.progress import Silent
from evervalue.pipeline.settings import read_project
from evervalue.pipeline.warehouse_view import replay_rows, warehouse
from evervalue.sources import quarantine
from tests.support.projects import NOON, project, published, run_project

SETTINGS = """
[sources.shop.tables.orders]
path = "orders.csv"
[sources.shop.tables.lines]
path = "lines*.csv"
[sources.shop.outputs.sales]
from = "lines"
lookups.orders = { order = "id" }
[sources.shop.outputs.sales.columns]
line_id = "line"
order_id = "order"
ordered_at = "orders.date"
customer_id = "orders.customer"
amount = "amount"
"""
ORDERS = "id,date,customer\n1,2024-01-01,a\n2,2024-01-02,b\n"
LINES = "line,order,amount\n1,1,10\n2,1,much\n3,2,30\n3,2,31\n4,9,5\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = project(tmp_path / "shop", {"orders.csv": ORDERS, "lines.csv": LINES}, SETTINGS)
    run_project(folder)
    return folder


def test_refused_rows_go_out_and_come_back(shop: Path, tmp_path: Path) -> None:
    with warehouse(read_project(shop)) as con:
        groups = {(g.source, g.reason): g.rows for g in quarantine.groups(con)}
        assert groups == {
            ("shop.sales", "conflicting_line"): 2,
            ("shop.sales", "bad_number"): 1,
            ("shop.sales", "no_match"): 1,
        }
        assert quarantine.export(con, tmp_path / "mend.csv", "shop.sales") == 4
    with (tmp_path / "mend.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:3] == ["line", "order", "amount"]
    for row in rows:
        row["amount"] = row["amount"].replace("much", "20")
        row["order"] = row["order"].replace("9", "2")
        row["line"] = "5" if row["amount"] == "31" else row["line"]
    with (tmp_path / "mend.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    done = replay_rows(
        read_project(shop), "shop.sales", tmp_path / "mend.csv", clock=FixedClock(NOON), progress=Silent()
    )
    assert (done.rows, done.left, done.stayed) == (3, 3, {})
    run_project(shop)
    lines = published(shop, "select line_id, amount::integer from curated.order_lines order by 1")
    assert lines == [("1", 10), ("2", 20), ("3", 30), ("4", 5), ("5", 31)]
    # The file is read again, and the rows stay mended.
    run_project(shop, full_refresh=True)
    assert published(shop, "select line_id, amount::integer from curated.order_lines order by 1") == lines


def test_what_is_looked_up_in_a_mended_row_is_mended_too(tmp_path: Path) -> None:
    fees = """
[sources.shop.outputs.fees]
from = "orders"
columns = { order_id = "id", ordered_at = "date", customer_id = "customer", amount = "fee" }
"""
    files = {"orders.csv": "id,date,customer,fee\n1,2024-01-01,a,1\n2,2024-01-02,b,x\n", "lines.csv": LINES}
    shop = project(tmp_path / "shop", files, SETTINGS + fees)
    run_project(shop)
    with warehouse(read_project(shop)) as con:
        quarantine.export(con, tmp_path / "mend.csv", "shop.fees")
    mended = (tmp_path / "mend.csv").read_text().replace("2,2024-01-02,b,x", "2,2024-01-02,bert,2")
    (tmp_path / "mend.csv").write_text(mended)
    replay_rows(
        read_project(shop), "shop.fees", tmp_path / "mend.csv", clock=FixedClock(NOON), progress=Silent()
    )
    run_project(shop)
    customers = (
        "select distinct source, customer_id from mapped.order_lines where order_id = '2' order by all"
    )
    with warehouse(read_project(shop)) as con:
        assert con.execute(customers).fetchall() == [("shop.fees", "bert"), ("shop.sales", "bert")]


def test_a_name_that_no_source_has_is_told(shop: Path, tmp_path: Path) -> None:
    with (
        warehouse(read_project(shop)) as con,
        pytest.raises(InputError, match="There is no source 'shop.sale' .did you"),
    ):
        quarantine.export(con, tmp_path / "mend.csv", "shop.sale")
    with pytest.raises(InputError, match="There is no source 'shops'"):
        replay_rows(
            read_project(shop), "shops", tmp_path / "x.csv", clock=FixedClock(NOON), progress=Silent()
        )
