"""What several tables seem to be: a preset's, by their columns; or tables that are looked up in one another."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import InputError
from evervalue.pipeline.start import start_project
from evervalue.sources.guess_links import Looked, base_of, keys, links, reached
from evervalue.sources.guess_presets import best_preset, preset_fits
from evervalue.warehouse.duckdb import connect
from tests.support.projects import published, run_project
from tests.support.sources import Warehouse

EXPORTS = Path(__file__).parents[2] / "data" / "exports"
SHOP = {
    "kunden.csv": "kundennummer,firma,city\nK1,Adler,Wien\nK2,Bär,Graz\nK3,Dachs,Bern\n",
    "belege.csv": "belegnr,kundennummer,datum\nB1,K1,2023-01-05\nB2,K2,2023-02-14\nB3,K1,2023-03-20\n",
    "positionen.csv": (
        "posnr,belegnr,artikelnr,menge,preis\n"
        "1,B1,A1,2,1.50\n2,B1,A2,1,4.25\n3,B2,A1,3,1.50\n4,B3,A2,1,4.25\n5,B3,A1,2,1.50\n"
    ),
    "artikel.csv": "artikelnr,bezeichnung\nA1,Schraube\nA2,Mutter\n",
    "notes.csv": "a,b\n1,2\n1,3\n",
}


def written(folder: Path, files: dict[str, str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in files]


def started(project: Path, sources: Path | Sequence[Path]) -> tuple[dict[str, Any], list[str]]:
    """The settings that were written, and what was said."""
    found = start_project(project, sources)
    return tomllib.loads(found.file.read_text("utf-8")), found.explained


@pytest.mark.parametrize(
    ("folder", "preset"),
    [
        ("northwind", "northwind"), ("chinook", "chinook"), ("salesforce", "salesforce"), ("shopify", "shopify"),
        ("stripe", "stripe"), ("stripe_dashboard", "stripe_dashboard"), ("netsuite", "netsuite"), ("odoo", "odoo"),
        ("sap", "sap_sales"), ("bank", "bank"),
    ],
)  # fmt: skip
def test_every_export_finds_its_preset(folder: str, preset: str) -> None:
    tables = {}
    for path in (EXPORTS / folder).glob("*.csv"):
        with path.open(encoding="utf-8") as file:
            tables[path.stem] = next(csv.reader(file, delimiter=";" if folder == "sap" else ","))
    fit = best_preset(tables)
    assert fit is not None
    assert (fit.name, fit.share, fit.lacking) == (preset, 1.0, [])
    others = [other for other in preset_fits(tables) if other.name != preset]
    assert all((other.share, other.found) < (fit.share, fit.found) for other in others)


def test_the_evidence_is_told_where_something_lacks(tmp_path: Path) -> None:
    tables = {"orders": ["OrderID", "CustomerID", "OrderDate"], "order_details": ["OrderID", "ProductID", "Quantity",
              "UnitPrice", "Discount"], "customers": ["CustomerID", "CompanyName"]}  # fmt: skip
    fit = best_preset(tables)
    assert fit is not None
    assert fit.sentence() == (
        "preset northwind: 10 of 11 columns that it needs are there; it lacks orders.Freight"
    )
    assert best_preset({"orders": tables["orders"]}) is None
    files = {
        f"{name}.csv": f"{','.join(columns)}\n{','.join('1' * len(columns))}\n"
        for name, columns in tables.items()
    }
    found = start_project(tmp_path, written(tmp_path / "in", files))
    settings = tomllib.loads(found.file.read_text("utf-8"))
    assert settings["sources"]["northwind"]["outputs"] == {"freight": False}
    assert "# needs orders.Freight" in found.file.read_text("utf-8")
    assert found.open_questions == []


def test_what_orders_cannot_do_without_is_asked(tmp_path: Path) -> None:
    files = {
        "orders.csv": "OrderID,CustomerID,Billed,Freight\n1,a,2024-01-05,1.00\n",
        "order_details.csv": "OrderID,ProductID,Quantity,UnitPrice,Discount\n1,p,1,2.00,0\n",
        "customers.csv": "CustomerID,CompanyName\na,Acme\n",
    }
    found = start_project(tmp_path, written(tmp_path / "in", files))
    assert found.open_questions == [
        "orders.OrderDate: the preset northwind needs it, and no column looks like it"
    ]
    assert "# DECIDE: name your own column for orders.OrderDate" in found.file.read_text("utf-8")


@pytest.mark.slow
def test_a_folder_of_northwind_becomes_a_project_that_runs(tmp_path: Path) -> None:
    settings, said = started(tmp_path, EXPORTS / "northwind")
    assert settings["sources"]["northwind"]["preset"] == "northwind"
    assert set(settings["sources"]["northwind"]["tables"]) == {
        "orders", "order_details", "customers", "products", "categories",
    }  # fmt: skip
    assert "preset northwind: 13 of 13 columns that it needs are there" in said
    text = (tmp_path / "evervalue.toml").read_text("utf-8").replace('model = "auto"', 'model = "none"')
    (tmp_path / "evervalue.toml").write_text(text, "utf-8")
    run_project(tmp_path)
    assert published(tmp_path, "select count(*), sum(frequency) from customers.lrfm where frequency > 0") == [
        (53, 100)
    ]


def test_one_export_that_a_preset_reads_whole_is_its(tmp_path: Path) -> None:
    settings, _ = started(tmp_path, next((EXPORTS / "shopify").glob("*.csv")))
    assert settings["sources"]["shopify"]["preset"] == "shopify"


def test_one_sales_file_is_guessed_at_as_before(tmp_path: Path, saas_sales: Path) -> None:
    settings, said = started(tmp_path, saas_sales)
    assert settings["sources"]["sales"]["columns"]["customer_id"] == "Customer ID"
    assert not any("preset" in sentence for sentence in said)


def test_a_folder_of_one_table_in_parts_is_one_table(tmp_path: Path) -> None:
    head = "order,date,customer,amount\n"
    written(tmp_path / "in", {f"sales_{y}.csv": f"{head}{y},{y}-01-05,c1,5\n" for y in (2022, 2023)})
    settings, _ = started(tmp_path, tmp_path / "in")
    assert settings["sources"]["sales"]["path"] == "in"
    assert settings["sources"]["sales"]["columns"]["order_id"] == "order"


def test_tables_are_looked_up_in_one_another(tmp_path: Path) -> None:
    paths = written(tmp_path / "in", SHOP)
    settings, said = started(tmp_path, paths)
    sales = settings["sources"]["sales"]
    assert {name: table["path"] for name, table in sales["tables"].items()} == {
        "positionen": "in/positionen.csv", "belege": "in/belege.csv", "artikel": "in/artikel.csv",
        "kunden": "in/kunden.csv",
    }  # fmt: skip
    lines = sales["outputs"]["lines"]
    assert lines["from"] == "positionen"
    assert lines["lookups"] == {
        "belege": {"belegnr": "belegnr"},
        "artikel": {"artikelnr": "artikelnr"},
        "kunden": {"belege.kundennummer": "kundennummer"},
    }
    assert lines["columns"] == {
        "order_id": "belegnr", "ordered_at": "belege.datum", "customer_id": "belege.kundennummer",
        "quantity": "menge", "unit_price": "preis",
    }  # fmt: skip
    assert "all 2 values of belege.kundennummer are keys of kunden, which are unique" in said
    assert "not used: notes" in said
    warehouse = Warehouse(tmp_path)
    warehouse.load_all({"sales": sales})
    assert [(o, c, str(a)) for o, c, a in warehouse.mapped("order_id, customer_id, amount")] == [
        ("B1", "K1", "3.0000"), ("B1", "K1", "4.2500"), ("B2", "K2", "4.5000"), ("B3", "K1", "4.2500"),
        ("B3", "K1", "3.0000"),
    ]  # fmt: skip


def test_parts_of_a_table_are_one_table_among_others(tmp_path: Path) -> None:
    files = {name: text for name, text in SHOP.items() if name != "belege.csv"}
    head, *rows = SHOP["belege.csv"].splitlines(keepends=True)
    files |= {"belege_1.csv": head + rows[0], "belege_2.csv": head + "".join(rows[1:])}
    settings, _ = started(tmp_path, written(tmp_path / "in", files))
    assert settings["sources"]["sales"]["tables"]["belege"]["path"] == "in/belege_*.csv"


def test_parts_that_no_pattern_names_alone_are_refused(tmp_path: Path) -> None:
    files = {"a1.csv": "x,y\n1,2\n", "b1.csv": "x,y\n3,4\n", "c.csv": "z\n5\n"}
    with pytest.raises(
        InputError, match=r"a1\.csv, b1\.csv have the same columns, and no pattern means them"
    ):
        start_project(tmp_path / "p", written(tmp_path / "in", files))


def looked(sql: dict[str, str]) -> tuple[Any, list[Looked]]:
    con = connect()
    tables = []
    for name, select in sql.items():
        con.execute(f"create table {name} as {select}")
        columns = [row[0] for row in con.execute(f"describe {name}").fetchall()]
        (rows,) = con.execute(f"select count(*) from {name}").fetchone() or (0,)
        tables.append(Looked(name, f"{name}.csv", name, tuple(columns), rows, True))
    return con, tables


def test_numbers_are_no_keys_of_every_longer_table() -> None:
    con, tables = looked({
        "orders": "select i as id, i % 3 + 1 as customer_id, i % 5 as rating from range(1, 21) t(i)",
        "customers": "select i as id, 'n' || i as name from range(1, 101) t(i)",
    })  # fmt: skip
    assert keys(con, tables[0]) == ["id"]
    found = links(con, tables)
    assert [(x.table, x.column, x.to, x.key, x.share) for x in found] == [
        ("orders", "customer_id", "customers", "id", 1.0)
    ]
    assert base_of({t.name: t for t in tables}, found) == "orders"


def test_a_column_of_which_too_few_values_are_keys_is_no_link() -> None:
    con, tables = looked({
        "orders": "select i as order_no, i % 20 as customer_id from range(1, 41) t(i)",
        "customers": "select i as customer_id from range(1, 17) t(i) union all select 100",
    })  # fmt: skip
    assert links(con, tables) == []


def test_links_are_followed_and_each_table_is_reached_once() -> None:
    con, tables = looked({
        "lines": "select i as line_id, i % 6 as order_id, i % 4 as customer_id from range(24) t(i)",
        "orders": "select i as order_id, i % 4 as customer_id from range(6) t(i)",
        "customers": "select i as customer_id, 'x' as city from range(4) t(i)",
    })  # fmt: skip
    found = reached("lines", links(con, tables))
    assert sorted((x.table, x.to) for x in found) == [("lines", "customers"), ("lines", "orders")]
