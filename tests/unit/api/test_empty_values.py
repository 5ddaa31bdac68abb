"""A plain HTML form sends empty values, and programs send null: never an error of the server, whichever route it is."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from evervalue.api.app import create_app
from tests.support.site import saas_data

WRONG = (
    "", "x" * 300, "-1", "9" * 40, "nan", "1e999", "\x00", "'; attach 'x' as y; --", "../../etc/passwd", "null",
    "\U0001f600",
)  # fmt: skip


def asked() -> list[tuple[str, str]]:
    """Every reading route under /v1 with each of its parameters."""
    paths: dict[str, Any] = create_app(saas_data()).openapi()["paths"]
    return [
        (path, parameter["name"])
        for path, methods in sorted(paths.items())
        if "get" in methods and "/live/" not in path
        for parameter in methods["get"].get("parameters", ())
        if parameter["in"] == "query"
    ]


def test_no_value_of_any_parameter_breaks_the_server(client: TestClient) -> None:
    found = asked()
    assert len(found) > 60
    for path, name in found:
        place = (
            path.replace("{customer_id}", "1093").replace("{run_id}", "current").replace("{source}", "sales")
        )
        for value in WRONG:
            answer = client.get(place, params={name: value})
            assert answer.status_code < 500, (path, name, value, answer.text)
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == "application/problem+json", (path, name, value)


@pytest.mark.parametrize("address", ["/v1/customers?cohort=2021&age=", "/v1/customers?p_alive_from=&clv_to="])
def test_empty_is_all(client: TestClient, address: str) -> None:
    assert client.get(address).status_code == 200
