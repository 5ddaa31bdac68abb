"""Cursors, cells, host names and the watchdog, one by one."""

from __future__ import annotations

import base64
import json
import threading
import time
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evervalue.api.cells import csv_text, safe_cell, to_json
from evervalue.api.cursor import LONGEST, Cursor, decode
from evervalue.api.errors import BadRequest
from evervalue.api.middleware import host_name
from evervalue.api.watchdog import Watchdog


@given(st.text(max_size=30), st.none() | st.text(max_size=50), st.text(max_size=50), st.integers(1, 10**9))
def test_a_cursor_comes_back_as_it_went(sort: str, value: str | None, key: str, position: int) -> None:
    sort = sort.encode("utf-8", "ignore").decode()
    value = None if value is None else value.encode("utf-8", "ignore").decode()
    key = key.encode("utf-8", "ignore").decode()
    cursor = Cursor(sort, value, key, position)
    assert decode(cursor.encode(), sort) == cursor


@given(st.text(max_size=60))
def test_no_made_up_cursor_gets_through(text: str) -> None:
    with pytest.raises(BadRequest):
        decode(text, "customer")


@pytest.mark.parametrize(
    "given_cursor",
    [
        ["customer", 5, "k", 1],
        ["customer", "v", None, 1],
        ["customer", "v", "k", 0],
        ["customer", "v", "k", True],
        ["customer", "v", "k", 10**1000],
        ["customer", "\ud800", "k", 1],
        ["customer", "v", "\ud800", 1],
        ["\ud800", "v", "k", 1],
        [["customer"], "v", "k", 1],
        ["customer", None, "k", 1, False],
        ["customer", None, "k", 1, True, True],
        [],
        {},
    ],
)
def test_no_forged_cursor_gets_through(given_cursor: object) -> None:
    text = base64.urlsafe_b64encode(json.dumps(given_cursor).encode()).decode()
    with pytest.raises(BadRequest):
        decode(text, "customer")


def test_a_cursor_is_never_too_long_to_be_taken() -> None:
    for value, key in (("v" * 3000, "k"), ("v", "k" * 3000), ("💎" * 5000, "💎" * 5000)):
        text = Cursor("customer", value, key, 7).encode()
        assert len(text) <= LONGEST
        found = decode(text, "customer")
        assert (found.digested, found.value, found.position) == (True, None, 7)


def test_a_deep_cursor_is_refused() -> None:
    for text in ("[" * 1500, '{"a":' * 900, "[" * 1499 + "]" * 1499):
        with pytest.raises(BadRequest):
            decode(base64.urlsafe_b64encode(text.encode()).decode(), "customer")


def test_a_cursor_of_another_order_is_refused() -> None:
    with pytest.raises(BadRequest, match="belongs to the sort order 'customer'"):
        decode(Cursor("customer", "a", "b", 1).encode(), "-monetary")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\nx"])
def test_formula_cells_are_made_safe(text: str) -> None:
    assert safe_cell(text) == "'" + text


def test_numbers_stay_numbers() -> None:
    assert (
        csv_text([(Decimal("-1.50"), -3, 0.25, date(2024, 1, 2), None, "a,b")])
        == '-1.50,-3,0.25,2024-01-02,,"a,b"\r\n'
    )


def test_money_is_text_to_the_last_digit() -> None:
    assert to_json({"m": Decimal("0.1000"), "d": date(2024, 1, 2)}) == b'{"m":"0.1000","d":"2024-01-02"}'


@pytest.mark.parametrize(
    ("header", "name"),
    [("localhost", "localhost"), ("LOCALHOST:80", "localhost"), ("[::1]:8000", "::1"), ("", ""), ("[", "")],
)
def test_host_names(header: str, name: str) -> None:
    assert host_name(header) == name


def test_the_watchdog_stops_what_is_late_and_nothing_else() -> None:
    watchdog = Watchdog()
    stopped = threading.Event()
    with watchdog.limit(30, lambda: pytest.fail("not late")) as patient:
        pass
    with watchdog.limit(0.05, stopped.set) as late:
        assert stopped.wait(5)
    with watchdog.limit(0.01, lambda: pytest.fail("ended in time")) as quick:
        quick.end()
        time.sleep(0.05)
    assert (patient.fired, late.fired, quick.fired) == (False, True, False)
