"""A cutoff before the first order leaves nothing to learn from: who asks for value is told so, with the day."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

import evervalue as ev
from evervalue.core.errors import SettingsError
from tests.support.projects import evervalue, project, published, run_project

FIRST = dt.date(2024, 1, 3)
ORDERS = pl.DataFrame(
    {
        "customer": [f"c{n % 7}" for n in range(60)],
        "order_date": [FIRST + dt.timedelta(days=3 * n) for n in range(60)],
        "monetary": [10 + n for n in range(60)],
    }
)
CSV = "customer,date,amount\n" + "".join(f"{c},{d},{m}\n" for c, d, m in ORDERS.rows())
SAYS = "leaves no sale: the first is of 2024-01-03"


@pytest.mark.parametrize("as_of", ["2024-01-03", "1999-01-01"], ids=["the very day", "long before"])
def test_frames(as_of: str) -> None:
    with pytest.raises(SettingsError, match=SAYS) as error:
        ev.purchase_history(ORDERS, as_of=as_of)
    assert as_of in str(error.value)
    assert "2024-01-04" in str(error.value), "it says which day would do"
    with pytest.raises(SettingsError, match=SAYS):
        ev.backtest(ORDERS, horizon="30d", as_of=as_of, models="bg-nbd")


def test_the_day_after_the_first_order_will_do() -> None:
    assert len(ev.purchase_history(ORDERS, as_of="2024-01-04")) == 1


@pytest.mark.parametrize("command", ["clv", "backtest"])
def test_commands(command: str, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(CSV)
    done = evervalue(command, "sales.csv", "--as-of", "2020-01-01", cwd=tmp_path)
    assert done.returncode == 1
    assert SAYS in done.stderr
    assert done.stdout == ""


def test_a_run_publishes_nothing(tmp_path: Path) -> None:
    toml = """
        [sources.sales]
        path = "sales.csv"
        columns = { customer_id = "customer", ordered_at = "date", amount = "amount" }
        [value]
        model = "none"
    """
    folder = project(tmp_path, {"sales.csv": CSV}, toml)
    run_project(folder, as_of=dt.date(2024, 2, 1))
    with pytest.raises(SettingsError, match=SAYS):
        run_project(folder, as_of=FIRST)
    assert published(folder, "select as_of from customers.cutoff") == [(dt.date(2024, 2, 1),)]
