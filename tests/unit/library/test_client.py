"""The typed client against a real server: every route, the same numbers as the tables, and what goes wrong."""

from __future__ import annotations

import csv
import datetime as dt
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import evervalue as ev
from evervalue.api.settings import ServerSettings
from evervalue.core.errors import SettingsError
from evervalue.dashboard.app import create_app
from evervalue.library.client import ROUTES, Client
from evervalue.library.remote import line
from evervalue.library.remote.errors import (
    ApiError,
    CannotBeAsked,
    NotSignedIn,
    NotThere,
    ServerFailed,
    TooManyRequests,
    Unreachable,
)
from evervalue.library.remote.rows import RunChanged, Truncated
from evervalue.warehouse.duckdb import Connection, connect
from evervalue.warehouse.publish import Publisher
from tests.support.site import saas_data, serving


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    app = create_app(saas_data(), ServerSettings(prefix="/value"))
    with serving(app) as address, ev.connect(f"{address}/value/") as found:
        yield found


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """The published tables; a copy, for the server has the file open its own way."""
    copy = tmp_path_factory.mktemp("copy") / "snapshot.duckdb"
    shutil.copy(Publisher(saas_data()).current().path, copy)
    con = connect(copy, read_only=True)
    yield con
    con.close()


def test_every_route_of_the_api_that_is_read_has_a_method() -> None:
    paths = create_app(saas_data()).openapi()["paths"]
    read = {path for path, methods in paths.items() if "get" in methods}
    assert read - set(ROUTES) == set(), "give the client a method for each"
    assert set(ROUTES) - read == set(), "the API has no such route any more"
    assert all(callable(getattr(Client, name)) for name in ROUTES.values())
    assert len(set(ROUTES.values())) == len(ROUTES)


def test_customers_come_page_by_page_with_exact_money_and_days(client: Client, tables: Connection) -> None:
    rows = client.customers(sort="customer")
    asked = {row["customer_id"]: row for row in rows}
    told = tables.execute(
        "select customer_id, s.monetary, h.last_order_date, lrfm_score "
        "from customers.lrfm s join customers.history h using (customer_id)"
    ).fetchall()
    assert len(asked) == len(rows) == 99 > 50, "more than one page"
    for customer_id, monetary, last_order, score in told:
        row = asked[customer_id]
        assert row["monetary"] == monetary
        assert isinstance(row["monetary"], Decimal)
        assert row["last_order_date"] == last_order
        assert type(row["last_order_date"]) is dt.date
        assert row["lrfm_score"] == score
    assert rows.meta["as_of"] == dt.date(2024, 1, 1)
    assert rows.meta["currency"] == "USD"
    assert {row["customer_value"] for row in client.customers(tier="mid")} == {"Mid-Value"}
    assert len(client.customers(tier="mid")) == 43


def test_the_main_answers_are_those_of_the_tables(client: Client, tables: Connection) -> None:
    ((gems,),) = tables.execute("select count(*) from insight.hidden_gems").fetchall()
    assert len(client.gems()) == gems == client.headline()["gems"] == 14
    one = client.customer("1093")
    assert {type(order["order_date"]) for order in one["orders"]} == {dt.date}
    assert {type(order["revenue"]) for order in one["orders"]} == {Decimal}
    ((total,),) = tables.execute("select sum(revenue) from customers.history").fetchall()
    assert sum(row["revenue"] for row in client.customers()) == total
    assert isinstance(client.revenue()[0]["revenue"], Decimal)
    assert client.current_run().meta["as_of"] == dt.date(2024, 1, 1)
    assert client.get("segments", part="tiers")[0] == client.segments()[0]
    assert [row["source"] for row in client.sources()] == ["sales"]
    assert client.source("sales")["checks"]


