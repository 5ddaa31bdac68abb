"""The examples of Segment's specification, sent to a collector and taken into the tables: what each of them becomes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.collecting import collecting
from tests.support.projects import project, published, run_project
from tests.support.sites import TOML

Message = dict[str, Any]
ORDER = "50314b8e9bcf000000000000"


def as_sent(example: Message, number: int) -> Message:
    """An example as an SDK sends it: with an id of its own, and with who it is about.

    The 39 that have no `type` are whole track messages in an older spelling, `action` for `type`; six of them, of the
    pages on e-mail, also write `user_id`. What lacks a user altogether is what a page calls, and its library adds the
    visitor, one for all of them; an alias or a group that lacks its other half is given one.
    """
    message = {**example, "messageId": f"example-{number}"}
    if "user_id" in message:
        message["userId"] = message.pop("user_id")
    if not message.get("userId") and not message.get("anonymousId"):
        message["anonymousId"] = "visitor"
    if message.get("type") == "group":
        message.setdefault("groupId", "g1")
    if message.get("type") == "alias":
        message.setdefault("previousId", "before")
    return message


def first(*values: Any) -> str | None:
    """The first value that is there, as text."""
    return next((str(value) for value in values if value not in (None, "")), None)


def expected(message: Message) -> tuple[Any, ...]:
    """What stands in curated.events of a message."""
    properties = message.get("properties") or {}
    context = message.get("context") or {}
    page, campaign = context.get("page") or {}, context.get("campaign") or {}
    return (
        message["messageId"],
        message.get("type") or message["action"],
        message.get("event"),
        first(message.get("userId")),
        first(message.get("anonymousId")),
        first(properties.get("path"), page.get("path")),
        first(properties.get("url"), page.get("url")),
        first(properties.get("title"), page.get("title")),
        first(campaign.get("name")),
        first(properties.get("product_id"), properties.get("id"), properties.get("sku")),
        first(properties.get("order_id"), properties.get("orderId")),
    )


@pytest.fixture(scope="module")
def examples(shared_data: Callable[[str], Path]) -> list[Message]:
    path = shared_data("event_fixtures_segment") / "segment_spec_payloads.jsonl"
    return [json.loads(line)["payload"] for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, examples: list[Message]) -> Path:
    """A project into which all examples were sent, half of them one by one and half in batches."""
    folder = project(tmp_path_factory.mktemp("fixtures") / "shop", {}, f'{TOML}[value]\nmodel = "none"\n')
    messages = [as_sent(example, number) for number, example in enumerate(examples)]
    with collecting(folder / "evervalue-data") as collector:
        for message in messages[::2]:
            kind = message.get("type") or message["action"]
            answer = collector.send(f"/v1/{kind}", message)
            assert answer.status == 200, (message, answer.body)
        answer = collector.send("/v1/batch", {"batch": messages[1::2]})
        assert (answer.status, answer.body.get("errors")) == (200, None), answer.body
    run_project(folder)
    return folder


def test_the_examples_are_of_these_kinds(examples: list[Message]) -> None:
    assert Counter(message.get("type", "older track") for message in examples) == {
        "track": 71, "older track": 39, "identify": 7, "page": 4, "alias": 3, "group": 3, "screen": 1,
    }  # fmt: skip
    assert {m["action"] for m in examples if "type" not in m} == {"track"}


def test_every_example_is_an_event_with_what_it_says(shop: Path, examples: list[Message]) -> None:
    columns = "message_id, type, event, user_id, anonymous_id, path, url, title, campaign_name, product_id, order_id"
    rows = published(shop, f"select {columns} from curated.events")
    sent = [expected(as_sent(example, number)) for number, example in enumerate(examples)]
    assert sorted(rows) == sorted(sent)
    steps = dict(published(shop, "select coalesce(step, 'none'), count(*) from curated.events group by all"))
    assert steps["order"] == 2
    assert steps["page"] == 5
    assert published(shop, "select sum(event_count) from customers.sessions") == [(len(examples),)]


def test_orders_among_the_examples_are_lines(shop: Path) -> None:
    # It was told twice, in both versions of the specification; then refunded and cancelled in full.
    lines = (
        "select kind, product_id, quantity::int, amount::double from curated.order_lines where order_id = "
        f"'{ORDER}' order by all"
    )
    assert published(shop, lines) == [
        ("adjustment", None, None, -2.5),
        ("adjustment", None, None, 2.5),
        ("adjustment", None, None, 2.5),
        ("adjustment", None, None, 22.5),
        ("cancellation", "505bd76785ebb509fc183733", -2, -6),
        ("cancellation", "507f1f77bcf86cd799439011", -1, -19),
        ("refund", "505bd76785ebb509fc183733", -2, -6),
        ("refund", "507f1f77bcf86cd799439011", -1, -19),
        ("sale", "505bd76785ebb509fc183733", 2, 6),
        ("sale", "507f1f77bcf86cd799439011", 1, 19),
    ]
    assert published(shop, "select count(*) from run.quarantine") == [(0,)]


def test_people_among_the_examples_are_customers(shop: Path, examples: list[Message]) -> None:
    users = {str(m["userId"]) for m in examples if m.get("type") == "identify" and m.get("userId")}
    found = {who for (who,) in published(shop, "select customer_id from curated.customers")}
    assert users <= found
    told = [m["traits"] for m in examples if m.get("type") == "identify" and m.get("userId")]
    names = {str(traits["name"]) for traits in told if "name" in traits}
    shown = {name for (name,) in published(shop, "select customer from curated.customers")}
    assert names & shown
    adds_up = "select bool_and(rows_read = rows_stored + rows_duplicate + rows_quarantined + rows_set_aside)"
    assert published(shop, f"{adds_up} from curated.reconciliation") == [(True,)]


def test_the_sample_of_pages_is_read_as_pages(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    import csv

    with (shared_data("event_fixtures_segment") / "dbt_segment_example_pages.csv").open(
        encoding="utf-8"
    ) as file:
        rows = list(csv.DictReader(file))
    folder = project(tmp_path / "shop", {}, f'{TOML}[value]\nmodel = "none"\n')
    with collecting(folder / "evervalue-data") as collector:
        for row in rows:
            message = {
                "messageId": row["id"], "anonymousId": row["anonymous_id"], "userId": row["user_id"] or None,
                "timestamp": row["timestamp"].replace(" ", "T"),
                "properties": {key: row[key] for key in ("url", "path", "title", "referrer")},
                "context": {"campaign": {key: row[f"context_campaign_{key}"] for key in ("name", "source", "medium")}},
            }  # fmt: skip
            assert collector.send("/v1/page", message).status == 200
        buys = {"userId": "u1", "event": "Order Completed", "properties": {"order_id": "o1", "subtotal": 5}}
        assert collector.send("/v1/track", buys).status == 200
    run_project(folder)
    told = "select message_id, path, campaign_name, step from curated.events where type = 'page'"
    assert published(folder, told) == [
        (row["id"], row["path"], row["context_campaign_name"] or None, "page") for row in rows
    ]
