"""Addresses hold the whole state of a table, and nothing else does."""

from __future__ import annotations

import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from evervalue.api.requests import CustomersRequest
from evervalue.dashboard.assets import bundle
from evervalue.dashboard.links import customer_url
from evervalue.dashboard.listing import View, asked_for
from evervalue.dashboard.pages.customers import PageRequest


def request(query: str) -> Request:
    return Request(
        {"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": []}
    )


def test_what_a_plain_form_sends_is_understood() -> None:
    asked = asked_for(PageRequest, request("q=+a+&tier=&region=&gems=&sort=&columns=customer&columns=region"))
    assert (asked.q, asked.tier, asked.region, asked.gems, asked.sort) == ("a", (), (), False, "")
    assert asked.columns == ("customer", "region")


def test_parameters_of_others_are_ignored_and_bad_ones_refused() -> None:
    assert asked_for(CustomersRequest, request("utm_source=mail&tier=mid")).tier == ("mid",)
    with pytest.raises(RequestValidationError):
        asked_for(CustomersRequest, request("tier=best"))


def test_sorting_turns_round_and_drops_the_page() -> None:
    view = View("/customers", (("tier", "mid"),), "", "-monetary")
    assert view.sorted_by("monetary", "-") == "/customers?tier=mid&sort=monetary"
    assert view.sorted_by("customer", "") == "/customers?tier=mid&sort=customer"
    assert (view.direction("monetary"), view.direction("customer")) == ("descending", "")
    up = View("/customers", (), "customer", "-monetary")
    assert up.sorted_by("customer", "") == "/customers?sort=-customer"
    assert up.sorted_by("monetary", "-") == "/customers"
    assert up.direction("customer") == "ascending"


def test_pages_and_exports_keep_filters_and_order() -> None:
    view = View("/customers", (("q", "a b"), ("columns", "region")), "customer", "-monetary")
    assert view.paged("after", "xyz") == "/customers?q=a+b&columns=region&sort=customer&after=xyz"
    assert view.export("csv") == "/v1/customers?q=a+b&sort=customer&format=csv"


@given(st.text(min_size=1, max_size=40).filter(lambda t: t.encode("utf-8", "ignore").decode() == t))
def test_no_key_breaks_out_of_its_address(key: str) -> None:
    address = customer_url(key)
    assert address.isascii()
    assert address.startswith(("/customers/", "/customers?id="))
    assert not any(c in address.removeprefix("/customers") for c in "\"'<># \n")


def test_static_files_have_one_changing_address() -> None:
    held = bundle()
    assert held.url("app.js") == f"/static/{held.digest}/app.js"
    with pytest.raises(KeyError):
        held.url("nothing.js")
    assert sum(len(held.files[n].squeezed or b"") for n in held.files if n.endswith(".js")) < 300_000
