"""Customers: find anyone, among a million."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from evervalue.api.queries import customers, overview
from evervalue.api.requests import CustomersRequest
from evervalue.api.snapshots import RunSettings
from evervalue.dashboard import words
from evervalue.dashboard.links import to
from evervalue.dashboard.listing import View, asked_for
from evervalue.dashboard.pages.profile import profile
from evervalue.dashboard.view import formats_of, is_fragment, reader_of, render

GRID = "div#grid"
NAME = "customer"


@dataclass(frozen=True)
class Column:
    """One column that the table can show."""

    key: str
    name: str
    kind: str
    """How a cell is written: tier, score, money, share, number, tenths, date or text."""

    sort: str = ""
    first: str = "-"
    shown: bool = False


def columns(run: RunSettings) -> tuple[Column, ...]:
    """The columns to choose from; the customer's name is always there."""
    money = words.value_word(run).capitalize()
    other = (
        Column("revenue", "Revenue", "money", "revenue", shown=True)
        if run.monetary_basis == "margin"
        else Column("margin", "Profit", "money", "margin")
    )
    return (
        Column("customer_value", "Tier", "tier", shown=True),
        Column("monetary", money, "money", "monetary", shown=True),
        other,
        Column("expected_clv", "Expected value", "money", "expected_clv", shown=True),
        Column("p_alive", "Still active", "share", "p_alive", shown=True),
        Column("expected_orders", "Expected orders", "tenths", "expected_orders"),
        Column("l_score", "L", "score", "l_score", shown=True),
        Column("r_score", "R", "score", "r_score", shown=True),
        Column("f_score", "F", "score", "f_score", shown=True),
        Column("m_score", "M", "score", "m_score", shown=True),
        Column("lrfm_score", "Score", "number", "lrfm_score", shown=True),
        Column("frequency", "Orders", "number", "frequency", shown=True),
        Column("length_days", "Length, days", "number", "length_days"),
        Column("recency_days", "Recency, days", "number", "recency_days", ""),
        Column("first_order_date", "First order", "date", "first_order_date"),
        Column("last_order_date", "Last order", "date", "last_order_date", shown=True),
        Column("region", "Region", "text", "region", "", shown=True),
        Column("customer_id", "Key", "text"),
        Column("attributes", "Attributes", "text"),
    )


class PageRequest(CustomersRequest):
    """The list, and what only the page knows: its columns, and a customer to open."""

    columns: customers.Words = Field((), max_length=50)
    id: str = Field("", max_length=1000)


def page(request: Request) -> Response:
    """The page at /customers, or its table alone where htmx asks for it."""
    asked = asked_for(PageRequest, request)
    if asked.id:
        return profile(request, asked.id)
    if asked.format in ("csv", "xlsx"):  # a form without script sends the page's address
        return RedirectResponse(to(f"/v1/customers?{request.url.query}"), status_code=303)
    with reader_of(request).lease() as reading:
        formats = formats_of(request, reading)
        every = columns(reading.run)
        shown = _chosen(asked.columns, every)
        query = asked.query()
        found = query.page(reading, asked.page(customers.DEFAULT_SORT))
        total = query.total(reading)
        view = View("/customers", _filters(asked, shown, every), asked.sort, customers.DEFAULT_SORT)
        context: dict[str, Any] = {
            "view": view,
            "asked": asked,
            "rows": found.rows,
            "found": found,
            "total": total,
            "says": asked.says(total, formats.number(total)),
            "statement": found.statement,
            "every": every,
            "shown": shown,
            "filtered": bool(asked.conditions()),
        }
        if is_fragment(request, GRID):
            push = {"HX-Push-Url": view.here(asked)}
            return render(
                request,
                "customers_grid.html",
                reading,
                page="customers",
                headers=push,
                fragment=True,
                **context,
            )
        return render(
            request,
            "customers.html",
            reading,
            page="customers",
            fragment=False,
            headline=reading.rows(overview.headline())[0],
            regions=[row["region"] for row in reading.rows(overview.regions())],
            **context,
        )


def _chosen(asked: tuple[str, ...], every: tuple[Column, ...]) -> tuple[Column, ...]:
    names = {name for part in asked for name in part.split(",")}
    return tuple(c for c in every if (c.key in names if names else c.shown))


def _filters(
    asked: PageRequest, shown: tuple[Column, ...], every: tuple[Column, ...]
) -> tuple[tuple[str, object], ...]:
    usual = tuple(c for c in every if c.shown)
    return (
        ("q", asked.q),
        *(("tier", t) for t in asked.tier),
        *(("region", r) for r in asked.region),
        ("gems", asked.gems),
        *asked.value_pairs(),
        ("columns", "" if shown == usual else ",".join(c.key for c in shown) or NAME),
    )


ROUTES = [Route("/customers", page)]
