"""Files come in once, corrections replace, copies do not count, and every row is accounted for."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from evervalue.core.errors import AmbiguousInput, EvervalueError
from evervalue.core.progress import Silent
from evervalue.sources.load import load
from evervalue.sources.settings import files_source
from tests.support.sources import COLUMNS, Warehouse

HEADER = "order,date,customer,amount\n"
ROWS = "1,2022-01-05,a,5.50\n2,2022-01-06,b,6.25\n"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


def everything(warehouse: Warehouse) -> list[list[tuple[object, ...]]]:
    tables = [
        "raw.files",
        "raw.columns",
        "raw.quarantine",
        "raw.sales",
        "mapped.order_lines",
        "mapped.source_totals",
    ]
    return [sorted(warehouse.rows(f"from {table}"), key=repr) for table in tables]


def test_the_same_file_twice_changes_nothing(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS + "3,2022-01-07,,1\n")
    first = warehouse.load()
    before = everything(warehouse)
    second = warehouse.load()
    assert everything(warehouse) == before
    assert first.sources["sales"].files_new == ["sales.csv"]
    assert second.sources["sales"].files_unchanged == ["sales.csv"]
    assert not second.changed
    assert second.sources["sales"].quarantined == {"missing_customer": 1}


def test_a_corrected_file_replaces_its_rows(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS)
    warehouse.load()
    warehouse.write(HEADER + "1,2022-01-05,a,7.50\n")
    report = warehouse.load()
    assert report.sources["sales"].files_replaced == ["sales.csv"]
    assert warehouse.mapped("customer_id, amount::text") == [("a", "7.5000")]
    assert warehouse.rows("select status, rows_read from raw.files order by status") == [
        ("loaded", 1),
        ("replaced", 2),
    ]
    assert warehouse.rows("select count(*) from raw.sales") == [(1,)]


def test_going_back_to_the_first_version(warehouse: Warehouse) -> None:
    for amount in ("1.5", "2.5", "1.5"):
        warehouse.write(HEADER + f"1,2022-01-05,a,{amount}\n")
        warehouse.load()
        assert warehouse.mapped("amount::text") == [(f"{amount}000",)]
    assert warehouse.rows("select status from raw.files order by status") == [("loaded",), ("replaced",)]


def test_a_copy_is_not_counted_twice(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS, "in/a.csv")
    warehouse.write(HEADER + ROWS, "in/b.csv")
    report = warehouse.load("in").sources["sales"]
    assert (report.rows_read, report.rows_mapped) == (2, 2)
    assert report.files_same_content == {"in/b.csv": "in/a.csv"}
    assert "in/b.csv has the same content as in/a.csv and is not counted again" in " ".join(
        report.sentences()
    )
    again = warehouse.load("in").sources["sales"]
    assert again.files_same_content == {"in/b.csv": "in/a.csv"}
    assert again.rows_read == 2


def test_a_copy_takes_over_when_its_original_changes(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS, "in/a.csv")
    warehouse.write(HEADER + ROWS, "in/b.csv")
    warehouse.load("in")
    warehouse.write(HEADER + "9,2022-02-01,z,1.5\n", "in/a.csv")
    warehouse.load("in")
    assert sorted(warehouse.mapped("customer_id")) == [("a",), ("b",), ("z",)]


def test_a_file_that_is_gone_keeps_its_rows(warehouse: Warehouse) -> None:
    gone = warehouse.write(HEADER + ROWS, "in/a.csv")
    warehouse.write(HEADER + "9,2022-02-01,z,1.5\n", "in/b.csv")
    warehouse.load("in")
    gone.unlink()
    report = warehouse.load("in").sources["sales"]
    assert report.files_kept == ["in/a.csv"]
    assert report.rows_mapped == 3


def test_the_only_file_is_gone(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS)
    warehouse.load()
    (warehouse.folder / "sales.csv").unlink()
    report = warehouse.load()
    assert report.sources["sales"].rows_mapped == 2
    assert "is not there any more; its rows are kept" in report.warnings[-1]


def test_a_file_that_the_path_does_not_mean_any_more(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS, "in/a.csv")
    warehouse.write(HEADER + "9,2022-02-01,z,1.5\n", "in/b.csv")
    warehouse.load("in")
    report = warehouse.load("in/b.csv").sources["sales"]
    assert report.files_left_out == ["in/a.csv"]
    assert warehouse.mapped("customer_id") == [("z",)]
    assert warehouse.load("in/*.csv").sources["sales"].files_new == ["in/a.csv"]


def test_a_moved_file(warehouse: Warehouse) -> None:
    old = warehouse.write(HEADER + ROWS)
    warehouse.load()
    old.rename(warehouse.folder / "orders.csv")
    assert warehouse.load("orders.csv").sources["sales"].rows_mapped == 2


def test_a_renamed_file_keeps_its_rows_and_is_then_corrected(warehouse: Warehouse) -> None:
    old = warehouse.write(HEADER + ROWS + "3,2022-01-07,,1\n", "in/a.csv")
    warehouse.load("in")
    new = old.rename(warehouse.folder / "in" / "b.csv")
    report = warehouse.load("in").sources["sales"]
    assert (report.files_renamed, report.files_kept) == ({"in/b.csv": "in/a.csv"}, [])
    assert "in/b.csv is what was read as in/a.csv, renamed" in " ".join(report.sentences())
    assert report.rows_mapped == 2
    assert warehouse.rows("select path, status from raw.files") == [("in/b.csv", "loaded")]
    assert warehouse.rows("select path from raw.quarantine") == [("in/b.csv",)]
    new.write_text(HEADER + ROWS + "3,2022-01-07,c,1\n")
    report = warehouse.load("in").sources["sales"]
    assert report.files_replaced == ["in/b.csv"]
    assert sorted(warehouse.mapped("customer_id")) == [("a",), ("b",), ("c",)]


def test_a_copy_is_the_file_when_its_original_is_gone(warehouse: Warehouse) -> None:
    old = warehouse.write(HEADER + ROWS, "in/a.csv")
    copy = warehouse.write(HEADER + ROWS, "in/b.csv")
    warehouse.load("in")
    old.unlink()
    assert warehouse.load("in").sources["sales"].files_renamed == {"in/b.csv": "in/a.csv"}
    copy.write_text(HEADER + ROWS + "3,2022-01-07,c,1\n")
    warehouse.load("in")
    assert sorted(warehouse.mapped("customer_id")) == [("a",), ("b",), ("c",)]


def test_a_file_renamed_over_another(warehouse: Warehouse) -> None:
    old = warehouse.write(HEADER + ROWS, "in/a.csv")
    other = warehouse.write(HEADER + "9,2022-02-01,z,1.5\n", "in/b.csv")
    warehouse.load("in")
    old.rename(other)
    warehouse.load("in")
    assert sorted(warehouse.mapped("customer_id")) == [("a",), ("b",)]
    other.write_text(HEADER + "1,2022-01-05,a,5.5\n")
    warehouse.load("in")
    assert warehouse.mapped("customer_id") == [("a",)]


def test_new_settings_map_anew_without_reading(warehouse: Warehouse) -> None:
    warehouse.write("order,date,customer,amount,profit\n1,2022-01-05,a,5.50,2.25\n")
    warehouse.load()
    report = warehouse.load(columns={**COLUMNS, "margin": "profit"}).sources["sales"]
    assert report.files_unchanged == ["sales.csv"]
    assert report.remapped
    assert warehouse.mapped("margin::text") == [("2.2500",)]


def test_new_reader_settings_read_anew(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + "1,2022-01-05,Zoë,5.50\n")
    warehouse.load()
    report = warehouse.load(encoding="latin-1").sources["sales"]
    assert report.files_replaced == ["sales.csv"]
    assert warehouse.mapped("customer_id") == [("ZoÃ«",)]
    assert warehouse.rows("select count(*) from raw.files") == [(1,)]


def test_full_refresh_reads_everything_again(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS)
    warehouse.load()
    before = everything(warehouse)[4:]
    report = warehouse.load(full_refresh=True)
    assert report.sources["sales"].files_replaced == ["sales.csv"]
    assert everything(warehouse)[4:] == before
    assert warehouse.rows("select distinct _run_id from raw.sales") == [("run2",)]


def test_a_source_that_left_the_settings_leaves_no_mapped_rows(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS)
    warehouse.write(HEADER + "9,2022-02-01,z,1.5\n", "more.csv")
    one = {"path": "sales.csv", "columns": COLUMNS}
    warehouse.load_all({"sales": one, "more": {"path": "more.csv", "columns": COLUMNS}})
    report = warehouse.load_all({"sales": one})
    assert report.dropped == ["more"]
    assert warehouse.rows("select distinct source from mapped.order_lines") == [("sales",)]
    assert warehouse.rows("select count(*) from raw.more") == [(1,)]


def test_a_source_that_left_and_came_back(warehouse: Warehouse) -> None:
    bad = "10,2022-02-01,,1\n11,2022-02-01,y\n"
    warehouse.write(HEADER + ROWS)
    gone = warehouse.write(HEADER + "8,2022-02-01,x,2.5\n" + bad, "more/a.csv")
    warehouse.write(HEADER + "9,2022-02-01,z,1.5\n" + bad, "more/b.csv")
    one, more = ({"path": path, "columns": COLUMNS} for path in ("sales.csv", "more"))
    warehouse.load_all({"sales": one, "more": more})
    assert len(warehouse.refused()) == 4
    assert warehouse.load_all({"sales": one}).dropped == ["more"]
    assert warehouse.load_all({"sales": one}).dropped == []
    assert warehouse.refused() == []
    assert warehouse.rows("select source, status from raw.files order by all") == [
        ("more", "left"), ("more", "left"), ("sales", "loaded"),
    ]  # fmt: skip
    gone.unlink()
    report = warehouse.load_all({"sales": one, "more": more}).sources["more"]
    assert (report.files_kept, report.files_replaced) == (["more/a.csv"], ["more/b.csv"])
    assert report.quarantined == {"missing_customer": 2, "wrong_width": 1}
    assert sorted(warehouse.mapped("customer_id")) == [("a",), ("b",), ("x",), ("z",)]


def test_a_failure_changes_nothing(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS, "in/a.csv")
    warehouse.load("in")
    before = everything(warehouse)
    warehouse.write(HEADER + "3,03/04/2022,c,1.5\n", "in/b.csv")
    with pytest.raises(AmbiguousInput):
        warehouse.load("in")
    assert everything(warehouse) == before


def test_a_file_that_is_not_there_is_an_error_where_columns_may_be_absent(warehouse: Warehouse) -> None:
    with pytest.raises(EvervalueError, match="nowhere.csv is not there"):
        warehouse.load("nowhere.csv", optional=["quantity"])


def test_an_interruption_changes_nothing(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.write(HEADER + ROWS)
    warehouse.load()
    before = everything(warehouse)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("evervalue.sources.apply._totals", interrupt)
    warehouse.write(HEADER + "9,2022-02-01,z,1.5\n")
    with pytest.raises(KeyboardInterrupt):
        warehouse.load()
    assert everything(warehouse) == before


def test_the_caller_may_own_the_transaction(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS)
    warehouse.con.execute("begin")
    load(
        warehouse.con,
        {"sales": files_source("sales", {"path": "sales.csv", "columns": COLUMNS})},
        base=warehouse.folder,
        project_currency="USD",
        time_zone="UTC",
        run_id="r",
        progress=Silent(),
        own_transaction=False,
    )
    warehouse.con.execute("rollback")
    assert warehouse.rows("select count(*) from information_schema.tables where table_schema = 'mapped'") == [
        (0,)
    ]


def test_raw_keeps_what_came(warehouse: Warehouse) -> None:
    warehouse.write('order,date,customer,amount\n" 1 ",2022-01-05," a ",5.50\n"",2022-01-06,"b\nc",6.25\n')
    warehouse.load()
    rows = warehouse.rows('select "order", customer, amount, _line, _run_id from raw.sales order by _line')
    assert rows == [(" 1 ", " a ", "5.50", 1, "run1"), ("", "b\nc", "6.25", 2, "run1")]
    assert warehouse.mapped("order_id, customer_id") == [("1", "a"), (None, "b\nc")]


def test_files_of_a_folder_may_have_other_columns_besides(warehouse: Warehouse) -> None:
    warehouse.write("order,date,customer,amount,old\n1,2022-01-05,a,5.50,x\n", "in/a.csv")
    warehouse.write("new,amount,customer,date,order\ny,6.25,b,2022-01-06,2\n", "in/b.csv")
    warehouse.load("in")
    assert warehouse.rows("select customer, old, new from raw.sales order by customer") == [
        ("a", "x", None),
        ("b", None, "y"),
    ]
    assert len(warehouse.mapped("line")) == 2


@pytest.mark.parametrize("pattern", ["in", "in/*.csv", "in/**/*.csv"])
def test_folder_and_glob(warehouse: Warehouse, pattern: str) -> None:
    warehouse.write(HEADER + "1,2022-01-05,a,5.5\n", "in/a.csv")
    warehouse.write(HEADER + "2,2022-01-05,b,5.5\n", "in/b.csv")
    warehouse.write("not data", "in/notes.md")
    assert warehouse.load(pattern).sources["sales"].rows_mapped == 2


def test_what_is_not_read_in_a_folder_is_named(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS, "in/a.csv")
    assert warehouse.load("in").warnings == []
    warehouse.write(HEADER + "3,2022-01-07,c,1\n", "in/b.txt")
    assert "1 entry of the folder in is not read: b.txt." in warehouse.load("in").warnings[0]
    warehouse.write(HEADER + "4,2022-01-07,d,1\n", "in/older/c.csv")
    warehouse.write("x", "in/.hidden")
    assert "2 entries of the folder in are not read: b.txt, older/." in warehouse.load("in").warnings[0]
    assert warehouse.load("in/*.txt").warnings == []


def test_the_same_content_in_two_sources(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS, "a.csv")
    warehouse.write(HEADER + ROWS, "b.csv")
    one, two = ({"path": path, "columns": COLUMNS} for path in ("a.csv", "b.csv"))
    costs = {"path": "b.csv", "provides": "costs", "columns": {"product_id": "order", "unit_cost": "amount"}}
    assert warehouse.load_all({"one": one, "costs": costs}).warnings == []
    report = warehouse.load_all({"one": one, "two": two, "costs": costs})
    assert len(report.warnings) == 1
    assert "sources.two: b.csv has the same content as a.csv of sources.one" in report.warnings[0]
    assert len(warehouse.mapped("line")) == 4


def test_lines_are_numbered_in_the_order_of_the_file(warehouse: Warehouse) -> None:
    warehouse.con.execute("set preserve_insertion_order = false")
    warehouse.con.execute("set threads = 4")
    filler = "x" * 90
    warehouse.write(HEADER + "".join(f"{i},2022-01-05,c{filler},1.5\n" for i in range(1, 200_001)))
    warehouse.load()
    assert warehouse.rows('select count(*) from raw.sales where "order" <> _line::text') == [(0,)]


def test_progress_tells_of_files(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS)
    told: list[str] = []

    class Listening(Silent):
        def step(self, says: str, *, detail: str = "") -> None:
            told.append(f"{says} {detail}")

    load(
        warehouse.con,
        {"sales": files_source("sales", {"path": "sales.csv", "columns": COLUMNS})},
        base=warehouse.folder,
        project_currency="USD",
        time_zone="UTC",
        run_id="r",
        progress=Listening(),
    )
    assert "Read sales.csv 2 rows" in told


def test_rows_read_of_a_packed_and_quoted_file_equal_a_count_by_hand(warehouse: Warehouse) -> None:
    lines = [f'{i},2022-01-05,"c{i}, ""quoted""\nsecond line",1.5\n' for i in range(500)]
    warehouse.write(gzip.compress((HEADER + "\n".join(lines) + "\n\n").encode()), "sales.csv.gz")
    assert warehouse.load("sales.csv.gz").sources["sales"].rows_read == 500


def test_customer_attributes_keep_their_history(warehouse: Warehouse) -> None:
    warehouse.write(
        "order,date,customer,amount,segment\n1,2022-01-05,a,5.5,small\n2,2022-03-01,a,5.5,large\n3,2022-02-01,a,5.5,small\n4,2022-02-01,b,5.5,\n"
    )
    warehouse.load(attributes={"segment": "segment"})
    assert warehouse.rows(
        "select customer_id, value, first_seen::text, last_seen::text, line_count from "
        "mapped.customer_attributes order by value"
    ) == [
        ("a", "large", "2022-03-01", "2022-03-01", 1),
        ("a", "small", "2022-01-05", "2022-02-01", 2),
    ]


def test_attributes_that_stand_for_nothing(warehouse: Warehouse) -> None:
    warehouse.write(
        "order,date,customer,amount,segment\n1,2022-01-05,a,5.5,NULL\n2,2022-03-01,a,5.5, N/A \n"
        "3,2022-02-01,b,5.5,small\n"
    )
    warehouse.load(attributes={"segment": "segment"})
    assert warehouse.rows("select customer_id, value from mapped.customer_attributes") == [("b", "small")]
    warehouse.load(attributes={"segment": "segment"}, missing=("small",))
    assert sorted(warehouse.rows("select value from mapped.customer_attributes")) == [("N/A",), ("NULL",)]


def test_sources_of_customers_costs_and_rates(warehouse: Warehouse) -> None:
    warehouse.write("id,name,city\n1,Ann,Rome\n,Bob,Oslo\n", "customers.csv")
    warehouse.write(
        "sku,cost,from\nA,1.123456789,2022-01-01\nB,-3.5,2022-01-01\nC,,2022-01-01\n", "costs.csv"
    )
    warehouse.write("day,from,to,rate\n2022-01-01,eur,USD,1.13\n2022-01-02,EUR,USD,0\n", "rates.csv")
    warehouse.load_all(
        {
            "people": {
                "path": "customers.csv",
                "provides": "customers",
                "columns": {"customer_id": "id", "customer_name": "name"},
                "attributes": {"city": "city"},
            },
            "costs": {
                "path": "costs.csv",
                "provides": "costs",
                "columns": {"product_id": "sku", "unit_cost": "cost", "valid_from": "from"},
            },
            "fx": {
                "path": "rates.csv",
                "provides": "rates",
                "columns": {"rate_date": "day", "from_currency": "from", "to_currency": "to", "rate": "rate"},
            },
        }
    )
    assert warehouse.rows("select customer_id, customer_name from mapped.customers") == [("1", "Ann")]
    assert warehouse.rows("select attribute, value, first_seen from mapped.customer_attributes") == [
        ("city", "Rome", None)
    ]
    assert warehouse.rows(
        "select product_id, unit_cost::text, currency, valid_from::text from mapped.costs"
    ) == [("A", "1.1234567890", "USD", "2022-01-01")]
    assert warehouse.rows("select from_currency, rate::text from mapped.rates") == [("EUR", "1.1300000000")]
    assert warehouse.rows("select source, reason from raw.quarantine order by source, line") == [
        ("costs", "bad_unit_cost"), ("costs", "missing_unit_cost"), ("fx", "bad_rate"), ("people", "missing_customer"),
    ]  # fmt: skip
    assert warehouse.rows("select source, rows_read, rows_mapped, rows_quarantined from "
                          "mapped.source_totals order by source") == [
        ("costs", 3, 1, 2), ("fx", 2, 1, 1), ("people", 2, 1, 1),
    ]  # fmt: skip


def test_every_error_is_one_of_ours(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROWS)
    with pytest.raises(EvervalueError):
        warehouse.load(columns={**COLUMNS, "amount": "customer"})
