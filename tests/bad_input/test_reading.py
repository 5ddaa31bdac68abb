"""Bad files and bad cells: one clear paragraph or a row in quarantine, never a loss."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import (
    AmbiguousInput,
    EvervalueError,
    InputError,
    MissingColumns,
    SettingsError,
    StorageError,
)
from evervalue.sources.settings import files_source
from tests.support.sources import COLUMNS, Warehouse

HEADER = "order,date,customer,amount\n"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


def column(*cells: str, dates: bool = False) -> str:
    """A file whose amounts (or dates) are `cells`."""
    rows = (f'{i},"{c}",c{i},5' if dates else f'{i},2022-01-05,c{i},"{c}"' for i, c in enumerate(cells))
    return HEADER + "\n".join(rows) + "\n"


def one_paragraph(error: EvervalueError) -> str:
    text = str(error)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def test_empty_file(warehouse: Warehouse) -> None:
    warehouse.write("")
    with pytest.raises(InputError, match=r"sales\.csv is empty \(0 bytes\)") as caught:
        warehouse.load()
    one_paragraph(caught.value)


def test_only_blank_lines(warehouse: Warehouse) -> None:
    warehouse.write("\n\n \n")
    with pytest.raises(InputError, match="nothing but blank lines"):
        warehouse.load()


def test_header_only(warehouse: Warehouse) -> None:
    warehouse.write(HEADER)
    with pytest.raises(InputError, match="a header and no rows"):
        warehouse.load()


def test_header_only_leaves_nothing_behind(warehouse: Warehouse) -> None:
    warehouse.write(column("5"))
    warehouse.load()
    warehouse.write(HEADER)
    with pytest.raises(InputError):
        warehouse.load()
    assert warehouse.mapped("amount::text") == [("5.0000",)]


def test_one_row(warehouse: Warehouse) -> None:
    warehouse.write(column("12.5"))
    assert warehouse.load().sources["sales"].rows_mapped == 1


def test_missing_column_offers_the_nearest(warehouse: Warehouse) -> None:
    warehouse.write("order,date,client,ammount\n1,2022-01-05,a,5\n")
    with pytest.raises(MissingColumns) as caught:
        warehouse.load()
    text = one_paragraph(caught.value)
    assert "'amount' (columns.amount)" in text
    assert "did you mean 'ammount'?" in text
    assert "'customer' (columns.customer_id)" in text
    assert "[sources.sales.columns]" in text


def test_renamed_column_in_one_file_of_a_folder(warehouse: Warehouse) -> None:
    warehouse.write(column("5"), "in/a.csv")
    warehouse.write("order,date,customer,Amounts\n1,2022-01-05,a,5\n", "in/b.csv")
    with pytest.raises(
        MissingColumns,
        match=r"in/b.csv lacks the column 'amount' \(columns.amount\) \(did you mean 'Amounts'\?\)",
    ):
        warehouse.load("in")


def test_duplicate_header_names(warehouse: Warehouse) -> None:
    warehouse.write("order,date,customer,amount,Amount\n1,2022-01-05,a,5,6\n")
    with pytest.raises(InputError, match="two columns called 'amount' and 'Amount'"):
        warehouse.load()


def test_missing_file_offers_the_nearest(warehouse: Warehouse) -> None:
    warehouse.write(column("5"), "sales_2022.csv")
    with pytest.raises(InputError, match="did you mean 'sales_2022.csv'"):
        warehouse.load("sales_202.csv")


def test_folder_without_data(warehouse: Warehouse) -> None:
    warehouse.write("hello", "in/readme.md")
    with pytest.raises(InputError, match="holds no data file"):
        warehouse.load("in")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_folder(warehouse: Warehouse) -> None:
    folder = warehouse.write(column("5"), "in/a.csv").parent
    folder.chmod(0)
    try:
        with pytest.raises(InputError, match="cannot be read"):
            warehouse.load("in")
    finally:
        folder.chmod(0o700)


def test_unreadable_folder_as_the_system_reports_it(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.write(column("5"), "in/a.csv")

    def refuse(self: Path) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(
        InputError, match=r"in cannot be read \(permission denied\). Give this user the right"
    ):
        warehouse.load("in")


def test_truncated_gz(warehouse: Warehouse) -> None:
    packed = gzip.compress(column(*["12.5"] * 5000).encode())
    warehouse.write(packed[: len(packed) // 2], "sales.csv.gz")
    with pytest.raises(InputError, match="cannot be unpacked.*cut off") as caught:
        warehouse.load("sales.csv.gz")
    one_paragraph(caught.value)


def test_gz_that_is_none(warehouse: Warehouse) -> None:
    warehouse.write(column("5"), "sales.csv.gz")
    with pytest.raises(InputError, match="cannot be unpacked"):
        warehouse.load("sales.csv.gz")


def test_damaged_parquet(warehouse: Warehouse) -> None:
    warehouse.write(b"PAR1 and nothing more", "sales.parquet")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        warehouse.load("sales.parquet")


def test_damaged_workbook(warehouse: Warehouse) -> None:
    warehouse.write(b"PK\x03\x04 and nothing more", "sales.xlsx")
    with pytest.raises(InputError, match="cannot be read as a workbook"):
        warehouse.load("sales.xlsx")


def test_full_disk_while_unpacking(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.write(gzip.compress(column("5.5").encode()), "sales.csv.gz")

    plain_open = Path.open

    def full(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if mode == "wb":
            raise OSError(errno.ENOSPC, "No space left on device")
        return plain_open(self, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StorageError, match="The disk is full: sales.csv.gz needs room"):
        warehouse.load("sales.csv.gz")


# Rows that cannot be read


def test_wrong_width_goes_to_quarantine(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + "1,2022-01-05,a,5\n2,2022-01-05,b\n3,2022-01-05,c,7,8\n4,2022-01-05,d,9\n")
    report = warehouse.load().sources["sales"]
    assert (report.rows_read, report.rows_mapped) == (4, 2)
    assert warehouse.refused() == [(2, "wrong_width"), (3, "wrong_width")]
    says = warehouse.rows("select says, row_json from raw.quarantine order by line")
    assert says[0] == ("the row has 3 fields, the header has 4", '["2", "2022-01-05", "b"]')
    assert warehouse.mapped("line, customer_id") == [(1, "a"), (4, "d")]


def test_every_row_of_wrong_width_names_the_delimiter(warehouse: Warehouse) -> None:
    warehouse.write("order,date,customer,amount\n1;2022-01-05;a;5\n2;2022-01-05;a;5\n")
    with pytest.raises(InputError, match="none of the 2 rows has.*setting `delimiter`"):
        warehouse.load()


def test_trailing_empty_field_is_taken(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + "1,2022-01-05,a,5,\n2,2022-01-05,b,6\n")
    assert warehouse.load().sources["sales"].rows_mapped == 2


def test_nul_bytes(warehouse: Warehouse) -> None:
    warehouse.write(b"order,date,customer,amount\n1,2022-01-05,a\0b,5\n2,2022-01-05,c,6\n")
    warehouse.load()
    assert warehouse.refused() == [(1, "nul_bytes")]
    assert "a\\\\x00b" in warehouse.rows("select row_json from raw.quarantine")[0][0]


def test_ten_megabyte_field(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + "1,2022-01-05," + "x" * 10_000_000 + ",5\n2,2022-01-05,c,6\n")
    warehouse.load()
    assert warehouse.refused() == [(1, "field_too_long")]
    assert warehouse.mapped("customer_id") == [("c",)]
    kept = warehouse.rows("select length(cell), length(row_json) from raw.quarantine")[0]
    assert kept[0] == 200
    assert kept[1] > 10_000_000


def test_unclosed_quote_costs_its_own_line_only(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + '1,2022-01-05,"a,5\n2,2022-01-05,b,6\n3,2022-01-05,c,7\n')
    warehouse.load()
    assert warehouse.refused() == [(1, "unclosed_quote")]
    assert warehouse.mapped("customer_id") == [("b",), ("c",)]


def test_text_behind_a_quote(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + '1,2022-01-05,"a"x,5\n2,2022-01-05,b,6\n')
    warehouse.load()
    assert warehouse.refused() == [(1, "bad_quotes")]


def test_quote_inside_an_unquoted_field_is_a_character(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + '1,2022-01-05,5" pipe,5\n2,2022-01-05,b,6\n')
    warehouse.load()
    assert warehouse.mapped("customer_id") == [('5" pipe',), ("b",)]


def test_latin_1(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + "1,2022-01-05,Café Zürich,5\n", encoding="latin-1")
    warehouse.load()
    assert warehouse.mapped("customer_id") == [("Café Zürich",)]
    assert warehouse.rows("select encoding from raw.files") == [("cp1252",)]


def test_damaged_bytes_in_utf_8(warehouse: Warehouse) -> None:
    good = "".join(f"{i},2022-01-05,Zürich,5\n" for i in range(5)).encode()
    warehouse.write(HEADER.encode() + good + b"9,2022-01-05,Z\xfcrich,5\n")
    warehouse.load()
    assert warehouse.refused() == [(6, "invalid_bytes")]
    assert "Z\\xfcrich" in warehouse.rows("select cell from raw.quarantine")[0][0]


def test_bad_json_line(warehouse: Warehouse) -> None:
    good = '{"order": 1, "date": "2022-01-05", "customer": "a", "amount": 5}\n'
    warehouse.write(good + '{"order": 2, "date"\n[1, 2]\n', "sales.jsonl")
    warehouse.load("sales.jsonl")
    assert warehouse.refused() == [(2, "bad_json"), (3, "bad_json")]


# Dates


def test_day_and_month_cannot_be_told_apart(warehouse: Warehouse) -> None:
    warehouse.write(column("03/04/2022", "05/06/2022", dates=True))
    with pytest.raises(AmbiguousInput) as caught:
        warehouse.load()
    text = one_paragraph(caught.value)
    for part in (
        "'date' (ordered_at)",
        "'03/04/2022', '05/06/2022'",
        "day first or month first",
        "date_format",
        "--date-format",
    ):
        assert part in text


@pytest.mark.parametrize(("date_format", "day"), [("%d/%m/%Y", "2022-04-03"), ("%m/%d/%Y", "2022-03-04")])
def test_the_setting_decides(warehouse: Warehouse, date_format: str, day: str) -> None:
    warehouse.write(column("03/04/2022", dates=True))
    warehouse.load(date_format=date_format)
    assert warehouse.mapped("order_date::text") == [(day,)]


def test_short_years_may_come_first(warehouse: Warehouse) -> None:
    warehouse.write(column("13-01-22", dates=True))
    with pytest.raises(AmbiguousInput, match="day first or year first"):
        warehouse.load()


def test_mixed_date_formats_are_refused(warehouse: Warehouse) -> None:
    warehouse.write(column("13/01/2022", "01/14/2022", "02/03/2022", dates=True))
    with pytest.raises(
        AmbiguousInput, match="mixes two ways of writing dates: '(01/14|13/01)/2022', '(01/14|13/01)/2022'"
    ):
        warehouse.load()


def test_mixed_date_formats_with_the_setting(warehouse: Warehouse) -> None:
    warehouse.write(column("13/01/2022", "01/14/2022", "02/03/2022", dates=True))
    warehouse.load(date_format="%d/%m/%Y")
    assert warehouse.refused() == [(2, "bad_date")]
    assert warehouse.mapped("order_date::text") == [("2022-01-13",), ("2022-03-02",)]


def test_days_that_read_the_same_both_ways_are_no_doubt(warehouse: Warehouse) -> None:
    warehouse.write(column("05/05/2022", "06/06/2022", dates=True))
    warehouse.load()
    assert warehouse.mapped("order_date::text") == [("2022-05-05",), ("2022-06-06",)]


@pytest.mark.parametrize("cell", ["1066-10-14", "9999-12-31", "0001-01-01"])
def test_absurd_dates(warehouse: Warehouse, cell: str) -> None:
    warehouse.write(column("2022-01-05", cell, dates=True))
    warehouse.load()
    assert warehouse.refused() == [(2, "absurd_date")]


@pytest.mark.parametrize("cell", ["2022-02-30", "2022-13-01", "soon", "0000-00-00"])
def test_days_that_do_not_exist(warehouse: Warehouse, cell: str) -> None:
    warehouse.write(column("2022-01-05", cell, dates=True))
    warehouse.load()
    assert warehouse.refused() == [(2, "bad_date")]


def test_missing_date(warehouse: Warehouse) -> None:
    warehouse.write(column("2022-01-05", "", "NULL", dates=True))
    warehouse.load()
    assert warehouse.refused() == [(2, "missing_date"), (3, "missing_date")]


def test_a_column_without_a_date_is_the_wrong_column(warehouse: Warehouse) -> None:
    warehouse.write(column("red", "green", "blue", dates=True))
    with pytest.raises(InputError, match="not one of the 3 cells in column 'date'.*'blue', 'red'"):
        warehouse.load()


# Numbers


@pytest.mark.parametrize(
    "cells",
    [
        ("103.086.297",),
        ("1.234,56", "1,234.56"),
        ("1.234",),
        ("1,234", "2,500"),
        ("103.086.297", "50.5"),
        ("12,5", "12.5"),
    ],
)
def test_ambiguous_numbers_are_refused(warehouse: Warehouse, cells: tuple[str, ...]) -> None:
    warehouse.write(column(*cells))
    with pytest.raises(AmbiguousInput) as caught:
        warehouse.load()
    text = one_paragraph(caught.value)
    assert f"'{cells[0]}'" in text
    for part in ("'amount' (amount)", "decimal = ", "--decimal", "[sources.sales]"):
        assert part in text


@pytest.mark.parametrize(
    ("cells", "decimal", "amounts", "refused"),
    [
        (("103.086.297",), ",", ["103086297.0000"], []),
        (("1.234,56", "1,234.56"), ",", ["1234.5600"], [2]),
        (("1.234,56", "1,234.56"), ".", ["1234.5600"], [1]),
        (("1.234",), ".", ["1.2340"], []),
        (("1.234",), ",", ["1234.0000"], []),
        (("103.086.297", "50.5"), ".", ["50.5000"], [1]),
    ],
)
def test_the_setting_decides_numbers(
    warehouse: Warehouse, cells: tuple[str, ...], decimal: str, amounts: list[str], refused: list[int]
) -> None:
    warehouse.write(column(*cells))
    warehouse.load(decimal=decimal)
    assert [a for (a,) in warehouse.mapped("amount::text")] == amounts
    assert warehouse.refused() == [(line, "bad_number") for line in refused]


@pytest.mark.parametrize("cell", ["NaN", "inf", "-Infinity", "nan"])
def test_not_finite(warehouse: Warehouse, cell: str) -> None:
    warehouse.write(column("5.50", cell))
    warehouse.load()
    assert warehouse.refused() == [(2, "not_finite")]


def test_not_finite_in_parquet(warehouse: Warehouse) -> None:
    target = warehouse.folder / "sales.parquet"
    warehouse.con.execute(
        "copy (select * from (values ('1', date '2022-01-05', 'a', 5.5::double), ('2', date '2022-01-05', "
        "'b', 'nan'::double), "
        f"('3', date '2022-01-05', 'c', '-inf'::double)) as t(\"order\", date, customer, amount)) to '{target}'"
    )
    warehouse.load("sales.parquet")
    assert warehouse.refused() == [(2, "not_finite"), (3, "not_finite")]


def test_too_large(warehouse: Warehouse) -> None:
    warehouse.write(column("5.50", "123456789012345.00"))
    warehouse.load()
    assert warehouse.refused() == [(2, "too_large")]
    totals = warehouse.rows(
        "select amount_read::text, amount_mapped::text, amount_quarantined::text from mapped.source_totals"
    )
    assert totals == [("123456789012350.5000", "5.5000", "123456789012345.0000")]


@pytest.mark.parametrize("cell", ["five", "1,2,3.5", "1_000", "--5", "12 kg", "0x1F"])
def test_bad_numbers(warehouse: Warehouse, cell: str) -> None:
    warehouse.write(column("5.50", cell))
    warehouse.load()
    assert warehouse.refused() == [(2, "bad_number")]


def test_missing_amount_and_customer(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + "1,2022-01-05,a,\n2,2022-01-05,,7\n3,2022-01-05,c,9\n,,,\n")
    warehouse.load()
    assert warehouse.refused() == [(1, "missing_amount"), (2, "missing_customer"), (4, "empty_row")]
    money = warehouse.rows("select amount_read::text, amount_quarantined::text from mapped.source_totals")
    assert money == [("16.0000", "7.0000")]


def test_negative_and_zero_money_are_ordinary_rows(warehouse: Warehouse) -> None:
    warehouse.write(column("-5", "0", "(12.50)", "3-", "7"))
    warehouse.load()
    assert warehouse.mapped("amount::text, kind") == [
        ("-5.0000", "return"), ("0.0000", "sale"), ("-12.5000", "return"), ("-3.0000", "return"), ("7.0000", "sale"),
    ]  # fmt: skip


def test_duplicate_lines_are_kept_and_warned_about(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + "1,2022-01-05,a,5\n1,2022-01-05,a,5\n")
    report = warehouse.load()
    assert report.sources["sales"].rows_mapped == 2
    assert "1 lines repeat another line" in report.warnings[0]


def test_two_currencies_in_one_column(warehouse: Warehouse) -> None:
    warehouse.write(column("$5.50", "€7.25"))
    with pytest.raises(AmbiguousInput, match="several currencies"):
        warehouse.load()


def test_a_currency_that_is_not_the_one_set(warehouse: Warehouse) -> None:
    warehouse.write(column("€5.50", "€7.25"))
    with pytest.raises(AmbiguousInput, match='Set currency = "EUR"'):
        warehouse.load()
    warehouse.load(currency="EUR")
    assert warehouse.mapped("amount::text, currency") == [("5.5000", "EUR"), ("7.2500", "EUR")]


# Settings


@pytest.mark.parametrize(
    ("values", "phrases"),
    [
        (
            {"pth": "x"},
            ["sources.sales.pth is not a setting (did you mean 'path'?)", "sources.sales.path is missing"],
        ),
        (
            {"path": "x", "columns": {"amonut": "a"}},
            ["columns.amonut is not a field", "did you mean 'amount'?"],
        ),
        ({"path": "x", "columns": {"amount": "a"}}, ["lacks ordered_at and customer_id or customer_name"]),
        ({"path": "x", "columns": COLUMNS, "time_zone": "Europe/Berlim"}, ["did you mean 'Europe/Berlin'?"]),
        ({"path": "x", "columns": COLUMNS, "encoding": "utf-9"}, ["'utf-9' is not an encoding"]),
        ({"path": "x", "columns": COLUMNS, "currency": "Euro"}, ["three-letter currency code"]),
        ({"path": "x", "columns": COLUMNS, "decimal": ";"}, ["sources.sales.decimal"]),
        ({"path": "x", "columns": COLUMNS, "date_format": "dd/mm/yyyy"}, ["no % parts", "%d/%m/%Y"]),
        (
            {"path": "x", "columns": COLUMNS, "kinds": {"retrun": {"column": "a", "below": 0}}},
            ["did you mean 'return'?"],
        ),
        (
            {"path": "x", "columns": COLUMNS, "kinds": {"return": {"column": "a"}}},
            ["exactly one of equals, in"],
        ),
    ],
)
def test_settings_that_make_no_sense(values: dict[str, Any], phrases: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        files_source("sales", values)
    text = one_paragraph(caught.value)
    for phrase in phrases:
        assert phrase in text


@pytest.mark.parametrize("name", ["Sales", "files", "2022", "a b"])
def test_names_that_a_source_cannot_have(name: str) -> None:
    with pytest.raises(SettingsError, match="cannot be called"):
        files_source(name, {"path": "x", "columns": COLUMNS})
