"""Customers by their scores: the cells of the heat map lead to exactly those whom they count."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from evervalue.api.queries.customers import CustomerFilters


def asked(client: TestClient, address: str) -> Any:
    response = client.get(address)
    assert response.status_code == 200, response.text
    return response.json()


def test_every_cell_of_every_pair_leads_to_its_customers(client: TestClient) -> None:
    cells = asked(client, "/v1/segments?part=scores")["data"]
    everybody = asked(client, "/v1/customers?limit=1000")["data"]
    assert len(cells) > 16
    for cell in cells:
        x, y = (f"{letter.lower()}_score" for letter in (cell["x_dimension"], cell["y_dimension"]))
        wanted = {
            row["customer_id"] for row in everybody if (row[x], row[y]) == (cell["x_score"], cell["y_score"])
        }
        assert len(wanted) == cell["customers"]
    cell = max(cells, key=lambda one: one["customers"])
    x, y = (f"{letter.lower()}_score" for letter in (cell["x_dimension"], cell["y_dimension"]))
    found = asked(client, f"/v1/customers?limit=1000&{x}={cell['x_score']}&{y}={cell['y_score']}")
    assert found["meta"]["total"] == cell["customers"]
    assert {(row[x], row[y]) for row in found["data"]} == {(cell["x_score"], cell["y_score"])}


def test_several_scores_are_any_of_them(client: TestClient) -> None:
    found = asked(client, "/v1/customers?limit=1000&r_score=1&r_score=2&tier=mid")
    assert {row["r_score"] for row in found["data"]} == {1, 2}
    assert found["meta"]["says"] == f"{found['meta']['total']} Mid-Value customers with recency score 1 or 2"


@pytest.mark.parametrize("wrong", ["r_score=0", "r_score=11", "f_score=high", "m_score=1.5"])
def test_what_is_no_score_is_refused(client: TestClient, wrong: str) -> None:
    assert client.get(f"/v1/customers?{wrong}").status_code == 422


def test_one_score_alone_is_a_filter_as_programs_send_it() -> None:
    assert CustomerFilters.model_validate({"m_score": "4", "tier": "mid"}) == CustomerFilters(
        m_score=(4,), tier=("mid",)
    )
