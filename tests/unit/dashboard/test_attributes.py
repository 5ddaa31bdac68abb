"""What was known of a customer, and when: in the API and on the page, from the same rows."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from evervalue.core.clock import FixedClock
from evervalue.core.progress import Silent
from evervalue.dashboard.app import create_app
from evervalue.pipeline.run import run
from evervalue.pipeline.settings import read_project
from tests.support.projects import project
from tests.support.site import LOOPBACK

LINES = (
    "order,date,customer,amount,segment,channel\n"
    "1,2022-01-05,a,5.5,small,web\n2,2022-03-01,a,5.5,large,web\n3,2022-03-01,a,5.5,small,web\n"
    "4,2022-04-01,a,5.5,large,web\n5,2022-06-01,a,5.5,small,web\n6,2022-02-01,b,5.5,small,web\n"
)
TOML = """
[sources.sales]
path = "sales.csv"
columns = { order_id = "order", ordered_at = "date", customer_id = "customer", amount = "amount" }
attributes = { segment = "segment", channel = "channel" }
[sources.crm]
path = "crm.csv"
provides = "customers"
customer_keys = "sales"
columns = { customer_id = "id" }
attributes = { owner = "owner" }
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = project(tmp_path_factory.mktemp("known"), {"sales.csv": LINES, "crm.csv": ""}, TOML)
    for month, owner in ((7, "Ada"), (8, "Bob & Co")):
        (folder / "crm.csv").write_text(f"id,owner\na,{owner}\nb,Ada\n", "utf-8")
        clock = FixedClock(dt.datetime(2022, month, 1, 12, tzinfo=dt.UTC))
        run(read_project(folder), clock=clock, progress=Silent())
    with TestClient(create_app(read_project(folder).data_dir), base_url=LOOPBACK) as found:
        yield found


def test_the_api_tells_from_when_to_when_a_value_held(client: TestClient) -> None:
    rows = client.get("/v1/customers/a").json()["data"]["attributes_history"]
    segments = [r for r in rows if r["attribute"] == "segment"]
    assert [(r["value"], r["valid_from"], r["valid_to"], r["is_latest"]) for r in segments] == [
        ("small", "2022-06-01", None, True),
        ("large", "2022-04-01", "2022-06-01", False),
        ("small", "2022-01-05", "2022-04-01", False),
        ("large", None, None, False),
    ]  # fmt: skip
    assert [(r["value"], r["valid_from"], r["valid_to"]) for r in rows if r["attribute"] == "owner"] == [
        ("Bob & Co", "2022-08-01", None),
        ("Ada", "2022-07-01", "2022-08-01"),
    ]
    assert client.get("/v1/customers/a?part=attributes").json()["data"] == rows
    fields = client.get("/v1/openapi.json").json()["paths"]["/v1/customers/{customer_id}"]["get"]["responses"]
    answer = fields["200"]["content"]["application/json"]["schema"]["properties"]["data"]
    described = answer["anyOf"][0]["properties"]
    assert set(described["attributes_history"]["items"]["properties"]) == set(rows[0])


def known(client: TestClient, customer: str) -> dict[str, str]:
    """What the page says of each attribute, in words."""
    page = client.get(f"/customers/{customer}").text
    listed = re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", page[page.index('id="known-title"') :], re.S)
    return {name: " ".join(html.unescape(re.sub("<[^>]*>", " ", said)).split()) for name, said in listed}


def test_the_page_shows_what_was_before(client: TestClient) -> None:
    assert known(client, "a") == {
        "Channel": "web",
        "Owner": "Bob & Co since Aug 1, 2022 1 other value Value Held Ada Jul 1, 2022 to Jul 31, 2022",
        "Segment": "small since Jun 1, 2022 3 other values Value Held "
        "large Apr 1, 2022 to May 31, 2022 small Jan 5, 2022 to Mar 31, 2022 large beside others on Mar 1, 2022",
    }
    assert known(client, "b") == {"Channel": "web", "Owner": "Ada", "Segment": "small"}


def test_a_long_history_shows_its_newest_part(client: TestClient) -> None:
    from evervalue.dashboard.pages import profile

    rows = [
        {"attribute": "owner", "value": f"v{n}", "valid_from": dt.date(2022, 1, n), "valid_to": dt.date(2022, 1, n + 1),
         "first_seen": dt.date(2022, 1, n), "last_seen": dt.date(2022, 1, n), "is_latest": n == 30}
        for n in range(30, 0, -1)
    ]  # fmt: skip
    (found,) = profile.by_attribute(rows)
    assert (found["latest"]["value"], len(found["others"]), found["more"]) == ("v30", profile.STRETCHES, 9)
    assert [row["value"] for row in found["others"][:2]] == ["v29", "v28"]
