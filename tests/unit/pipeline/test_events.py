"""Events that the collector took become orders, people and links, once, in the run that follows."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evervalue.collector.log import LOG, EventLog
from evervalue.core.errors import SettingsError, StorageError
from evervalue.core.progress import Silent
from evervalue.pipeline.event_files import write_event_files
from evervalue.pipeline.settings import read_project
from tests.support.projects import project, published, run_project
from tests.support.sites import TOML, Site, order


def test_orders_of_events_are_orders_of_customers(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop")
    site.send(
        order("o1", "2024-01-05", ("p1", 19, 1), ("p2", 3, 2), discount=2.5, total=27.5, shipping=3, tax=2),
        order("o2", "2024-01-06", subtotal=40),
        order("o3", "2024-01-07", user="u2", total=13, shipping=2, tax=1),
        order("o1", "2024-01-08", ("p2", 3, 1), event="Order Refunded"),
        order("o2", "2024-01-09", event="Order Cancelled", subtotal=40),
        {"type": "page", "userId": "u3", "properties": {"path": "/"}},
    )
    run_project(site.folder)
    assert site.lines() == [
        ("o1", "u1", "adjustment", None, -2.5),
        ("o1", "u1", "refund", "p2", -3),
        ("o1", "u1", "sale", "p1", 19),
        ("o1", "u1", "sale", "p2", 6),
        ("o2", "u1", "cancellation", None, -40),
        ("o2", "u1", "sale", None, 40),
        ("o3", "u2", "sale", None, 10),
    ]
    assert published(site.folder, "select monetary::double from customers.lrfm where customer_id = 'u1'") == [
        (19.5,)
    ]


def test_an_order_that_is_told_again_counts_once_in_whichever_run_it_comes(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop")
    site.send(order("o1", "2024-01-05", ("p1", 10, 1)), order("o1", "2024-01-05", ("p1", 10, 1)))
    run_project(site.folder)
    site.send(order("o1", "2024-01-06", ("p1", 11, 1)), order("o2", "2024-01-06", ("p1", 12, 1)))
    run_project(site.folder)
    assert [(number, amount) for number, *_, amount in site.lines()] == [("o1", 10), ("o2", 12)]
    aside = "select sum(rows_set_aside) from curated.reconciliation"
    assert published(site.folder, "select count(*) from run.sources where source = 'web.lines'") == [(1,)], (
        aside
    )
    run_project(site.folder)
    assert len(site.lines()) == 2


def test_who_bought_before_signing_in_is_one_customer_with_whom_it_became(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop")
    site.send(
        order("o1", "2024-01-05", ("p1", 10, 1), user=None, anonymousId="a1"),
        {"type": "page", "anonymousId": "a9"},
    )
    run_project(site.folder)
    assert published(site.folder, "select customer_id from customers.lrfm") == [("a1",)]
    site.send(
        {"type": "identify", "userId": "u1", "anonymousId": "a1",
         "traits": {"firstName": "Ada", "lastName": "B", "email": "ada@b.biz", "plan": "pro"}},
        {"type": "identify", "userId": "u9", "anonymousId": "a9", "traits": {}},
        order("o2", "2024-01-06", ("p1", 20, 1)),
    )  # fmt: skip
    run_project(site.folder)
    rows = published(
        site.folder, "select customer, frequency, monetary::double from customers.lrfm where frequency > 0"
    )
    assert rows == [("Ada B", 2, 30)]
    # A visitor who never bought is no customer; one who registered is.
    assert published(site.folder, "select count(*) from curated.customers") == [(2,)]
    plan = "select value from curated.customer_attributes where attribute = 'plan' and is_latest"
    assert published(site.folder, plan) == [("pro",)]


def test_an_order_that_the_sales_database_holds_too_counts_once(tmp_path: Path) -> None:
    toml = TOML + (
        'customer_keys = "shop"\n[identity]\nsame_orders = "once"\n[sources.erp]\npath = "sales.csv"\n'
        'customer_keys = "shop"\n[sources.erp.columns]\norder_id = "order"\nordered_at = "date"\n'
        'customer_id = "customer"\namount = "amount"\n'
    )
    files = {"sales.csv": "order,date,customer,amount\no1,2024-01-05,u1,16\no5,2024-01-06,u1,7\n"}
    site = Site(tmp_path / "shop", toml, files=files)
    site.send(
        order("o1", "2024-01-05", ("p1", 10, 1), ("p2", 3, 2)), order("o2", "2024-01-06", ("p1", 20, 1))
    )
    run_project(site.folder)
    assert published(site.folder, "select frequency, monetary::double from customers.lrfm") == [(3, 43)]


def test_what_two_systems_take_back_of_one_order_counts_once(tmp_path: Path) -> None:
    toml = TOML + (
        'customer_keys = "shop"\n[identity]\nsame_orders = "once"\n[sources.erp]\npath = "sales.csv"\n'
        'customer_keys = "shop"\n[sources.erp.columns]\norder_id = "order"\nordered_at = "date"\n'
        'customer_id = "customer"\namount = "amount"\n'
    )
    sales = """order,date,customer,amount
