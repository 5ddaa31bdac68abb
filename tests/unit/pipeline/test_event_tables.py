"""Events, sessions and what customers did: the tables that runs make of what the collector took."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import SettingsError
from evervalue.pipeline.settings import settings_from
from evervalue.warehouse import delta, runner
from tests.support.projects import published, run_project
from tests.support.sites import Site, order

TOML = """
[project]
currency = "USD"
time_zone = "America/New_York"
[value]
model = "none"
[sources.web]
kind = "events"
"""


def event(kind: str, at: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "timestamp": at, **more}


def test_a_visitor_who_buys_takes_what_it_did_before_along(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop", TOML)
    campaign = {"name": "spring", "source": "news", "medium": "email"}
    seen = {"campaign": campaign, "page": {"referrer": "https://n.example/"}}
    page, product = {"path": "/", "url": "https://s.example/"}, {"product_id": "p1"}
    site.send(
        order("o0", "2024-01-02", ("p0", 10, 1), user="u0"),
        # Nine in the evening in New York is the next day in UTC.
        event("page", "2024-01-06T02:00:00Z", anonymousId="a1", context=seen, properties=page),
        event("track", "2024-01-06T02:30:00Z", anonymousId="a1", event="Product Viewed", properties=product),
        event("track", "2024-01-06T03:00:01Z", anonymousId="a1", event="Product Added", properties=product),
        event("page", "2024-01-06T02:00:00Z", anonymousId="a2"),
    )
    run_project(site.folder)
    whose = "select seq, visitor_id, customer_id, session_number from curated.events order by seq"
    assert published(site.folder, whose) == [
        (1, "u0", "u0", 1),
        (2, "web:a1", None, 1),
        (3, "web:a1", None, 1),
        (4, "web:a1", None, 2),
        (5, "web:a2", None, 1),
    ]
    assert published(site.folder, "select customer_id from customers.features") == [("u0",)]
    bought = order("o1", "2024-01-06", ("p1", 20, 1), user="u1", anonymousId="a1")
    site.send({**bought, "timestamp": "2024-01-06T14:00:00Z"})
    run_project(site.folder)
    assert published(site.folder, whose)[1:4] == [(2, "u1", "u1", 1), (3, "u1", "u1", 1), (4, "u1", "u1", 2)]
    sessions = (
        "select session_number, start_date, duration_seconds, event_count, page_count, product_count, cart_events, "
        "order_count, landing_path, referrer, campaign_name from customers.sessions "
        "where customer_id = 'u1' order by all"
    )
    day, next_day = dt.date(2024, 1, 5), dt.date(2024, 1, 6)
    assert published(site.folder, sessions) == [
        (1, day, 1800, 2, 1, 1, 0, 0, "/", "https://n.example/", "spring"),
        (2, day, 0, 1, 0, 1, 1, 0, None, None, None),
        (3, next_day, 0, 1, 0, 0, 0, 1, None, None, None),
    ]
    features = (
        "select first_visit_date, last_visit_date, visit_recency_days, active_days, session_count, product_views, "
        "carts, abandoned_carts, order_sessions, first_campaign_name, last_campaign_medium from customers.features "
        "where customer_id = 'u1'"
    )
    assert published(site.folder, features) == [(day, next_day, 1, 2, 3, 1, 1, 1, 1, "spring", "email")]
    # What comes on the day of the cutoff and later does not count.
    run_project(site.folder, as_of=next_day)
    assert published(site.folder, features) == [(day, day, 1, 1, 2, 1, 1, 1, 0, "spring", "email")]


def test_visitors_with_nothing_new_are_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path / "shop", TOML)
    site.send(order("o1", "2024-01-05", ("p1", 10, 1)))
    site.send(*(event("page", "2024-01-05T12:00:00Z", anonymousId=f"a{n}") for n in range(40)))
    run_project(site.folder)
    brought: dict[str, int] = {}

    def build_delta(con: Any, model: Any) -> int:
        rows = original(con, model)
        brought[model.name] = con.execute(
            f"select count(*) from {model.name} where {model.head.changed}"
        ).fetchone()[0]
        return rows

    original = delta.build_delta
    monkeypatch.setattr(runner, "build_delta", build_delta)
    site.send(event("page", "2024-01-06T12:00:00Z", anonymousId="a7"))
    run_project(site.folder)
    assert brought == {"curated.events": 2, "customers.sessions": 2}
    result = run_project(site.folder)
    kept = {b.name for b in result.built if b.kept}
    assert {"mapped.events", "curated.events", "customers.sessions", "customers.features"} <= kept


def test_how_long_a_pause_ends_a_session_is_set(tmp_path: Path) -> None:
    site = Site(tmp_path / "shop", TOML + "[sessions]\nminutes = 5\n")
    site.send(order("o1", "2024-01-05", ("p1", 10, 1)))
    site.send(*(event("page", f"2024-01-05T12:{minute:02}:00Z", userId="u1") for minute in (0, 5, 11, 16)))
    run_project(site.folder)
    assert published(site.folder, "select event_count from customers.sessions order by session_number") == [
        (3,),
        (2,),
    ]
    with pytest.raises(SettingsError, match=r"sessions\.minutes"):
        settings_from({"sessions": {"minutes": 0}, "sources": {"web": {"kind": "events"}}})


def test_a_project_without_events_has_the_tables_empty(tmp_path: Path) -> None:
    columns = 'ordered_at = "d"\ncustomer_id = "c"\namount = "a"\n'
    toml = f'[value]\nmodel = "none"\n[sources.erp]\npath = "s.csv"\n[sources.erp.columns]\n{columns}'
    site = Site(tmp_path / "shop", toml, files={"s.csv": "d,c,a\n2024-01-05,u1,5\n"})
    run_project(site.folder)
    for table in ("curated.events", "customers.sessions", "customers.features"):
        assert published(site.folder, f"select count(*) from {table}") == [(0,)]