@pytest.mark.parametrize("name", sorted(set(ROUTES.values())))
def test_every_method_answers(client: Client, name: str) -> None:
    given: dict[str, tuple[Any, ...]] = {
        "customer": ("1093",),
        "what_if": ("1093",),
        "follow": ("1093",),
        "notes": ("1093",),
        "source": ("sales",),
        "run": (client.headline().meta["run_id"],),
    }
    unknown: dict[str, tuple[Any, ...]] = {"compare": (), "audience_export": ("0" * 12, 1)}
    if name == "compare" or (name.startswith("audience") and name != "audiences"):
        with pytest.raises(NotThere):
            list(getattr(client, name)(*unknown.get(name, ("0" * 12,))))
        return
    answer = getattr(client, name)(*given.get(name, ()))
    if name == "follow":
        assert list(answer) == [], "nothing is live in this project"
        return
    assert answer is not None or name == "progress", "no run goes on"
    assert repr(answer)


def test_frames_and_files_hold_all_rows_exactly(client: Client, tmp_path: Path) -> None:
    rows = client.customers(tier="mid", sort="-monetary")
    most = rows[0]
    frame = rows.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert (len(frame), frame["monetary"].iloc[0]) == (43, most["monetary"])
    polars = rows.to_polars()
    assert isinstance(polars, pl.DataFrame)
    assert polars["monetary"][0] == most["monetary"]
    assert polars.schema["last_order_date"] == pl.Date
    arrow = rows.to_arrow()
    assert arrow["monetary"][0].as_py() == most["monetary"]
    assert pa.table(rows).equals(arrow)
    file = rows.save(tmp_path / "mid.csv")
    with file.open(newline="") as read:
        saved = list(csv.DictReader(read))
    assert [Decimal(row["monetary"]) for row in saved] == [row["monetary"] for row in rows]
    assert (tmp_path / "mid.csv").exists()
    with pytest.raises(CannotBeAsked):
        rows.save(tmp_path / "mid.docx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mid.csv"]
    assert "Mid-Value" in rows._repr_html_()


def test_rows_that_are_not_all_there_are_never_taken_for_all(client: Client, tmp_path: Path) -> None:
    rows = client.revenue("lines", by="region", value="EMEA")
    assert len(rows) > 1000
    with pytest.raises(Truncated, match="the first 1,000 of"):
        list(rows)
    rows.save(tmp_path / "lines.csv")
    assert (tmp_path / "lines.csv").read_text("utf-8").count("\n") >= len(rows)


def test_what_is_wrong_is_an_exception_with_the_fields_of_the_problem(client: Client) -> None:
    with pytest.raises(NotThere) as missing:
        client.customer("nobody / at all")
    assert missing.value.status == 404
    assert missing.value.code == "not-found"
    assert "nobody / at all" in missing.value.detail
    assert missing.value.instance.startswith("/value/v1/customers/nobody")
    with pytest.raises(CannotBeAsked) as wrong:
        list(client.customers(tier="best"))  # type: ignore[arg-type]
    assert wrong.value.errors[0]["where"].startswith("tier")
    with pytest.raises(CannotBeAsked):
        list(client.customers(unknown=1))
    with pytest.raises(Unreachable, match="address right"):
        ev.connect("http://127.0.0.1:9", retries=0).headline()
    for url in ("ftp://x", "http://", "https://a:b@c", "https://a?b"):
        with pytest.raises(SettingsError):
            ev.connect(url)


