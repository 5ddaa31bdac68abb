"""Customers by what is predicted of them: from here, and below there."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from evervalue.api.queries.customers import CustomerFilters


def rows(client: TestClient, asked: str) -> Any:
    response = client.get(f"/v1/customers?limit=1000&{asked}")
    assert response.status_code == 200, response.text
    return response.json()


def test_ranges_are_half_open_and_part_everybody(client: TestClient) -> None:
    every = rows(client, "")["data"]
    at = sorted(Decimal(row["expected_clv"]) for row in every)[50]
    below, above = rows(client, f"clv_to={at}"), rows(client, f"clv_from={at}")
    assert len(below["data"]) + len(above["data"]) == 99
    assert max(Decimal(row["expected_clv"]) for row in below["data"]) < at
    assert min(Decimal(row["expected_clv"]) for row in above["data"]) == at
    assert above["meta"]["says"] == f"{len(above['data'])} customers expected to bring from {at:,f}"


def test_the_probability_of_being_active_is_a_range_too(client: TestClient) -> None:
    found = rows(client, "p_alive_from=0.9999&p_alive_to=1&tier=mid")
    assert found["data"]
    assert all(0.9999 <= row["p_alive"] < 1 for row in found["data"])
    assert (
        "Mid-Value customers still active with a chance from 99.99 % to under 100 %" in found["meta"]["says"]
    )
    assert rows(client, "p_alive_to=0.5")["data"] == []


@pytest.mark.parametrize("asked", ["p_alive_from=2", "p_alive_to=nan", "clv_from=dear", "clv_to=Infinity"])
def test_what_is_no_number_is_refused(client: TestClient, asked: str) -> None:
    assert client.get(f"/v1/customers?{asked}").status_code == 422


def test_zero_is_a_bound_and_empty_is_none() -> None:
    asked = CustomerFilters.model_validate({"p_alive_from": "0", "clv_from": "0", "clv_to": ""})
    assert asked.value_pairs() == (("p_alive_from", "0.0"), ("clv_from", "0"))
    assert [c.sql for c in asked.conditions()] == ["p_alive >= $p_alive_from", "expected_clv >= $clv_from"]
