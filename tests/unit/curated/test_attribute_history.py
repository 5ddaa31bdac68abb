"""What is known of customers has a time: the days on which it was seen, or the loads between which it stood."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from evervalue.core.clock import FixedClock
from evervalue.core.progress import Silent
from evervalue.pipeline.run import run
from evervalue.pipeline.settings import read_project
from tests.support.projects import LINES, project, published

ASKED = (
    "select customer_id, value, valid_from::text, valid_to::text, first_seen::text, last_seen::text, line_count, "
    "is_latest from curated.customer_attributes order by customer_id, valid_from nulls last, value"
)
CRM = """
[sources.crm]
path = "crm.csv"
provides = "customers"
customer_keys = "company"
[sources.crm.columns]
customer_id = "id"
[sources.crm.attributes]
segment = "segment"
"""


def run_on(folder: Path, day: str) -> None:
    at = dt.datetime.fromisoformat(f"{day}T23:30:00+00:00")
    run(read_project(folder), clock=FixedClock(at), progress=Silent())


def rows(folder: Path) -> list[tuple[Any, ...]]:
    return published(folder, ASKED)


def test_a_value_that_comes_back_has_two_stretches(tmp_path: Path) -> None:
    lines = (
        "order,date,customer,amount,region\n"
        "1,2024-01-01,a,1,North\n2,2024-01-09,a,1,North\n3,2024-02-01,a,1,South\n4,2024-03-01,a,1,North\n"
        "5,2024-03-01,a,1,East\n6,2024-01-05,b,1,South\n"
    )
    toml = LINES + '[sources.sales.attributes]\nregion = "region"\n'
    folder = project(tmp_path, {"sales.csv": lines}, toml)
    run_on(folder, "2024-04-01")
    assert rows(folder) == [
        ("a", "North", "2024-01-01", "2024-02-01", "2024-01-01", "2024-01-09", 2, False),
        ("a", "South", "2024-02-01", "2024-03-01", "2024-02-01", "2024-02-01", 1, False),
        ("a", "North", "2024-03-01", None, "2024-03-01", "2024-03-01", 1, True),
        ("a", "East", None, None, "2024-03-01", "2024-03-01", 1, False),
        ("b", "South", "2024-01-05", None, "2024-01-05", "2024-01-05", 1, True),
    ]


def test_lists_without_dates_hold_from_load_to_load(tmp_path: Path) -> None:
    lines = "order,date,customer,amount\n1,2024-01-01,a,1\n"
    toml = LINES.replace("[sources.sales]", '[sources.sales]\ncustomer_keys = "company"') + CRM
    folder = project(tmp_path, {"sales.csv": lines, "crm.csv": "id,segment\na,gold\nb,gold\n"}, toml)
    (folder / "evervalue.toml").write_text(
        '[project]\ntime_zone = "Europe/Berlin"\n' + (folder / "evervalue.toml").read_text()
    )
    run_on(folder, "2024-04-01")
    run_on(folder, "2024-04-05")
    (folder / "crm.csv").write_text("id,segment\na,silver\nb,gold\n")
    run_on(folder, "2024-05-01")
    (folder / "crm.csv").write_text("id,segment\na,gold\n")
    run_on(folder, "2024-06-01")
    # Half past eleven in the night, UTC, is the next day in Berlin.
    assert rows(folder) == [
        ("a", "gold", "2024-04-02", "2024-05-02", None, None, 1, False),
        ("a", "silver", "2024-05-02", "2024-06-02", None, None, 1, False),
        ("a", "gold", "2024-06-02", None, None, None, 1, True),
        ("b", "gold", "2024-04-02", "2024-06-02", None, None, 2, True),
    ]
