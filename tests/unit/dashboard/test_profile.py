"""The page of one customer says what its numbers hang on."""

from __future__ import annotations

import html
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from evervalue.dashboard.app import create_app
from tests.support.site import LOOPBACK, saas_data


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(saas_data()), base_url=LOOPBACK) as found:
        yield found


def test_the_price_of_the_smallest_step_hangs_on_the_order(client: TestClient) -> None:
    gems = client.get("/v1/gems").json()["data"]
    priced = [gem for gem in gems if gem["step_value"] is not None]
    assert priced
    for gem in priced[:3]:
        assert "if the customer orders now" in gem["step_value_says"]
        page = html.unescape(client.get(f"/customers/{gem['customer_id']}").text)
        assert f"expected to follow from them. {gem['step_value_says']}</p>" in page
    for gem in gems:
        if gem["step_value"] is None:
            assert gem["step_value_says"] is None
            page = html.unescape(client.get(f"/customers/{gem['customer_id']}").text)
            assert "orders now" not in page
