"""A shop whose sources were read on four days: one brings news, one never did again, one could not be read at last."""

from __future__ import annotations

import atexit
import datetime as dt
import functools
import shutil
import tempfile
from pathlib import Path

from evervalue.core.clock import FixedClock
from evervalue.core.progress import Silent
from evervalue.pipeline.run import run
from evervalue.pipeline.settings import read_project
from evervalue.warehouse.duckdb import connect
from evervalue.warehouse.publish import Publisher
from tests.support.projects import project

SETTINGS = """
[project]
name = "Watched shop"
currency = "EUR"

[sources.shop]
path = "in"
customer_keys = "company"
stale_after = "36h"
duplicates = "drop"
only = { column = "status", in = ["paid"] }
[sources.shop.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
amount = "amount"

[sources.market]
path = "market.csv"
customer_keys = "company"
[sources.market.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
amount = "amount"

[sources.crm]
customer_keys = "company"
stale_after = "10d"
on_failure = "skip"
[sources.crm.tables.accounts]
path = "accounts.csv"
[sources.crm.outputs.customers]
provides = "customers"
from = "accounts"
columns = { customer_id = "id", customer_name = "name" }
"""
FIRST = dt.datetime(2024, 3, 1, 6, tzinfo=dt.UTC)
LAST = FIRST + dt.timedelta(days=3)
"""When the sources were read last."""

HEAD = "order,date,customer,amount,status\n"
DAYS = {
    0: [f"{n},2024-02-{n % 28 + 1:02},c{n % 9},{10 + n}.50,paid" for n in range(1, 101)],
    1: ["101,2024-03-01,c1,many,paid", "102,2024-03-01,c2,20.25,paid", "102,2024-03-01,c2,20.25,paid"],
    3: ["103,2024-03-03,c3,30,paid", "104,2024-03-03,c4,40,open"],
}
"""Rows of the shop by day; the third day brings none."""

WATCHED = ("run.sources", "run.source_checks", "run.source_loads")
"""What runs of earlier versions did not have."""


@functools.cache
def watched_data() -> Path:
    """The data directory of the shop, published once a test session."""
    folder = project(_folder("watched"), {}, SETTINGS)
    (folder / "in").mkdir()
    (folder / "market.csv").write_text("order,date,customer,amount\nm1,2024-02-02,c1,5\n", "utf-8")
    (folder / "accounts.csv").write_text("id,name\nc1,Ada\nc2,Bo\n", "utf-8")
    for day in range(4):
        if rows := DAYS.get(day):
            (folder / "in" / f"{day}.csv").write_text(HEAD + "\n".join(rows) + "\n", "utf-8")
        if day == 3:
            (folder / "accounts.csv").write_text("ident,label\nc1,Ada\n", "utf-8")
        run(read_project(folder), clock=FixedClock(FIRST + dt.timedelta(days=day)), progress=Silent())
    return read_project(folder).data_dir


@functools.cache
def unwatched_data() -> Path:
    """The same, published as before sources were watched."""
    data = _folder("unwatched") / "data"
    shutil.copytree(watched_data(), data)
    path = Publisher(data).current().path
    path.chmod(0o644)
    con = connect(path)
    try:
        for table in WATCHED:
            con.execute(f"drop table {table}")
    finally:
        con.close()
    return data


@functools.cache
def sourceless_data() -> Path:
    """The same, published with no source at all."""
    data = _folder("sourceless") / "data"
    shutil.copytree(watched_data(), data)
    path = Publisher(data).current().path
    path.chmod(0o644)
    con = connect(path)
    try:
        for table in (*WATCHED, "curated.reconciliation"):
            con.execute(f"delete from {table}")
    finally:
        con.close()
    return data


def _folder(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"evervalue-{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
