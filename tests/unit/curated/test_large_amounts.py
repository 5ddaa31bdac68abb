"""Large amounts in another currency are converted without leaving the range of the engine's decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.support.projects import project, published, run_project

if TYPE_CHECKING:
    from pathlib import Path

TOML = """
[project]
currency = "EUR"
[sources.sales]
path = "sales.csv"
[sources.sales.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
amount = "amount"
margin = "profit"
currency = "currency"
[sources.rates]
path = "rates.csv"
provides = "rates"
[sources.rates.columns]
rate_date = "day"
from_currency = "from"
to_currency = "to"
rate = "rate"
"""


def test_large_amounts_in_another_currency(tmp_path: Path) -> None:
    lines = "order,date,customer,amount,profit,currency\n1,2024-01-03,Ann,1234567890.25,-100000.5,USD\n"
    rates = "day,from,to,rate\n2024-01-01,USD,EUR,1.1300000001\n"
    folder = project(tmp_path, {"sales.csv": lines, "rates.csv": rates}, TOML)
    run_project(folder)
    expected = [
        (Decimal("1234567890.25") * Decimal("1.1300000001")).quantize(Decimal("0.0001")),
        (Decimal("-100000.5") * Decimal("1.1300000001")).quantize(Decimal("0.0001")),
    ]
    assert published(folder, "select amount, margin from curated.order_lines") == [tuple(expected)]
