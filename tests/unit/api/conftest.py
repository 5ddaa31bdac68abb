"""A client of the JSON routes over the really published SaaS example."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from evervalue.api.app import create_app
from tests.support.site import LOOPBACK, saas_data


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(saas_data()), base_url=LOOPBACK, raise_server_exceptions=False) as found:
        yield found
