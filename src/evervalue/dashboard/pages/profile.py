"""Customer profile: who is this, what holds them back, and what would change it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evervalue.api.errors import NotFound
from evervalue.api.kept import notes_of
from evervalue.api.profile import profile as written
from evervalue.api.queries import customer as one
from evervalue.api.queries import value as of_value
from evervalue.api.routes.common import live_of
from evervalue.api.snapshots import Reading, Row
from evervalue.api.what_if import WhatIfRequest, what_if
from evervalue.core.money import divided
from evervalue.dashboard import live_words, prospect, what_if_words, words
from evervalue.dashboard.charts.months import months
from evervalue.dashboard.links import asked_of, customer_url, notes_url, what_if_url
from evervalue.dashboard.listing import asked_for
from evervalue.dashboard.view import formats_of, reader_of, render

ORDERS = 20
STRETCHES = 20
"""Earlier values of an attribute that are shown; all of them are in the API."""


def page(request: Request) -> Response:
    """The page at /customers/<key>."""
    return profile(request, str(request.path_params["customer_id"]))


def profile(request: Request, customer_id: str) -> Response:
    """The page of one customer.

    Raises
    ------
    NotFound
        No customer has the key.
    """
    with reader_of(request).lease() as reading:
        formats = formats_of(request, reading)
        customer = reading.row(one.customer(customer_id))
        found = live_of(request).profile_if_there(reading, customer_id, written(reading, customer_id))
        now = None if found is None else found.row
        if customer is None:
            return _new(request, reading, now, customer_id)
        scored = customer["lrfm_score"] is not None
        peers = reading.row(one.peers(customer_id)) if scored else None
        by_month = reading.rows(one.months(customer_id))
        has_margin = any(m["margin"] for m in by_month)
        orders = reading.rows(one.orders(customer_id, ORDERS + 1))
        known = reading.rows(one.attributes(customer_id))
        visits = reading.row(one.features(customer_id)) if reading.has(one.OF_EVENTS["features"]) else None
        value = reading.row(of_value.of_customer(customer_id))
        expected = value is not None and value["expected_clv"] is not None
        place = reading.row(of_value.place(customer_id)) if expected else None
        asked = asked_for(WhatIfRequest, request)
        held = written(reading, customer_id) if scored else None
        return render(
            request,
            "profile.html",
            reading,
            page="customers",
            customer=customer,
            now=now,
            words_of_live=live_words,
            scored=scored,
            held=words.what_holds_back(customer, peers, reading.run, formats) if peers else [],
            value=value,
            place=place,
            prospect=prospect,
            gem=reading.row(one.gem(customer_id)) if customer["is_gem"] else None,
            steps=reading.rows(one.what_if(customer_id)) if customer["is_gem"] else [],
            months=[m for m in by_month if m["orders"]],
            months_chart=months(by_month, formats, margin=has_margin),
            has_margin=has_margin,
            orders=orders[:ORDERS],
            more_orders=len(orders) > ORDERS,
            attributes=by_attribute(known),
            visits=visits,
            held_for=words.held_for,
            asked=asked,
            tried=what_if(reading, held, asked.wish()) if held else None,
            try_url=what_if_url(customer_id),
            try_words=what_if_words,
            **_reach(customer),
            notes=notes_of(request).of(customer_id),
            notes_url=notes_url(customer_id),
            fault="",
            says="",
        )


def live(request: Request) -> Response:
    """The part of the page that events change, at /live/<key>; nothing where nothing is live.

    Raises
    ------
    NotFound
        No customer has the key.
    """
    customer_id = str(request.path_params["customer_id"])
    with reader_of(request).lease() as reading:
        customer = reading.row(one.customer(customer_id))
        found = live_of(request).profile(reading, customer_id, written(reading, customer_id))
        if found is None:
            raise _unknown(reading, customer_id)
        return render(
            request, "profile_live.html", reading, page="customers", customer=customer, now=found.row,
            words_of_live=live_words,
        )  # fmt: skip


def tried(request: Request) -> Response:
    """What a wish makes of the customer, at /what-if/<key>; the whole page for who has no script.

    Raises
    ------
    NotFound
        No customer has the key.
    """
    customer_id = str(request.path_params["customer_id"])
    asked = asked_for(WhatIfRequest, request)
    with reader_of(request).lease() as reading:
        held = written(reading, customer_id)
        if held is None or held.row["lrfm_score"] is None:
            raise _unknown(reading, customer_id)
        here = asked_of(customer_url(customer_id), asked.model_dump(exclude_defaults=True).items())
        return render(
            request, "profile_what_if.html", reading, page="customers", headers={"HX-Replace-Url": here},
            tried=what_if(reading, held, asked.wish()), try_words=what_if_words,
        )  # fmt: skip


def _reach(customer: Row) -> dict[str, Any]:
    """How far the sliders go: to twice the customer's age in days, and to five times the usual worth of an order."""
    if not customer["frequency"]:
        return {}
    usual = divided(customer["monetary"], customer["frequency"])
    dearest = max(Decimal(10), abs(usual) * 5).quantize(Decimal(1))
    longest = max(365, 2 * customer["recency_days"], customer["length_days"] + customer["recency_days"])
    return {"usual": usual, "dearest": dearest, "longest": longest, "notch": max(Decimal(1), dearest // 200)}


def _new(request: Request, reading: Reading, now: Row | None, customer_id: str) -> Response:
    """The page of somebody whom events alone tell of."""
    if now is None:
        raise _unknown(reading, customer_id)
    return render(
        request,
        "profile_new.html",
        reading,
        page="customers",
        customer=None,
        now=now,
        words_of_live=live_words,
    )


def _unknown(reading: Reading, customer_id: str) -> NotFound:
    return NotFound(f"No customer in run {reading.run_id} has the key “{customer_id[:200]}”.")


def by_attribute(known: list[Row]) -> list[Row]:
    """One row an attribute: the latest value, and the newest of the others, with how many more there are."""
    found: dict[str, list[Row]] = {}
    for row in known:
        found.setdefault(row["attribute"], []).append(row)
    return [
        {
            "attribute": attribute,
            "latest": rows[0],
            "others": rows[1 : STRETCHES + 1],
            "more": max(0, len(rows) - 1 - STRETCHES),
        }
        for attribute, rows in found.items()
    ]


ROUTES = [
    Route("/customers/{customer_id:key}", page),
    Route("/live/{customer_id:key}", live),
    Route("/what-if/{customer_id:key}", tried),
]
