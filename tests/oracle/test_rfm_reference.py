"""The orders of the R package rfm: its published scores, and everyone else by the plain implementation."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from decimal import Decimal
from pathlib import Path

import evervalue as ev
from tests.support.plain_lrfm import Line, lrfm


def test_published_and_plain_scores(data_dir: Path) -> None:
    folder = data_dir / "rfm_reference"
    with gzip.open(folder / "rfm_data_orders.csv.gz", "rt", encoding="utf-8") as file:
        lines = [
            Line(row["customer_id"], None, dt.date.fromisoformat(row["order_date"]), Decimal(row["revenue"]))
            for row in csv.DictReader(file)
        ]
    orders = ev.read_orders(
        folder / "rfm_data_orders.csv.gz", customer="customer_id", date="order_date", monetary="revenue"
    )
    scores = ev.lrfm(orders, as_of="2006-12-31", bins=5, ties="share").to_arrow().to_pylist()

    found = {row["customer"]: row for row in scores}
    assert found == lrfm(lines, as_of=dt.date(2006, 12, 31), bins=5, ties="share")
    assert len(found) == 995
    for row in csv.DictReader((folder / "published_scores.csv").read_text().splitlines()):
        for name in ("recency_days", "frequency", "monetary", "r_score", "f_score", "m_score"):
            assert found[row["customer"]][name] == Decimal(row[name]), (row["customer"], name)
