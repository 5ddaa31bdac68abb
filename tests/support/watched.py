"""A shop whose sources were read on four days: one brings news, one never did again, one could not be read at last."""

from __future__ import annotations

import atexit
import datetime as dt
import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from evervalue.core.clock import FixedClock
from evervalue.core.progress import Silent
from evervalue.pipeline.run import run
from evervalue.pipeline.settings import read_project
from evervalue.sources.changes.standing import FOLDER, Standing, write
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


FOLLOWED = """
[project]
name = "Followed shop"
currency = "EUR"

[sources.shop]
path = "shop.csv"
customer_keys = "company"
stale_after = "2h"
[sources.shop.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
amount = "amount"

[sources.erp]
customer_keys = "company"
[sources.erp.tables.customers]
path = "accounts.csv"
[sources.erp.outputs.customers]
provides = "customers"
from = "customers"
columns = { customer_id = "id", customer_name = "name" }

[sources.market]
path = "market.csv"
customer_keys = "company"
[sources.market.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
amount = "amount"

[sources.returns]
kind = "changes"
format = "debezium"
customer_keys = "company"
[sources.returns.tables.refunds]
path = "refunds/*.json"
key = ["id"]
[sources.returns.outputs.lines]
provides = "order_lines"
from = "refunds"
columns = { order_id = "id", ordered_at = "day", customer_id = "customer", amount = "amount" }
"""


@functools.cache
def followed_data() -> Path:
    """The data directory of a shop with databases that are followed, and files of changes, read at `LAST`.

    The databases are files here: what a run notes of a database, and what who follows it says, is written in.
    """
    folder = project(_folder("followed"), {}, FOLLOWED)
    (folder / "shop.csv").write_text("order,date,customer,amount\n" + "".join(
        f"{n},2024-02-{n % 28 + 1:02},c{n % 9},{10 + n}.50\n" for n in range(1, 101)
    ), "utf-8")  # fmt: skip
    (folder / "market.csv").write_text("order,date,customer,amount\nm1,2024-02-02,c1,5\n", "utf-8")
    (folder / "accounts.csv").write_text("id,name\nc1,Ada\nc2,Bo\n", "utf-8")
    (folder / "refunds").mkdir()
    committed = int((LAST - dt.timedelta(minutes=40)).timestamp() * 1000)
    (folder / "refunds" / "1.json").write_text(json.dumps({
        "op": "c", "before": None, "after": {"id": "r1", "day": "2024-02-03", "customer": "c1", "amount": "-5"},
        "source": {"lsn": 7, "ts_ms": committed},
    }) + "\n", "utf-8")  # fmt: skip
    run(read_project(folder), clock=FixedClock(LAST), progress=Silent())
    data = read_project(folder).data_dir
    path = Publisher(data).current().path
    path.chmod(0o644)
    con = connect(path)
    try:
        for system, kind, place in (
            ("shop", "postgres", "public.orders"),
            ("erp", "mysql", "erp.customers"),
            ("market", "postgres", "market.orders"),
        ):
            con.execute(
                f"update run.sources set kind = '{kind}', place = '{place}', behind_seconds = 0.0 "
                f"where system = '{system}'"
            )
    finally:
        con.close()
    return data


def say(data: Path, system: str, state: Any = "following", *, told: dt.datetime, **more: Any) -> None:
    """Write what who follows a system says of itself at the instant `told`."""
    plain: dict[str, Any] = {
        name: value.replace(tzinfo=None) if isinstance(value, dt.datetime) else value
        for name, value in {"since": told, "asked_at": told, "behind_seconds": 0.0, **more}.items()
    }
    write(data / FOLDER, Standing(system, state, told.replace(tzinfo=None), **plain))


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