class Told(BaseHTTPRequestHandler):
    """A server that says what the test wants."""

    protocol_version = "HTTP/1.1"
    answers: list[tuple[int, dict[str, str], bytes]]
    asked: list[dict[str, str]]

    def do_GET(self) -> None:
        self.asked.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
        status, headers, body = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if status == 0:
            self.connection.close()
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def told() -> Iterator[tuple[type[Told], str]]:
    kind = type("Now", (Told,), {"answers": [], "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield kind, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


JSON = {"Content-Type": "application/json"}
GOOD = json.dumps({"data": {"gems": 1}, "meta": {"run_id": "r"}}).encode()


def test_a_server_that_asks_for_a_pause_gets_it(
    told: tuple[type[Told], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, address = told
    problem = json.dumps(
        {"title": "Too many requests", "detail": "Wait.", "type": "urn:evervalue:problem:many"}
    )
    many = (429, {"Content-Type": "application/problem+json", "Retry-After": "3"}, problem.encode())
    waited: list[float] = []
    monkeypatch.setattr(line, "sleep", waited.append)
    kind.answers[:] = [many, (503, {"Retry-After": "1"}, b""), (0, {}, b""), (200, JSON, GOOD)]
    assert ev.connect(address, key="secret").headline() == {"gems": 1}
    assert 3 <= waited[0] < 3.5
    assert 1 <= waited[1] < 1.5
    assert kind.asked[0]["authorization"] == "Bearer secret"

    kind.asked.clear()
    kind.answers[:] = [many]
    with pytest.raises(TooManyRequests, match="Wait"):
        ev.connect(address, retries=2).headline()
    assert len(kind.asked) == 3

    kind.answers[:] = [(429, {"Retry-After": "86400"}, b"")]
    kind.asked.clear()
    with pytest.raises(TooManyRequests):
        ev.connect(address).headline()
    assert len(kind.asked) == 1, "nobody waits for a day"


def test_what_is_no_answer_of_ours_is_told_and_a_key_is_not_carried_elsewhere(
    told: tuple[type[Told], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, address = told
    monkeypatch.setattr(line, "sleep", lambda _: None)
    for status, headers, body, error, says in (
        (200, {"Content-Type": "text/html"}, b"<html>", ApiError, "does not answer as Evervalue does"),
        (200, JSON, b"[]", ApiError, "does not answer as Evervalue does"),
        (500, {}, b"oops", ServerFailed, "Is the address right"),
        (401, JSON, b'{"title": "Sign in", "detail": "The key is not known."}', NotSignedIn, "not known"),
        (307, {"Location": "https://elsewhere.example/"}, b"", ApiError, "elsewhere.example"),
    ):
        kind.asked.clear()
        kind.answers[:] = [(status, dict(headers), body)]
        with pytest.raises(error, match=says):
            ev.connect(address, key="secret", retries=1).headline()
        assert len(kind.asked) == 1


def test_rows_of_two_runs_are_never_given_as_one(told: tuple[type[Told], str]) -> None:
    kind, address = told

    def page(run_id: str, cursor: str | None) -> bytes:
        return json.dumps({"data": [{"a": 1}], "meta": {"run_id": run_id, "next_cursor": cursor}}).encode()

    kind.answers[:] = [(200, JSON, page("r1", "c")), (200, JSON, page("r2", None))]
    with pytest.raises(RunChanged, match="r2 was published while rows of run r1"):
        list(ev.connect(address).customers())
    assert "after=c" in kind.asked[1]["path"]


def test_an_answer_that_has_not_changed_is_not_sent_again(told: tuple[type[Told], str]) -> None:
    kind, address = told
    kind.answers[:] = [(200, {**JSON, "ETag": 'W/"1"'}, GOOD), (304, {"ETag": 'W/"1"'}, b"")]
    client = ev.connect(address)
    assert client.headline() == client.headline()
    assert kind.asked[1]["if-none-match"] == 'W/"1"'


def test_connections_are_kept_and_threads_share_a_client(client: Client) -> None:
    found: list[int] = []

    def ask() -> None:
        found.extend(client.headline()["gems"] for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [14] * 40
    assert 1 <= client._line._free.qsize() <= line.KEPT_OPEN


def test_it_imports_quickly_and_needs_no_server_parts() -> None:
    script = (
        "import sys, time; begun = time.perf_counter(); import evervalue as ev; ev.connect('http://x'); "
        "print(time.perf_counter() - begun); "
        "print([m for m in ('duckdb', 'fastapi', 'numpy', 'pandas', 'pydantic') if m in sys.modules])"
    )
    spent, modules = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert modules == "[]"
    assert float(spent) < 5, "half a second where nobody else computes"
