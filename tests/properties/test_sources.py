"""Whatever the rows: their order, their split over files, the notation and the unit of money change nothing."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tempfile
import unicodedata
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evervalue.sources.tokens import records
from tests.support.sources import Warehouse

HEADER = ["order", "date", "customer", "amount"]
TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n"), min_size=1, max_size=8
)
MONEY = st.decimals(min_value=-99_999, max_value=99_999, places=2, allow_nan=False, allow_infinity=False)
ROWS = st.lists(
    st.tuples(TEXT, st.dates(dt.date(1990, 1, 1), dt.date(2090, 1, 1)), TEXT, MONEY), min_size=1, max_size=25
)
SPACES = "".join(chr(i) for i in range(0x3001) if unicodedata.category(chr(i)) == "Zs")
Row = tuple[str, dt.date, str, Decimal]


def text(rows: list[Row], delimiter: str = ",", date: str = "%Y-%m-%d") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((o, d.strftime(date), c, f"{a:.2f}") for o, d, c, a in rows)
    return out.getvalue()


def loaded(files: dict[str, str], **more: Any) -> list[tuple[Any, ...]]:
    """Mapped rows, whatever file and line they came from, and how many were read and refused."""
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder))
        for name, content in files.items():
            warehouse.write(content, f"in/{name}")
        report = warehouse.load("in", **more).sources["sales"]
        assert report.rows_read == report.rows_mapped + report.rows_quarantined
        mapped = warehouse.rows(
            "select order_id, order_date, customer_id, amount, kind from mapped.order_lines order by all"
        )
        return [(report.rows_read, report.rows_quarantined), *mapped]


def bare(cell: str) -> str:
    """A cell without the spaces around it, of whatever width: no-break ones are Excel's habit."""
    return cell.strip(SPACES)


def expected(rows: list[Row]) -> list[tuple[Any, ...]]:
    kept = [
        (bare(o) or None, d, bare(c), a.quantize(Decimal("0.0001")), "return" if a < 0 else "sale")
        for o, d, c, a in rows
        if bare(c)
    ]
    return [(len(rows), len(rows) - len(kept)), *kept]


def unordered(found: list[tuple[Any, ...]]) -> list[str]:
    return sorted(map(repr, found))


@settings(max_examples=25)
@example(
    rows=[
        ("\xa0", dt.date(2020, 1, 2), "Ann\u2003", Decimal(1)),
        ("1", dt.date(2020, 1, 2), "\xa0", Decimal(1)),
    ],
    delimiter=",",
)
@given(rows=ROWS, delimiter=st.sampled_from([",", ";", "\t", "|"]))
def test_what_is_written_is_read(rows: list[Row], delimiter: str) -> None:
    assert unordered(loaded({"a.csv": text(rows, delimiter)}, delimiter=delimiter)) == unordered(
        expected(rows)
    )


@settings(max_examples=15)
@given(rows=ROWS, data=st.data())
def test_order_and_split_change_nothing(rows: list[Row], data: st.DataObject) -> None:
    mixed = data.draw(st.permutations(rows))
    at = data.draw(st.integers(0, len(rows)))
    files = {"a.csv": text(mixed[:at]), "b.csv": text(mixed[at:])}
    if at in (0, len(rows)) or files["a.csv"] == files["b.csv"]:
        files = {"a.csv": text(mixed)}
    assert unordered(loaded(files)) == unordered(loaded({"one.csv": text(rows)}))


@pytest.mark.slow
@settings(max_examples=15)
@given(rows=ROWS)
def test_the_notation_of_dates_changes_nothing(rows: list[Row]) -> None:
    settled = [*rows, ("last", dt.date(2020, 12, 31), "last", Decimal("1.50"))]
    isos = loaded({"a.csv": text(settled)})
    assert loaded({"a.csv": text(settled, date="%d/%m/%Y")}) == isos
    assert loaded({"a.csv": text(settled, date="%m/%d/%Y")}) == isos
    assert loaded({"a.csv": text(settled, date="%d %b %Y")}) == isos


@pytest.mark.slow
@settings(max_examples=15)
@given(rows=ROWS)
def test_the_notation_of_numbers_changes_nothing(rows: list[Row]) -> None:
    plain = loaded({"a.csv": text(rows)})

    def grouped(amount: Decimal, group: str, mark: str) -> str:
        return f"{amount:,.2f}".replace(",", "_").replace(".", mark).replace("_", group)

    for group, mark in ((",", "."), (".", ","), (" ", ","), ("'", ".")):
        out = io.StringIO()
        writer = csv.writer(out, delimiter=";", lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows((o, d, c, grouped(a, group, mark)) for o, d, c, a in rows)
        assert loaded({"a.csv": out.getvalue()}, delimiter=";") == plain


@pytest.mark.slow
@settings(max_examples=15)
@given(rows=ROWS)
def test_the_unit_of_money_scales_every_sum(rows: list[Row]) -> None:
    cents = [(o, d, c, a * 100) for o, d, c, a in rows]
    scaled = [(*r[:3], Decimal(str(r[3])) * 100, r[4]) for r in loaded({"a.csv": text(rows)})[1:]]
    assert unordered(loaded({"a.csv": text(cents)})[1:]) == unordered(
        [(*r[:3], r[3].quantize(Decimal("0.0001")), r[4]) for r in scaled]
    )


@settings(max_examples=200)
@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n")),
            min_size=2,
            max_size=4,
        ),
        min_size=1,
        max_size=10,
    )
)
def test_the_careful_reader_reads_what_the_standard_library_writes(rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    found = [r.fields for r in records(io.StringIO(out.getvalue(), newline=""), ",", '"')]
    assert found == rows


@settings(max_examples=100)
@given(st.text(st.sampled_from('a",\n'), max_size=60))
def test_whatever_the_text_every_line_is_accounted_for(body: str) -> None:
    read = "\n".join(record.text for record in records(io.StringIO(body, newline=""), ",", '"'))
    assert read.replace("\n", "") == body.replace("\n", "")
