"""The same orders come in from every format, encoding and packing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from evervalue.core.errors import InputError
from tests.support.sources import Warehouse

ROWS = [
    ("1", "2022-01-05", "Zoë, Ann", "5.50"),
    ("2", "2022-01-06", 'Bob "B"', "-6.25"),
    ("3", "2022-01-07", "c;|d", "1000"),
]
EXPECTED = [
    ("1", "2022-01-05", "Zoë, Ann", "5.5000"),
    ("2", "2022-01-06", 'Bob "B"', "-6.2500"),
    ("3", "2022-01-07", "c;|d", "1000.0000"),
]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


def delimited(delimiter: str = ",", end: str = "\n", quote: str = '"') -> str:
    rows = [("order", "date", "customer", "amount"), *ROWS]
    return (
        end.join(delimiter.join(quote + c.replace(quote, quote * 2) + quote for c in row) for row in rows)
        + end
    )


def check(warehouse: Warehouse, path: str, **settings: Any) -> None:
    report = warehouse.load(path, **settings).sources["sales"]
    assert report.rows_read == 3
    assert warehouse.mapped("order_id, order_date::text, customer_id, amount::text") == EXPECTED


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(warehouse: Warehouse, delimiter: str, end: str) -> None:
    warehouse.write(delimited(delimiter, end))
    check(warehouse, "sales.csv")
    assert warehouse.rows("select delimiter from raw.files") == [(delimiter,)]


def test_mixed_line_ends(warehouse: Warehouse) -> None:
    warehouse.write(delimited().replace("\n", "\r\n", 2))
    check(warehouse, "sales.csv")


def test_no_line_end_at_the_end_and_blank_lines(warehouse: Warehouse) -> None:
    warehouse.write(delimited().rstrip("\n").replace("\n", "\n\n"))
    check(warehouse, "sales.csv")


def test_leading_blank_lines(warehouse: Warehouse) -> None:
    warehouse.write("\n\n" + delimited())
    check(warehouse, "sales.csv")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"]
)
def test_encodings_are_found_out(warehouse: Warehouse, encoding: str) -> None:
    warehouse.write(delimited(), encoding=encoding)
    check(warehouse, "sales.csv")


def test_encoding_as_set(warehouse: Warehouse) -> None:
    warehouse.write(delimited().replace("Zoë", "Жуё"), encoding="cp1251")
    warehouse.load(encoding="cp1251")
    assert warehouse.mapped("customer_id")[0] == ("Жуё, Ann",)


def test_quote_as_set(warehouse: Warehouse) -> None:
    warehouse.write(delimited(quote="'"))
    check(warehouse, "sales.csv", quote="'")


def test_delimiter_as_set(warehouse: Warehouse) -> None:
    warehouse.write(delimited("~"))
    check(warehouse, "sales.csv", delimiter="~")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_packed(warehouse: Warehouse, encoding: str) -> None:
    packed = {"sales.csv.gz": gzip.compress, "sales.csv.zst": zstandard.ZstdCompressor().compress}
    for name, pack in packed.items():
        warehouse.write(pack(delimited().encode(encoding)), name)
        check(warehouse, name)


@pytest.mark.parametrize(
    ("name", "pack"), [("sales.csv.gz", gzip.compress), ("sales.csv.zst", zstandard.compress)]
)
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_packed_file_that_was_cut_off_is_refused(
    warehouse: Warehouse, name: str, pack: Any, share: float
) -> None:
    lines = "".join(f"{i},2022-01-05,c{i * 7919 % 10007},{i}.5\n" for i in range(60_000))
    packed = pack(("order,date,customer,amount\n" + lines).encode())
    warehouse.write(packed[: int(len(packed) * share)], name)
    with pytest.raises(InputError, match="cannot be unpacked.*None of its rows was taken"):
        warehouse.load(name)
    warehouse.write(packed, name)
    assert warehouse.load(name).sources["sales"].rows_read == 60_000


def test_zstd_frames_one_after_another(warehouse: Warehouse) -> None:
    text = delimited().encode()
    frames = [zstandard.compress(text[:40]), zstandard.compress(b""), zstandard.compress(text[40:])]
    warehouse.write(b"".join(frames), "sales.csv.zst")
    check(warehouse, "sales.csv.zst")


def test_tsv_by_its_name(warehouse: Warehouse) -> None:
    warehouse.write("order\tdate\tcustomer\tamount\n1\t2022-01-05\ta,b\t5.50\n", "sales.tsv")
    warehouse.load("sales.tsv")
    assert warehouse.mapped("customer_id") == [("a,b",)]


def test_columns_apart_by_spaces(warehouse: Warehouse) -> None:
    warehouse.write(
        " order  date       customer   amount\n 1      20220105   a       5.50\n 2      20220106   b      16.25\n",
        "sales.txt",
    )
    warehouse.load("sales.txt")
    assert warehouse.mapped("order_date::text, customer_id, amount::text") == [
        ("2022-01-05", "a", "5.5000"),
        ("2022-01-06", "b", "16.2500"),
    ]


def objects() -> list[dict[str, object]]:
    return [
        {"order": int(o), "date": d, "customer": c, "amount": float(a), "extra": None} for o, d, c, a in ROWS
    ]


def test_json_lines(warehouse: Warehouse) -> None:
    text = "\n".join(json.dumps(o) for o in objects()) + "\n\n"
    for name, data in {
        "sales.jsonl": text.encode(),
        "sales.ndjson": text.encode("utf-16"),
        "sales.jsonl.gz": gzip.compress(text.encode()),
    }.items():
        warehouse.write(data, name)
        check(warehouse, name)


def test_json_array(warehouse: Warehouse) -> None:
    warehouse.write(json.dumps(objects(), indent=1), "sales.json")
    check(warehouse, "sales.json")


def test_json_numbers_keep_their_digits_and_are_never_ambiguous(warehouse: Warehouse) -> None:
    warehouse.write(
        '{"order": 1, "date": "2022-01-05", "customer": "a", "amount": 1.234}\n'
        '{"order": 12345678901234567890, "date": "2022-01-05", "customer": "b", "amount": '
        '12345678901234.5678, "more": [1, {"a": null}]}\n',
        "sales.jsonl",
    )
    warehouse.load("sales.jsonl")
    assert warehouse.mapped("order_id, amount::text") == [
        ("1", "1.2340"),
        ("12345678901234567890", "12345678901234.5678"),
    ]
    assert warehouse.rows("select more from raw.sales order by _line") == [(None,), ('["1", {"a": null}]',)]


def test_parquet_keeps_its_types(warehouse: Warehouse) -> None:
    values = ", ".join(
        f"({o}, date '{d}', {c!r}, {a}::double)"
        for o, d, c, a in [(o, d, c.replace("'", ""), a) for o, d, c, a in ROWS]
    )
    warehouse.con.execute(
        f'copy (select * from (values {values}) as t("order", date, customer, amount)) to '
        f"'{warehouse.folder}/sales.parquet'"
    )
    check(warehouse, "sales.parquet")
    types = dict(
        warehouse.rows(
            "select column_name, data_type from information_schema.columns where table_name = 'sales'"
        )
    )
    assert (types["date"], types["amount"], types["order"]) == ("DATE", "DOUBLE", "INTEGER")


def test_parquet_beside_csv(warehouse: Warehouse) -> None:
    warehouse.con.execute(
        "create table t as select 1 as \"order\", date '2022-01-05' as date, 'a' as customer, 1.234::double as amount"
    )
    (warehouse.folder / "in").mkdir()
    warehouse.con.execute(f"copy t to '{warehouse.folder}/in/b.parquet'")
    warehouse.write('order,date,customer,amount\n2,13/01/2022,b,"1,5"\n', "in/a.csv")
    warehouse.load("in")
    assert warehouse.rows("select customer_id, amount::text, order_date::text from mapped.order_lines order by 1") == [
        ("a", "1.2340", "2022-01-05"), ("b", "1.5000", "2022-01-13"),
    ]  # fmt: skip


def test_doubles_become_decimals_half_away_from_zero_by_their_shortest_text(warehouse: Warehouse) -> None:
    warehouse.con.execute(
        "copy (select i as \"order\", date '2022-01-05' as date, 'a' as customer, a as amount from "
        "(values (1, 1.00005::double), (2, -1.00005::double), (3, 0.1::double + 0.2::double), (4, "
        "1e-7::double)) as t(i, a)) "
        f"to '{warehouse.folder}/sales.parquet'"
    )
    report = warehouse.load("sales.parquet").sources["sales"]
    assert warehouse.mapped("amount::text") == [("1.0001",), ("-1.0001",), ("0.3000",), ("0.0000",)]
    assert report.notes == [
        "'amount': cells with more than four decimals (4) are rounded to four, half away from zero"
    ]


def test_workbook(warehouse: Warehouse) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    import datetime as dt

    book = openpyxl.Workbook()
    book.active.append(["nothing here"])
    sheet = book.create_sheet("Sales")
    sheet.append(["Sales of the year"])
    sheet.append([])
    sheet.append(["order", "date", "customer", "amount", "when"])
    for o, d, c, a in ROWS:
        sheet.append(
            [int(o), dt.date.fromisoformat(d), c, float(a), dt.datetime.fromisoformat(d + "T12:30:00")]
        )
    book.save(warehouse.folder / "sales.xlsx")
    check(warehouse, "sales.xlsx")
    assert warehouse.rows('select "when", date, amount from raw.sales order by _line')[0] == (
        "2022-01-05 12:30:00",
        "2022-01-05",
        "5.5",
    )


def test_typed_numbers_of_a_workbook_are_never_ambiguous(warehouse: Warehouse) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["order", "date", "customer", "amount"])
    book.active.append([1, "2022-01-05", "a", 1.234])
    book.save(warehouse.folder / "sales.xlsx")
    warehouse.load("sales.xlsx")
    assert warehouse.mapped("amount::text") == [("1.2340",)]


def test_a_sheet_that_is_not_there(warehouse: Warehouse) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "Orders"
    book.active.append(["order"])
    book.save(warehouse.folder / "sales.xlsx")
    with pytest.raises(Exception, match=r"no sheet 'Order' \(did you mean 'Orders'\?\)"):
        warehouse.load("sales.xlsx", sheet="Order")
