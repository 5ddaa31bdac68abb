"""The page of a customer of whom nothing is predicted says so in a sentence."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from evervalue.dashboard.app import create_app
from evervalue.pipeline.settings import read_project
from tests.support.projects import LINES, project, published, run_project
from tests.support.site import LOOPBACK

SALES = "order,date,customer,amount\n1,2024-01-01,Ann,10\n2,2024-02-01,Ann,30\n3,2024-02-02,Bob,-5\n"
KINDS = '[sources.sales.kinds]\nreturn = { column = "amount", below = 0 }\n'


@pytest.mark.parametrize(
    ("value", "customer", "says"),
    [
        ("", "Bob", "No sale before the cutoff, so there is nothing to predict from."),
        (
            '[value]\nmodel = "none"\n',
            "Ann",
            'Value is switched off in the settings: [value] model = "none".',
        ),
    ],
)
def test_nothing_is_predicted(value: str, customer: str, says: str, tmp_path: Path) -> None:
    folder = project(tmp_path, {"sales.csv": SALES}, LINES + KINDS + value, value=True)
    run_project(folder)
    with TestClient(create_app(read_project(folder).data_dir), base_url=LOOPBACK) as client:
        page = html.unescape(client.get(f"/customers/{customer}").text)
    assert "No value is predicted for this customer" in page
    assert f'<p class="note">{says}</p>' in page
    assert "none." not in page
    assert page.count(says) == 1
    if customer == "Ann":
        assert published(folder, "select model_says from insight.value_headline") == [(says,)]
