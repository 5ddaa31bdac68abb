"""Every source is held against what it used to bring; commands tell its state and age as of now."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from evervalue.core.clock import FixedClock
from evervalue.core.errors import InputError
from evervalue.core.progress import Silent
from evervalue.pipeline.doctor import examine
from evervalue.pipeline.run import run
from evervalue.pipeline.settings import read_project
from tests.support.projects import project, published

SETTINGS = """
[sources.sales]
path = "in"
[sources.sales.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
amount = "amount"
channel = "channel"
"""
MORE = """
[sources.more]
path = "more.csv"
customer_keys = "sales"
[sources.more.columns]
ordered_at = "d"
customer_id = "c"
amount = "a"
"""
START = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)
CHECKS = "select check_name, field, state from run.source_checks where source = 'sales' order by all"


class Shop:
    """A shop that delivers a file of orders every day, of which the first holds a year."""

    def __init__(self, folder: Path, settings: str = SETTINGS) -> None:
        self.folder = project(folder, {}, settings)
        (folder / "in").mkdir()
        self.day = 0
        self.orders = 0

    def deliver(self, rows: int, *, bad: int = 0, channels: int | None = None) -> None:
        lines = ["order,date,customer,amount,channel"]
        for n in range(rows):
            self.orders += 1
            channel = "web" if n < (rows if channels is None else channels) else ""
            amount = "much" if n < bad else f"{10 + n}.50"
            lines.append(f"{self.orders},2024-02-{1 + n % 28:02},c{n % 40},{amount},{channel}")
        (self.folder / "in" / f"{self.day:03}.csv").write_text("\n".join(lines) + "\n")

    def run(self, *, hours: float = 24) -> dict[tuple[str, str], str]:
        self.at = START + dt.timedelta(hours=hours * self.day)
        self.day += 1
        run(read_project(self.folder), clock=FixedClock(self.at), progress=Silent())
        return {(name, field): state for name, field, state in published(self.folder, CHECKS)}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("usual"))
    for rows in (1000, 100, 110, 90, 105, 95, 100, 98):
        shop.deliver(rows, bad=rows // 100)
        shop.run()
    return shop


def test_what_is_usual_is_learnt_and_told(usual: Shop, tmp_path: Path) -> None:
    young = Shop(tmp_path / "young")
    young.deliver(50)
    assert young.run() == {
        ("empty_cells", "amount"): "learning", ("empty_cells", "channel"): "learning",
        ("empty_cells", "customer_id"): "learning", ("empty_cells", "order_id"): "learning",
        ("empty_cells", "ordered_at"): "learning", ("freshness", ""): "learning", ("reading", ""): "ok",
        ("refused", ""): "ok", ("volume", ""): "learning",
    }  # fmt: skip
    usual.deliver(100, bad=1)
    assert set(usual.run().values()) == {"ok"}
    assert published(usual.folder, "select state, state_says, rows_came, rows_read from run.sources") == [
        ("ok", "as usual", 100, 1798)
    ]


@pytest.mark.parametrize(
    ("delivery", "check", "state", "says"),
    [
        ({"rows": 3}, ("volume", ""), "alarm", "brought 3 rows, where 100 are usual"),
        ({"rows": 1500}, ("volume", ""), "watch", "brought 1,500 rows, where 100 are usual"),
        (
            {"rows": 100, "bad": 30}, ("refused", ""), "alarm",
            "30 of 100 rows that came were refused (30.0 %, where 0.8 % are usual)",
        ),
        (
            {"rows": 100, "channels": 20}, ("empty_cells", "channel"), "alarm",
            "channel is empty in 80.0 % of the rows that came, where 0.0 % are usual",
        ),
    ],
)  # fmt: skip
def test_what_is_not_usual_is_told(
    usual: Shop, tmp_path: Path, delivery: dict[str, int], check: tuple[str, str], state: str, says: str
) -> None:
    import copy
    import shutil

    shop = copy.copy(usual)
    shutil.copytree(usual.folder, tmp_path / "shop")
    shop.folder = tmp_path / "shop"
    shop.deliver(**delivery)
    found = shop.run()
    assert found[check] == state
    assert {k: v for k, v in found.items() if v in ("alarm", "watch")} == {check: state}
    assert published(shop.folder, "select state, state_says from run.sources") == [(state, says)]


def test_silence_is_an_alarm_in_a_run_and_between_runs(usual: Shop, tmp_path: Path) -> None:
    later = FixedClock(usual.at + dt.timedelta(days=3))
    stale = [f for f in examine(usual.folder, later) if f.what == "sales is fresh"]
    assert [f.fine for f in stale] == [False]
    assert stale[0].says.startswith("stale: no news for 72.0 hours, and 36.0 would be usual at most")
    soon = FixedClock(usual.at + dt.timedelta(hours=30))
    assert all(f.fine for f in examine(usual.folder, soon))

    told = Shop(tmp_path / "told", SETTINGS.replace('path = "in"', 'path = "in"\nstale_after = "2h"'))
    told.deliver(10)
    assert told.run(hours=1)["freshness", ""] == "ok"
    told.day = 4
    assert told.run(hours=1)["freshness", ""] == "alarm"


def test_a_source_that_cannot_be_read_may_be_skipped_and_is_an_alarm(tmp_path: Path) -> None:
    two = SETTINGS.replace('path = "in"', 'path = "in"\non_failure = "skip"') + MORE
    shop = Shop(tmp_path / "two", two)
    (shop.folder / "more.csv").write_text("d,c,a\n2024-02-01,c1,5\n")
    with pytest.raises(InputError, match="holds no data file"):
        shop.run()  # nothing was read of it before, so there is nothing to go on with
    shop.deliver(5)
    shop.run()
    (shop.folder / "in" / "009.csv").write_bytes(b"")
    (shop.folder / "more.csv").write_text("d,c,a\n2024-02-01,c1,5\n2024-02-02,c2,6\n")
    assert shop.run()["reading", ""] == "alarm"
    counts = "select source, rows_read, state from run.sources order by source"
    assert published(shop.folder, counts) == [("more", 2, "learning"), ("sales", 5, "alarm")]
    says = published(
        shop.folder, "select says from run.source_checks where source = 'sales' and check_name = 'reading'"
    )
    assert "009.csv is empty (0 bytes)" in says[0][0]
