"""What a run takes over from the one before, and when it does without."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evervalue.pipeline.run import RunResult
from tests.support.projects import LINES, project, published, run_project
from tests.support.told import Told

HEAD = "order,date,customer,amount\n"


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(
    "harm", [cut, *(pytest.param(harm, marks=pytest.mark.slow) for harm in (empty, Path.unlink))]
)
def test_a_damaged_snapshot_of_the_run_before_is_done_without(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    toml = LINES.replace("sales.csv", "sales*.csv")
    rows = "".join(f"{n},2024-01-0{1 + n % 9},c{n},10\n" for n in range(30))
    folder = project(tmp_path / "shop", {"sales1.csv": HEAD + rows}, toml)
    harm(run_project(folder).snapshot.path)
    (folder / "sales2.csv").write_text(HEAD + "new,2024-01-01,c1,7\n")
    told = Told()
    run_project(folder, progress=told)
    assert "Lines taken over" not in told.steps
    assert any("is damaged or gone, so all is built anew" in warning for warning in told.warnings)
    assert published(folder, "select count(*), sum(amount)::integer from curated.order_lines") == [(31, 307)]
    (folder / "sales3.csv").write_text(HEAD + "newer,2024-01-01,c2,3\n")
    run_project(folder, progress=(again := Told()))
    assert "Lines taken over" in again.steps
    assert published(folder, "select count(*), sum(amount)::integer from curated.order_lines") == [(32, 310)]


CRM = """
[sources.crm]
path = "crm.csv"
provides = "customers"
customer_keys = "shop"
[sources.crm.columns]
customer_id = "customer"
customer_name = "name"
[sources.crm.attributes]
region = "region"
"""
NAMES = "customer,name,region\n"


def shop(folder: Path) -> Path:
    """Thirty customers of a sales folder, and a list that names them."""
    toml = LINES.replace('path = "sales.csv"', 'path = "sales*.csv"\ncustomer_keys = "shop"') + CRM
    rows = "".join(f"{n},2024-0{1 + n % 2}-{1 + n % 28:02},c{n % 30},{10 + n}\n" for n in range(90))
    names = "".join(f"c{n},Name {n},north\n" for n in range(30))
    return project(folder, {"sales1.csv": HEAD + rows, "crm.csv": NAMES + names}, toml)


def built(result: RunResult) -> set[str]:
    return {one.name for one in result.built if not one.kept}


def test_where_nothing_came_only_what_tells_of_the_run_is_built(tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop")
    before = tables(run_project(folder))
    again = run_project(folder)
    assert {name.split(".")[0] for name in built(again)} == {"raw", "run", "identity"}
    assert {name for name in built(again) if name.startswith("identity")} == {"identity.decisions"}
    assert tables(again) == before
    assert before["customers.lrfm"]
    assert not published(folder, "select 1 from run.tables where rows is null")


@pytest.mark.slow
def test_another_name_is_taken_in_and_no_order_is_counted_again(tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop")
    run_project(folder)
    file = folder / "crm.csv"
    file.write_text(file.read_text().replace("Name 7,", "Seven,"))
    again = run_project(folder)
    assert published(folder, "select customer from customers.lrfm where customer_id = 'c7'") == [("Seven",)]
    assert {"curated.customers", "customers.lrfm", "insight.customer_list"} <= built(again)
    assert not {
        "curated.orders",
        "curated.order_lines",
        "customers.purchase_totals",
        "identity.registry",
    } & built(again)


@pytest.mark.slow
def test_another_attribute_leaves_scores_as_they_are(tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop")
    run_project(folder)
    file = folder / "crm.csv"
    file.write_text(file.read_text().replace("Name 7,north", "Name 7,south"))
    again = run_project(folder)
    assert "curated.customer_attributes" in built(again)
    assert not {"customers.lrfm", "insight.hidden_gems"} & built(again)
    query = "select value from curated.customer_attributes where customer_id = 'c7' and is_latest"
    assert published(folder, query) == [("south",)]


def test_what_a_reader_should_know_is_told_by_a_run_that_took_its_tables_over_too(tmp_path: Path) -> None:
    toml = (
        LINES.replace("[sources.sales.columns]", '[sources.sales.columns]\nemail = "mail"')
        + "[identity]\nemail_limit = 3\n"
    )
    rows = "".join(f"{n},2024-01-{n:02},c{n},10,office@firm.de\n" for n in range(1, 29))
    folder = project(tmp_path, {"sales.csv": HEAD.replace("\n", ",mail\n") + rows}, toml, value=True)
    told, again = Told(), Told()
    run_project(folder, progress=told)
    assert any("no model fits" in warning for warning in told.warnings)
    assert any("link nobody" in warning for warning in told.warnings)
    assert "models.fits" not in built(run_project(folder, progress=again))
    assert again.warnings == told.warnings


@pytest.mark.parametrize("days", [("2024-01-20", "2024-02-20"), ("2024-02-20", "2024-01-20")])
def test_a_cutoff_that_moves_takes_in_and_leaves_out_orders_of_customers_who_did_not_change(
    tmp_path: Path, days: tuple[str, str]
) -> None:
    first, second = map(dt.date.fromisoformat, days)
    folder = shop(tmp_path / "shop")
    run_project(folder, as_of=first)
    (folder / "sales2.csv").write_text(HEAD + "new,2024-01-05,c1,7\n")
    told = Told()
    moved = run_project(folder, as_of=second, progress=told)
    assert "Lines taken over" in told.steps
    shutil.copytree(folder, tmp_path / "anew", ignore=shutil.ignore_patterns("evervalue-data"))
    anew = run_project(tmp_path / "anew", as_of=second)
    assert tables(moved) == tables(anew)


def test_a_file_under_another_name_is_the_same_file(tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop")
    run_project(folder)
    (folder / "sales1.csv").rename(folder / "sales9.csv")
    again = run_project(folder)
    assert "curated.order_lines" not in built(again)
    assert published(folder, "select count(*) from curated.order_lines") == [(90,)]


@pytest.mark.slow
def test_settings_that_change_leave_nothing_taken_over(tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop")
    run_project(folder)
    toml = folder / "evervalue.toml"
    toml.write_text(toml.read_text().replace("[value]", '[gems]\nrule = "top_n"\ntop_n = 3\n[value]'))
    assert all(not one.kept for one in run_project(folder).built)


@pytest.mark.slow
def test_a_full_refresh_takes_nothing_over(tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop")
    before = tables(run_project(folder))
    again = run_project(folder, full_refresh=True)
    assert all(not one.kept for one in again.built)
    after = tables(again)
    for found in (before, after):
        del found["curated.customer_attributes"]  # a row that is read twice says what it says twice
    assert after == before


def tables(result: RunResult) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every table that does not tell of the run itself."""
    con = result.snapshot.open()
    try:
        names = [one.name for one in result.built if one.name.split(".")[0] not in ("raw", "run", "mapped")]
        return {
            name: con.execute(f"from {name} order by all").fetchall()
            for name in names
            if "identity" not in name
        }
    finally:
        con.close()
