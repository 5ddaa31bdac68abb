"""Lifetime value: what customers will be worth."""

from __future__ import annotations

from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evervalue.api.queries import models as of_models
from evervalue.api.queries import overview
from evervalue.api.queries import value as of_value
from evervalue.api.snapshots import Reading, Row
from evervalue.dashboard import prospect, value_words
from evervalue.dashboard.charts import value as charts
from evervalue.dashboard.links import url
from evervalue.dashboard.listing import asked_for
from evervalue.dashboard.view import formats_of, reader_of, render

FALLING = 12
"""Falling customers that the page shows; the export has all."""
EARLIER = "insight.value_outlook"
"""A run that lacks it was published before this page was."""


def page(request: Request) -> Response:
    """The page at /value; `?tier=mid&region=EMEA` narrows it."""
    filters = asked_for(of_value.ValueFilters, request)
    with reader_of(request).lease() as reading:
        value = reading.row(of_value.headline()) if reading.has("insight.value_headline") else None
        if value is None or value["expected_clv"] is None or not reading.has(EARLIER):
            return _without(request, reading, value)
        formats = formats_of(request, reading)
        bands = reading.rows(of_value.distribution(filters))
        stakes = reading.rows(of_value.at_stake(filters))
        best = reading.rows(of_value.top(filters))
        fallen = reading.rows(of_value.falling(filters, FALLING))
        past = reading.rows(of_value.forecast())
        span = value["horizon_days"]
        falling = sum(row["falling"] for row in stakes)
        shared = filters.pairs()

        def kept(path: str, **more: str) -> str:
            return url(path, [*shared, *more.items()])

        def in_band(row: Row) -> str:
            return url("/customers", [*shared, *_ends("clv", row["band_from"], row["band_to"]), _BY_VALUE])

        def in_stake(row: Row) -> str:
            ends = _ends("p_alive", row["alive_from"], row["alive_to"])
            return url("/customers", [*shared, *ends, _BY_VALUE])

        return render(
            request,
            "value.html",
            reading,
            page="value",
            value=value,
            prospect=prospect,
            said=value_words,
            filters=filters,
            kept=kept,
            selected=_selected(stakes) if shared else None,
            regions=[row["region"] for row in reading.rows(overview.regions())],
            span=span,
            bands=bands,
            stakes=stakes,
            best=best,
            fallen=fallen,
            falling=falling,
            past=past,
            tiers=reading.rows(of_value.by_tier()),
            lost=sum(r["customers"] for r in stakes if (r["alive_to"] or 1.0) <= value_words.LIKELY_LOST),
            in_band=in_band,
            in_stake=in_stake,
            bands_title=value_words.spread(bands, formats),
            stakes_title=value_words.at_stake(stakes, span, formats),
            falling_title=value_words.falling(falling, span, formats),
            past_title=value_words.forecast(past, formats),
            bands_chart=charts.distribution(bands, in_band, formats),
            stakes_chart=charts.at_stake(stakes, in_stake, formats),
            best_chart=charts.top(best, formats),
            past_chart=charts.forecast(past, formats),
        )


_BY_VALUE = ("sort", "-expected_clv")


def _ends(name: str, low: object, high: object) -> list[tuple[str, object]]:
    """The two ends of a range as an address carries them; an open end is left out."""
    ends = ((f"{name}_from", low), (f"{name}_to", high))
    return [
        (key, f"{end:f}" if isinstance(end, Decimal) else f"{end}") for key, end in ends if end is not None
    ]


def _selected(stakes: list[Row]) -> Row:
    """The customers in view, added up; expectations may be added, interval ends may not."""
    return {
        "customers": sum(row["customers"] for row in stakes),
        "expected_clv": sum((row["expected_clv"] for row in stakes), Decimal(0)),
        "expected_alive": sum(row["expected_alive"] or 0.0 for row in stakes),
    }


def _without(request: Request, reading: Reading, value: Row | None) -> Response:
    """The page where there is nothing to show, and why."""
    fits = reading.rows(of_models.fits()) if reading.has("models.fits") and reading.has("run.fits") else []
    earlier = value is None or (value["expected_clv"] is not None and not reading.has(EARLIER))
    return render(
        request,
        "value_without.html",
        reading,
        page="value",
        earlier=earlier,
        why=fits[0]["model_says"] if fits else "",
    )


ROUTES = [Route("/value", page)]
