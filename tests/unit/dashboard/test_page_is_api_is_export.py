"""Page, API and export say the same, row by row and cell by cell, whatever filters and order are asked for."""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import openpyxl
import pytest
from fastapi.testclient import TestClient

from evervalue.dashboard.app import create_app
from evervalue.dashboard.formats import Formats
from tests.support.site import LOOPBACK, saas_data

US = Formats("en_US", "USD")
SORTS = (
    "monetary",
    "revenue",
    "expected_clv",
    "p_alive",
    "lrfm_score",
    "frequency",
    "last_order_date",
    "customer",
)


class Table(HTMLParser):
    """The rows of the table within #grid: the text of each cell, and the exact value where its title says it."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.titles: list[list[str]] = []
        self._in_grid = self._in_body = self._in_cell = self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if known.get("id") == "grid":
            self._in_grid = True
        elif tag == "tbody":
            self._in_body = self._in_grid
        elif tag == "tr" and self._in_body:
            self.rows.append([])
            self.titles.append([])
        elif tag in ("td", "th") and self._in_body:
            self.rows[-1].append("")
            self.titles[-1].append("")
            self._in_cell = True
        elif self._in_cell and known.get("title"):
            self.titles[-1][-1] = known["title"] or ""
        if self._in_cell and "vh" in (known.get("class") or "").split():
            self._hidden = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "tbody" and self._in_body:
            self._in_body = self._in_grid = False
        elif tag in ("td", "th"):
            self._in_cell = False
        elif tag == "span":
            self._hidden = False

    def handle_data(self, data: str) -> None:
        if self._in_cell and not self._hidden and data.strip():
            self.rows[-1][-1] = (self.rows[-1][-1] + " " + data.strip()).strip()


@pytest.fixture(scope="module")
def pages() -> Iterator[TestClient]:
    with TestClient(create_app(saas_data()), base_url=LOOPBACK, raise_server_exceptions=False) as found:
        yield found


def table(pages: TestClient, address: str) -> Table:
    answer = pages.get(address, headers={"accept": "text/html", "accept-language": "en-US"})
    assert answer.status_code == 200, answer.text[:500]
    found = Table()
    found.feed(answer.text)
    return found


def api(pages: TestClient, address: str) -> Any:
    answer = pages.get("/v1" + address)
    assert answer.status_code == 200, answer.text
    return answer.json()


def exported(pages: TestClient, address: str, file_format: str) -> list[dict[str, str]]:
    mark = "&" if "?" in address else "?"
    answer = pages.get(f"/v1{address}{mark}format={file_format}")
    assert answer.status_code == 200, answer.text
    if file_format == "csv":
        return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content), read_only=True).worksheets[0]
    head, *rows = list(sheet.iter_rows(values_only=True))
    return [dict(zip(head, ("" if cell is None else cell for cell in row), strict=True)) for row in rows]


def asked(seed: int) -> str:
    """Filters and an order, at random."""
    rng = random.Random(seed)
    pairs: list[tuple[str, str]] = []
    pairs += [("tier", t) for t in rng.sample(["high", "mid", "low"], rng.choice((0, 0, 1, 2)))]
    if rng.random() < 0.3:
        pairs.append(("region", rng.choice(("AMER", "EMEA", "APJ"))))
    if rng.random() < 0.3:
        pairs.append(("q", rng.choice(("a", "co", "10", "&", "é"))))
    if rng.random() < 0.3:
        pairs.append((rng.choice(("l_score", "r_score", "f_score", "m_score")), str(rng.randint(1, 4))))
    if rng.random() < 0.3:
        pairs.append(("clv_from", str(rng.randint(0, 900))))
    if rng.random() < 0.2:
        pairs.append(("gems", "true"))
    pairs.append(("sort", rng.choice(("", "-")) + rng.choice(SORTS)))
    return "?" + urlencode(pairs)


def day(text: str | None) -> str:
    return US.date(date.fromisoformat(text)) if text else "–"


@pytest.mark.parametrize("seed", range(25))
def test_customers(pages: TestClient, seed: int) -> None:
    address = "/customers" + asked(seed)
    shown, told = table(pages, address), api(pages, address)
    rows = told["data"]
    assert len(shown.rows) == len(rows) == min(50, told["meta"]["total"])
    for cells, titles, row in zip(shown.rows, shown.titles, rows, strict=True):
        assert cells[0] == row["customer"]
        assert cells[1].startswith((row["customer_value"] or "No sale yet").split("-")[0])
        assert ("◆" in cells[1]) == row["is_gem"]
        for at, name in ((2, "monetary"), (3, "revenue"), (4, "expected_clv")):
            assert cells[at] == US.whole_money(Decimal(row[name]))
            assert titles[at] == US.exact(Decimal(row[name]))
        scores = [int(re.split(r"\D", cell)[0]) for cell in cells[6:10]]
        assert scores == [row[f"{letter}_score"] for letter in "lrfm"]
        assert cells[10:12] == [US.number(row["lrfm_score"]), US.number(row["frequency"])]
        assert cells[12] == day(row["last_order_date"])
    for file_format in ("csv", "xlsx"):
        every = exported(pages, address, file_format)
        assert len(every) == told["meta"]["total"]
        for line, row in zip(every, rows, strict=False):
            assert line["customer_id"] == row["customer_id"]
            for name in ("monetary", "revenue", "expected_clv", "clv_low", "clv_high"):
                assert Decimal(str(line[name])) == Decimal(row[name])


@pytest.mark.parametrize("sort", ["-monetary", "customer", "-lrfm_score", "orders_to_high", "-step_value"])
def test_gems(pages: TestClient, sort: str) -> None:
    address = f"/gems?sort={sort}"
    shown, told = table(pages, address), api(pages, address)
    assert len(shown.rows) == len(told["data"]) == 14
    for cells, titles, row in zip(shown.rows, shown.titles, told["data"], strict=True):
        assert cells[0] == row["customer"]
        assert titles[1] == US.exact(Decimal(row["monetary"]))
        assert row["action_title"] in " ".join(cells)
        assert row["reason"] in " ".join(cells)
    every = exported(pages, address, "csv")
    assert [line["customer_id"] for line in every] == [row["customer_id"] for row in told["data"]]
    assert [line["reason"] for line in every] == [row["reason"] for row in told["data"]]
