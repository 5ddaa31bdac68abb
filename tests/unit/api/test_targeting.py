"""Whom to contact for a budget, against a second way: the exported list, sorted and summed one customer at a time."""

from __future__ import annotations

import csv
import io
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient

from evervalue.actions.factors import factors


def answer(client: TestClient, **asked: object) -> Any:
    response = client.get("/v1/targeting?" + urlencode(asked))
    assert response.status_code == 200, response.text
    return response.json()


def listed(client: TestClient, **filters: str) -> list[dict[str, str]]:
    query = urlencode({**filters, "format": "csv"})
    return list(csv.DictReader(io.StringIO(client.get(f"/v1/customers?{query}").text)))


def money(value: Decimal) -> str:
    return str(value.quantize(Decimal("0.0001"), ROUND_HALF_UP))


CASES: list[dict[str, str]] = [
    {"budget": "500", "contact_cost": "10"},
    {"budget": "503.99", "contact_cost": "7.25", "uplift": "3.125", "margin": "41.5"},
    {"contact_cost": "12.5"},
    {"contact_cost": "0", "budget": "0"},
    {"budget": "30", "contact_cost": "1", "effect": "order", "uplift": "5"},
    {"budget": "60", "contact_cost": "10", "tier": "mid"},
    {"contact_cost": "1000000"},
    {"uplift": "0", "contact_cost": "1"},
    {"budget": "9", "contact_cost": "10"},
    {"uplift": "100", "contact_cost": "900.0001"},
]


@pytest.mark.parametrize("terms", CASES)
def test_sums_and_choice_agree_with_a_second_way(client: TestClient, terms: dict[str, str]) -> None:
    column = "expected_order_value" if terms.get("effect") == "order" else "expected_clv"
    people = listed(client, **({"tier": terms["tier"]} if "tier" in terms else {}))
    cost = Decimal(terms["contact_cost"])
    factor = Decimal(terms.get("uplift", "2")) / 100 * Decimal(terms.get("margin", "100")) / 100
    ranked = sorted(people, key=lambda row: (-Decimal(row[column]), row["customer_id"]))
    pays = [row for row in ranked if Decimal(row[column]) * factor > cost]
    most = int(Decimal(terms["budget"]) // cost) if cost and "budget" in terms else len(pays)
    chosen = pays[:most]
    base = sum((Decimal(row[column]) for row in chosen), Decimal(0))
    all_base = sum((Decimal(row[column]) for row in pays), Decimal(0))

    found = answer(client, **terms)["data"]
    assert found["contacts"] == len(chosen)
    assert found["beyond_budget"] == len(pays) - len(chosen)
    assert found["not_worth"] == len(people) - len(pays)
    assert found["avoided"] == len(people) - len(chosen)
    assert found["base"] == money(base)
    assert found["spent"] == money(cost * len(chosen))
    assert found["expected_gain"] == money(base * factor)
    assert found["expected_net"] == money(base * factor - cost * len(chosen))
    assert found["net_low"] == money(base * factor / 2 - cost * len(chosen))
    highest = factor * min(Decimal(2), 100 / Decimal(terms.get("uplift", "2")) if factor else Decimal(1))
    assert found["net_high"] == money(base * highest - cost * len(chosen))
    assert found["foregone"] == money((all_base - base) * factor - cost * (len(pays) - len(chosen)))
    if chosen:
        share = Decimal(str(found["break_even_uplift"])) / Decimal(terms.get("uplift", "2"))
        assert abs(share * base * factor - cost * len(chosen)) < Decimal("1e-6")

    list_ = answer(client, **terms, part="customers", limit=1000)
    assert {row["customer_id"] for row in list_["data"]} == {row["customer_id"] for row in chosen}
    assert list_["meta"]["total"] == len(chosen)

    points = answer(client, **terms, part="curve")["data"]
    assert [p["contacts"] for p in points] == sorted({p["contacts"] for p in points})
    for point in points:
        some = sum((Decimal(row[column]) for row in ranked[: point["contacts"]]), Decimal(0))
        assert point["expected_gain"] == money(some * factor)
        assert point["expected_net"] == money(some * factor - cost * point["contacts"])
        assert point["net_low"] == money(some * factor / 2 - cost * point["contacts"])
    assert [p["contacts"] for p in points if p["is_chosen"]] == [len(chosen)]


def test_no_other_choice_for_the_budget_brings_more(client: TestClient) -> None:
    """Each of those left out brings at most what each of those chosen does."""
    chosen = answer(client, budget="200", contact_cost="10", part="customers", limit=1000)["data"]
    taken = {row["customer_id"] for row in chosen}
    left_out = [Decimal(row["expected_clv"]) for row in listed(client) if row["customer_id"] not in taken]
    assert len(taken) == 20
    assert min(Decimal(row["expected_clv"]) for row in chosen) >= max(left_out)


def test_the_same_everywhere(client: TestClient) -> None:
    asked = {"budget": "500", "contact_cost": "10"}
    told = answer(client, **asked)
    (written,) = csv.DictReader(io.StringIO(client.get("/v1/targeting?format=csv&" + urlencode(asked)).text))
    assert written == {name: str(value) for name, value in told["data"].items()}
    people = client.get("/v1/targeting?part=customers&format=csv&" + urlencode(asked)).text
    assert len(list(csv.DictReader(io.StringIO(people)))) == told["data"]["contacts"]


def test_the_default_is_an_example_that_says_so(client: TestClient) -> None:
    found = answer(client)
    terms = found["meta"]["terms"]
    assert (terms["contact_cost"], terms["contact_cost_is_example"]) == ("10", True)
    assert (terms["uplift"], terms["uplift_low"], terms["uplift_high"]) == ("2", "1", "4")
    assert 0.3 < found["data"]["paying"] / found["data"]["predicted"] < 0.9
    assert answer(client, contact_cost="3", uplift="5")["meta"]["terms"]["contact_cost_is_example"] is False


def test_carbon_is_the_contacts_times_the_factor(client: TestClient) -> None:
    found = answer(client, budget="500", contact_cost="10", channel="letter")
    carbon, letter = found["meta"]["carbon"], factors().of("letter")
    assert (carbon["contacts"], carbon["avoided"]) == (50, 49)
    assert Decimal(carbon["avoided_kg"]["central"]) == 49 * letter.central.grams / 1000
    assert Decimal(carbon["emitted_kg"]["high"]) == 50 * letter.high.grams / 1000
    rows = answer(client, part="factors")["data"]
    assert len(rows) == 3 * len(factors().factors)
    assert all(row["source"] for row in rows)


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"budget": "-1"}, "budget"),
        ({"budget": "nan"}, "budget"),
        ({"budget": "1e400"}, "budget"),
        ({"contact_cost": "0.00001"}, "contact_cost"),
        ({"contact_cost": "ten"}, "contact_cost"),
        ({"uplift": "101"}, "uplift"),
        ({"uplift": "5", "uplift_low": "6"}, "uplift"),
        ({"effect": "magic"}, "effect"),
        ({"channel": "pigeon"}, "channel"),
        ({"part": "everything"}, "part"),
        ({"budget": "1" * 30_000}, "budget"),
    ],
)
def test_absurd_terms_are_told(client: TestClient, asked: dict[str, str], where: str) -> None:
    response = client.get("/v1/targeting?" + urlencode(asked))
    assert response.status_code == 422
    assert where in response.json()["detail"]