o1,2024-01-05,u1,14
o1,2024-01-07,u1,-6
o1,2024-01-09,u1,-2
o2,2024-01-05,u1,20
o3,2024-01-05,u1,30
o3,2024-01-06,u1,-30
"""
    site = Site(tmp_path / "shop", toml, files={"sales.csv": sales})
    site.send(
        # A discount is a line of its own here, and within the lines there.
        order("o1", "2024-01-05", ("p1", 10, 1), ("p2", 3, 2), discount=2),
        order("o1", "2024-01-06", ("p2", 3, 2), event="Order Refunded"),
        order("o2", "2024-01-05", ("p1", 20, 1)),
        order("o2", "2024-01-06", ("p1", 20, 1), event="Order Cancelled"),
        order("o3", "2024-01-05", ("p1", 30, 1)),
        order("o3", "2024-01-06", ("p1", 30, 1), event="Order Cancelled"),
    )
    run_project(site.folder)
    worth = "select order_id, sum(amount)::double from curated.order_lines group by all order by all"
    assert published(site.folder, worth) == [("o1", 6), ("o2", 0), ("o3", 0)]
    assert published(site.folder, "select frequency from customers.lrfm") == [(3,)]
    reasons = "select reason, count(*) from curated.refused_lines group by all order by all"
    assert published(site.folder, reasons) == [("same_order", 5), ("same_reversal", 2)]


def test_what_is_no_amount_is_refused_and_the_rest_is_taken(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop")
    bad = order("o1", "2024-01-05", ("p1", 10, 1))
    bad["properties"]["products"].append({"product_id": "p2", "price": "ten", "quantity": 1})
    odd = {**order("o2", "2024-01-05"), "properties": {"order_id": "o2", "products": "none", "subtotal": 5}}
    site.send(bad, odd, order("o3", "2024-01-06", ("p1", 20, 1)))
    run_project(site.folder)
    assert [line[0] for line in site.lines()] == ["o1", "o2", "o3"]
    assert published(site.folder, "select count(*) from run.quarantine") == [(1,)]


def test_files_that_were_begun_and_not_ended_are_written_again(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop")
    site.send(order("o1", "2024-01-05", ("p1", 10, 1)))
    run_project(site.folder)
    site.send(order("o2", "2024-01-06", ("p1", 20, 1)))
    folder = site.folder / "evervalue-data" / "events" / "web"
    (folder / "order_lines" / "000000000002-000000000002.parquet").write_bytes(b"half")
    (folder / "events" / "000000000002-000000000002.partial").write_bytes(b"half")
    run_project(site.folder)
    assert [line[0] for line in site.lines()] == ["o1", "o2"]


def test_the_examples_of_the_specification_are_taken(
    tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    site = Site(tmp_path / "shop")
    path = shared_data("event_fixtures_segment") / "segment_spec_payloads.jsonl"
    payloads = [json.loads(line)["payload"] for line in path.read_text().splitlines()]
    whole = [p for p in payloads if isinstance(p, dict) and (p.get("type") or p.get("action"))]
    assert len(whole) > 80
    for message in whole:
        # The SDK adds the type and who it is to what a page calls.
        who = {} if message.get("userId") or message.get("anonymousId") else {"anonymousId": "a1"}
        more = {"group": {"groupId": "g1"}, "alias": {"previousId": "a1"}}
        site.send(
            {
                **who,
                **more.get(str(message.get("type")), {}),
                **{k: v for k, v in message.items() if k != "messageId"},
            }
        )
    run_project(site.folder)
    assert {(number, kind) for number, _, kind, *_ in site.lines()} >= {
        ("50314b8e9bcf000000000000", "sale"),
        ("50314b8e9bcf000000000000", "refund"),
        ("50314b8e9bcf000000000000", "cancellation"),
    }


def test_who_is_empty_or_no_name_is_known_by_the_other_one(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop")
    site.send(
        order("o1", "2024-01-05", ("p1", 1, 1), user=None, anonymousId="a1") | {"userId": ""},
        order("o2", "2024-01-05", ("p1", 2, 1), user=None, anonymousId="a2") | {"userId": True},
        order("o3", "2024-01-05", ("p1", 3, 1), user=None, anonymousId="a3") | {"userId": 2.0**64},
        order("o4", "2024-01-05", ("p1", 4, 1)) | {"userId": 12.0},
    )
    run_project(site.folder)
    assert [(line[1], line[-1]) for line in site.lines()] == [("a1", 1), ("a2", 2), ("a3", 3), ("12", 4)]


def test_orders_without_a_number_are_not_taken_for_one_that_is_told_again(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop")
    numbers: list[Any] = ["", " ", None, False, 2.0**64, 2.0**64]
    site.send(*(order(number, "2024-01-05", ("p1", 10, 1)) for number in numbers))
    run_project(site.folder)
    assert [line[0] for line in site.lines()] == ["m1", "m2", "m3", "m4", "m5", "m6"]


def test_message_ids_that_look_alike_are_two(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop")
    ids = ("a", "A", " a", "a ", " ", "\u3000", "\u00e9", "e\u0301", "0", "00")
    for n, message_id in enumerate(ids):
        site.send(order(f"o{n}", "2024-01-05", ("p1", 10, 1)) | {"messageId": message_id})
    run_project(site.folder)
    assert [line[0] for line in site.lines()] == [f"o{n}" for n in range(len(ids))]


def test_one_amount_with_a_comma_does_not_stop_the_run(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop")
    odd = order("o1", "2024-01-05", ("p1", 10.5, 1))
    odd["properties"]["products"] += [
        {"product_id": "p2", "price": "1,5"},
        {"product_id": "p3", "price": "2.5"},
    ]
    site.send(odd)
    run_project(site.folder)
    assert [(line[3], line[4]) for line in site.lines()] == [("p1", 10.5), ("p3", 2.5)]
    assert published(site.folder, "select reason, row_count from run.quarantine") == [("bad_number", 1)]


def test_what_is_taken_off_must_be_an_amount_too(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop")
    site.send(
        order("o1", "2024-01-05", ("p1", 10, 1), discount="two"),
        order("o2", "2024-01-05", revenue=10, discount="two"),
        order("o3", "2024-01-05", total=10, shipping="two"),
        order("o4", "2024-01-05", total=10, tax=1e300),
        order("o5", "2024-01-05", subtotal="", revenue="10.00", discount="1e0"),
        order("o6", "2024-01-05", total=10, shipping="", tax=None),
    )
    run_project(site.folder)
    assert [(line[0], line[2], line[4]) for line in site.lines()] == [
        ("o1", "sale", 10),
        ("o5", "sale", 9),
        ("o6", "sale", 10),
    ]
    told = "select reason, sum(row_count)::int from run.quarantine group by all order by all"
    assert published(site.folder, told) == [("bad_number", 3), ("too_large", 1)]


def test_who_somebody_became_is_followed_to_the_end(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop")
    site.send(order("o1", "2024-01-05", ("p1", 10, 1), user=None, anonymousId="a1"))
    site.send({"type": "alias", "previousId": "u0", "userId": "u1"})
    run_project(site.folder)
    site.send({"type": "identify", "anonymousId": "a1", "userId": "u0", "traits": {}})
    site.send(order("o2", "2024-01-06", ("p1", 20, 1)))
    run_project(site.folder)
    rows = "select frequency, monetary::double from customers.lrfm where frequency > 0"
    assert published(site.folder, rows) == [(2, 30)]


def test_a_log_that_is_older_than_its_files_is_not_passed_over(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop")
    site.send(order("o1", "2024-01-05", ("p1", 10, 1)), order("o2", "2024-01-05", ("p1", 10, 1)))
    run_project(site.folder)
    for path in (site.folder / "evervalue-data").glob(f"{LOG}*"):
        path.unlink()
    site.send(order("o3", "2024-01-06", ("p1", 30, 1)))
    with pytest.raises(StorageError, match="another one, or an older copy"):
        run_project(site.folder)


def test_names_of_files_are_on_disk_before_that_of_the_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, told, on_disk = Site(tmp_path / "shop"), [], os.fsync
    folder = site.folder / "evervalue-data" / "events" / "web"

    def fsync(handle: int) -> None:
        on_disk(handle)
        told.append(
            next((p for p in folder.glob("**") if os.path.samestat(p.stat(), os.fstat(handle))), None)
        )

    monkeypatch.setattr(os, "fsync", fsync)
    site.send(order("o1", "2024-01-05", ("p1", 10, 1)))
    data = site.folder / "evervalue-data"
    write_event_files(data, EventLog(data / LOG), ["web"], Silent())
    told = told[1:]  # of the layout, before the first file
    # Each file, its checksum, then their names.
    assert told == [None, None, folder / "order_lines", folder, None, None, folder / "events", folder]


def test_events_are_copied_nowhere_but_into_the_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "shop")
    site.send(order("o1", "2024-01-05", ("p1", 10, 1)))
    data = site.folder / "evervalue-data"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    write_event_files(data, EventLog(data / LOG), ["web"], Silent())
    assert len(list(data.glob("events/web/*/*.parquet"))) == 2
    assert list((data / "tmp").iterdir()) == []


def test_a_source_of_events_has_no_path(tmp_path: Path) -> None:
    folder = project(tmp_path / "shop", {}, '[sources.web]\nkind = "events"\npath = "x"\n')
    with pytest.raises(SettingsError, match="events come from the collector"):
        read_project(folder)
