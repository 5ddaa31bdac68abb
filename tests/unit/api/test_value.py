"""Expected value: what the routes say equals plain questions of the models' own tables, in every form."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from fastapi.testclient import TestClient

from evervalue.api.app import create_app
from evervalue.api.queries.value import PARTS, ValueFilters
from evervalue.warehouse.duckdb import Connection, connect
from evervalue.warehouse.publish import Publisher
from tests.support.site import LOOPBACK, saas_data

ENDS = ((0.0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 0.9), (0.9, 1.01))


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """The published tables, asked beside the server: of a copy, as one process opens a file once."""
    file = tmp_path_factory.mktemp("asked") / "snapshot.duckdb"
    shutil.copy(Publisher(saas_data()).current().path, file)
    opened = connect(file, read_only=True)
    yield opened
    opened.close()


def answer(client: TestClient, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.json()["data"]


def test_all_bands_together_are_everybody_and_all_that_is_expected(
    client: TestClient, con: Connection
) -> None:
    rows = answer(client, "/v1/clv?part=distribution")
    people, money = con.execute("select count(expected_clv), sum(expected_clv) from models.clv").fetchall()[0]
    assert sum(row["customers"] for row in rows) == people == 99
    assert sum(Decimal(row["expected_clv"]) for row in rows) == money
    total = Decimal(answer(client, "/v1/clv")["expected_clv"])
    assert abs(total - money) < Decimal("0.01")
    assert rows[0]["band_from"] is None
    assert rows[-1]["band_to"] is None
    assert [row["band_to"] for row in rows[:-1]] == [row["band_from"] for row in rows[1:]]


@pytest.mark.parametrize("asked", ["", "&tier=mid", "&tier=mid&tier=low&region=EMEA", "&tier=unscored"])
def test_each_band_holds_who_is_in_it(client: TestClient, con: Connection, asked: str) -> None:
    where = ["true"]
    if "tier=mid" in asked:
        where.append("customer_value in ('Mid-Value'" + (", 'Low-Value')" if "low" in asked else ")"))
    if "region" in asked:
        where.append("region = 'EMEA'")
    if "unscored" in asked:
        where.append("customer_value is null")
    for row in answer(client, "/v1/clv?part=distribution" + asked):
        low, high = row["band_from"] or "-1e9", row["band_to"] or "1e9"
        found = con.execute(
            "select count(*), coalesce(sum(v.expected_clv), 0) from models.clv as v "
            "join insight.customer_list as c using (customer_id) "
            f"where v.expected_clv >= {low} and v.expected_clv < {high} and {' and '.join(where)}"
        ).fetchall()
        assert [(row["customers"], Decimal(row["expected_clv"]))] == found


def test_what_is_at_stake_is_what_came_and_what_is_expected(client: TestClient, con: Connection) -> None:
    rows = answer(client, "/v1/clv?part=alive")
    assert sum(row["customers"] for row in rows) == 99
    for row in rows:
        low, high = ENDS[row["alive_band"] - 1]
        inside = f"(select customer_id from models.clv where p_alive >= {low} and p_alive < {high})"
        came = con.execute(
            f"select sum(monetary) from curated.orders where customer_id in {inside} "
            "and order_date >= date '2023-01-01' and order_date < date '2024-01-01'"
        ).fetchone()
        expected = con.execute(
            f"select sum(expected_clv) from models.clv where customer_id in {inside}"
        ).fetchone()
        assert (Decimal(row["past_monetary"]),) == came
        assert (Decimal(row["expected_clv"]),) == expected
    assert sum(row["falling"] for row in rows) == len(answer(client, "/v1/clv?part=falling"))


def test_who_is_falling_brought_much_and_is_expected_to_bring_less_than_half(
    client: TestClient, con: Connection
) -> None:
    came = dict(
        con.execute(
            "select customer_id, sum(monetary) from curated.orders where order_date >= date '2023-01-01' group by 1"
        ).fetchall()
    )
    expected = dict(con.execute("select customer_id, expected_clv from models.clv").fetchall())
    positive = sorted(amount for amount in came.values() if amount > 0)
    bound = positive[-(-3 * len(positive) // 4) - 1]
    falling = {key for key, amount in came.items() if amount >= bound and 2 * expected[key] < amount}
    rows = answer(client, "/v1/clv?part=falling")
    assert {row["customer_id"] for row in rows} == falling
    assert falling
    changes = [Decimal(row["change_monetary"]) for row in rows]
    assert changes == sorted(changes)
    assert all(
        Decimal(row["change_monetary"]) == expected[row["customer_id"]] - came[row["customer_id"]]
        for row in rows
    )


def test_forecasts_beside_what_came_are_the_bias_of_the_backtest(client: TestClient, con: Connection) -> None:
    bias = {
        (target, str(origin) if origin else None): value
        for target, origin, value in con.execute(
            "select b.target, b.origin, b.value from models.backtest as b join models.fits as f "
            "on f.model_key = b.model and f.role = 'orders' where b.measure = 'bias' and b.customers = 'known'"
        ).fetchall()
    }
    rows = answer(client, "/v1/clv?part=forecast")
    assert {(row["target"], row["origin"]) for row in rows} == set(bias)
    assert len(rows) == 8
    for row in rows:
        assert row["expected_share"] == pytest.approx(1 + bias[row["target"], row["origin"]], abs=1e-12)
    assert max(row["until"] for row in rows if row["until"]) == "2024-01-01"


def test_the_best_come_first_with_their_intervals(client: TestClient, con: Connection) -> None:
    every = con.execute(
        "select customer_id, expected_clv::text, clv_low::text, clv_high::text from models.clv "
        "order by expected_clv desc, customer_id"
    ).fetchall()

    def keys(rows: Any) -> list[tuple[str, ...]]:
        return [tuple(row[n] for n in ("customer_id", "expected_clv", "clv_low", "clv_high")) for row in rows]

    assert keys(answer(client, "/v1/clv?part=top")) == every[:12]
    assert keys(answer(client, "/v1/clv/customers?limit=1000")) == every
    few = answer(client, "/v1/clv/customers?clv_from=1000&clv_to=1100")
    assert {row["customer_id"] for row in few} == {k for k, v, *_ in every if 1000 <= Decimal(v) < 1100}


@pytest.mark.parametrize("part", PARTS)
def test_files_hold_what_the_answer_holds(client: TestClient, part: str) -> None:
    data = answer(client, f"/v1/clv?part={part}")
    rows = [data] if part == "headline" else data
    text = client.get(f"/v1/clv?part={part}&format=csv")
    told = list(csv.DictReader(io.StringIO(text.text.removeprefix("\ufeff"))))
    assert [row.get("expected_clv") for row in told] == [row.get("expected_clv") for row in rows]
    assert list(told[0]) == list(rows[0])
    book = openpyxl.load_workbook(io.BytesIO(client.get(f"/v1/clv?part={part}&format=xlsx").content))
    assert book.worksheets[0].max_row == len(rows) + 1
    tag = client.get(f"/v1/clv?part={part}").headers["etag"]
    assert client.get(f"/v1/clv?part={part}", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    "asked", ["part=everything", "tier=best", "part=tiers&limit=3", "format=md", "region=" + "x" * 201]
)
def test_what_cannot_be_asked_is_refused(client: TestClient, asked: str) -> None:
    assert client.get(f"/v1/clv?{asked}").status_code == 422


def test_filters_are_said_in_words() -> None:
    assert ValueFilters.model_validate({"tier": ["mid", "low"], "region": ["EMEA"]}).says() == (
        "Mid-Value or Low-Value customers in EMEA"
    )
    assert ValueFilters().says() == ""


def test_a_run_of_an_earlier_version_says_so(tmp_path: Path) -> None:
    shutil.copytree(saas_data() / "runs", tmp_path / "runs")
    shutil.copy(saas_data() / "current", tmp_path / "current")
    con = connect(Publisher(tmp_path).current().path)
    con.execute("drop table insight.value_outlook")
    con.execute("drop table insight.value_distribution")
    con.close()
    with TestClient(create_app(tmp_path), base_url=LOOPBACK) as client:
        assert client.get("/v1/clv").status_code == 200
        for part in ("distribution", "falling"):
            problem = client.get(f"/v1/clv?part={part}")
            assert problem.status_code == 404
            assert "Run 'evervalue run' again" in problem.json()["detail"]
