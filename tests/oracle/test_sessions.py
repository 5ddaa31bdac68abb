"""Sessions of visitors, held against one event after the other in Python: random visitors, and a shop's clickstream."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.plain_sessions import plain_keys, plain_sessions
from tests.support.projects import published, run_project
from tests.support.sites import Site, order

ZONE = "Europe/Berlin"
TOML = f"""
[project]
currency = "USD"
time_zone = "{ZONE}"
[value]
model = "none"
[sources.web]
kind = "events"
customer_keys = "shop"
[sources.app]
kind = "events"
customer_keys = "shop"
"""
START = dt.datetime(2023, 10, 27, 20, tzinfo=dt.UTC)
"""Two days before clocks go back."""
EVENTS = "select seq, visitor_id, session_number, event_date from curated.events"


def random_events(chance: random.Random, n: int) -> list[dict[str, Any]]:
    """Visits of a few people under a few names, many at the bounds of a session or of a day."""
    at, made = START, []
    for _ in range(n):
        pause = dt.timedelta(minutes=chance.choice([0, 0, 0, 1, 5, 30, 30, 31, 240]))
        at += pause / chance.choice([1, 1, 8]) + dt.timedelta(milliseconds=chance.choice([0, 0, 1]))
        kind = chance.choices(["page", "track", "identify", "alias"], [6, 3, 1, 0.3])[0]
        users, visitors = [f"u{i}" for i in range(9)], [f"a{i}" for i in range(25)]
        message: dict[str, Any] = {
            "type": kind,
            "timestamp": at.isoformat(),
            "anonymousId": chance.choice(visitors),
        }
        if kind in ("identify", "alias") or chance.random() < 0.15:
            message["userId"] = chance.choice(users)
        if kind == "alias":
            message["previousId"] = chance.choice([*users, *visitors])
            if chance.random() < 0.5:
                del message["anonymousId"]
        if kind == "track":
            message["event"] = chance.choice(["Product Viewed", "Product Added", "Seen"])
        made.append(message)
    return made


def plain(message: dict[str, Any], seq: int, source: str) -> dict[str, Any]:
    at = dt.datetime.fromisoformat(message["timestamp"])
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    return {"seq": seq, "source": source, "at": at, "type": message["type"], "user": message.get("userId"),
            "anonymous": message.get("anonymousId"), "previous": message.get("previousId")}  # fmt: skip


def expected(events: list[dict[str, Any]], buyers: set[str]) -> list[tuple[Any, ...]]:
    keys = plain_keys(events)
    visitors = {seq: key if key in buyers else f"shop:{key}" for seq, key in keys.items()}
    numbers = plain_sessions(events, visitors)
    days = {e["seq"]: e["at"].astimezone(ZoneInfo(ZONE)).date() for e in events}
    return sorted((seq, visitors[seq], numbers[seq], days[seq]) for seq in keys)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_sessions_of_random_visitors_whether_made_at_once_or_run_by_run(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    site = Site(tmp_path / "shop", TOML)
    first = order("o1", "2023-10-27", ("p1", 10, 1), user="buyer")
    site.send(first)
    events = [plain(first, 1, "web")]
    seq = 1
    messages = random_events(chance, 900)
    chance.shuffle(messages)
    for start, end in ((0, 700), (700, 720), (720, 721), (721, 900)):
        for message in messages[start:end]:
            seq += 1
            source = chance.choice(["web", "web", "app"])
            site.send(message, source=source)
            events.append(plain(message, seq, source))
        run_project(site.folder)
        # Whoever is told of with identify is a customer too.
        customers = {
            str(key) for (key,) in published(site.folder, "select customer_id from curated.customers")
        }
        assert sorted(published(site.folder, EVENTS)) == expected(events, customers)
    told = "select * from customers.sessions order by all"
    run_by_run = (
        published(site.folder, told),
        published(site.folder, "select * from customers.features order by all"),
    )
    run_project(site.folder, full_refresh=True)
    at_once = (
        published(site.folder, told),
        published(site.folder, "select * from customers.features order by all"),
    )
    assert run_by_run == at_once


@pytest.mark.slow
def test_sessions_of_a_shop(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    site = Site(tmp_path / "shop", TOML, now=1_735_689_600_000_000)  # all of it is past
    with gzip.open(shared_data("ecom_clickstream") / "ecom_events.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    site.send({**order("o1", "2023-12-01", ("p1", 10, 1), user="buyer")})
    bought = {"type": "track", "userId": "buyer", "timestamp": "2023-12-01T12:00:00+00:00"}
    events = [plain(bought, 1, "web")]
    messages = []
    for seq, row in enumerate(rows, 2):
        at = dt.datetime.fromisoformat(row["timestamp"]).replace(tzinfo=dt.UTC)
        message = {
            "type": "track",
            "event": row["event"],
            "userId": row["user_id"],
            "timestamp": at.isoformat(),
        }
        messages.append(message)
        events.append(plain(message, seq, "web"))
    for start in range(0, len(messages), 2_500):
        site.send(*messages[start : start + 2_500])
    run_project(site.folder)
    assert sorted(published(site.folder, EVENTS)) == expected(events, {"buyer"})
    ((sessions, seen),) = published(site.folder, "select count(*), sum(event_count) from customers.sessions")
    assert (sessions, seen) == (len({(e[1], e[2]) for e in expected(events, {"buyer"})}), len(rows) + 1)
