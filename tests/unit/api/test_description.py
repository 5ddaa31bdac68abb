"""The description of the API: real examples, one error shape, who may ask; and the page made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from evervalue.api.openapi_examples import PROBLEM, SECURITY, examples
from evervalue.dashboard.app import create_app
from tests.support.api_examples import real_answers
from tests.support.site import LOOPBACK, saas_data

WITHOUT = ("/v1/live/", "/v1/compare", "/v1/audiences/{audience_id}")
"""Streams, and what the example has none of."""


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(saas_data()), base_url=LOOPBACK) as found:
        yield found


def shape(value: Any) -> Any:
    """The names in an answer."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in sorted(value.items())}
    return [shape(value[0])] if isinstance(value, list) and value else None


def test_every_route_that_is_read_has_an_example_that_is_still_what_it_answers(client: TestClient) -> None:
    described = client.get("/v1/openapi.json").json()["paths"]
    read = {path for path, methods in described.items() if "get" in methods and not path.startswith(WITHOUT)}
    assert read == set(examples()), "python -m tests.support.api_examples"
    found = real_answers()
    for path, kept in examples().items():
        assert shape(kept["answer"]["data"]) == shape(found[path]["answer"]["data"]), (
            f"{path}: python -m tests.support.api_examples"
        )
        told = described[path]["get"]
        assert told["responses"]["200"]["content"]["application/json"]["example"] == kept["answer"]
    assert examples()["/v1/headline"]["answer"]["data"]["gems"] == 14


def test_every_route_says_its_errors_and_who_may_ask(client: TestClient) -> None:
    description = client.get("/v1/openapi.json").json()
    parts = description["components"]
    assert parts["schemas"]["Problem"] == PROBLEM
    assert parts["securitySchemes"] == SECURITY
    assert description["security"] == [{"key": []}, {"session": []}]
    assert "HTTPValidationError" not in parts["schemas"]
    for path, methods in description["paths"].items():
        for told in methods.values():
            for status in ("401", "403", "404", "422", "429", "503"):
                (content,) = told["responses"][status]["content"].items()
                assert content[0] == "application/problem+json", path
    said = client.get("/v1/customers?tier=best").json()
    assert set(said) == set(PROBLEM["required"])
    assert set(said["errors"][0]) == set(PROBLEM["properties"]["errors"]["items"]["required"])


def test_the_page_of_the_api_lists_every_route_with_its_example(client: TestClient) -> None:
    page = client.get("/v1/docs")
    assert page.status_code == 200
    for path in client.get("/v1/openapi.json").json()["paths"]:
        assert f"{path}</h2>" in page.text
    assert "Valero" in page.text or "AllState" in page.text, "a customer of the example"
    assert "at least 1, at most 1000" in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
