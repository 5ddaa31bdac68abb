"""Segments: what the tiers are made of."""

from __future__ import annotations

from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evervalue.api.errors import BadRequest
from evervalue.api.queries import overview, segments
from evervalue.api.snapshots import Row
from evervalue.core.text import did_you_mean
from evervalue.dashboard import words
from evervalue.dashboard.charts.lorenz import lorenz
from evervalue.dashboard.listing import asked_for
from evervalue.dashboard.pages.changes import PairRequest
from evervalue.dashboard.view import formats_of, reader_of, render

DEFAULT_PAIR = "R-F"
STEPS = 8


def page(request: Request) -> Response:
    """The page at /segments; `?pair=R-F` chooses the heat map."""
    with reader_of(request).lease() as reading:
        formats = formats_of(request, reading)
        headline = reading.rows(overview.headline())[0]
        tiers = reading.rows(segments.tiers())
        curve = reading.rows(segments.lorenz())
        pairs = [row["pair"] for row in reading.rows(segments.score_pairs())]
        pair = request.query_params.get("pair") or (
            DEFAULT_PAIR if DEFAULT_PAIR in pairs else (pairs or [""])[0]
        )
        if pairs and pair not in pairs:
            raise BadRequest(f"There is no heat map of '{pair[:20]}'{did_you_mean(pair, pairs)}.")
        cells = reading.rows(segments.scores(pair)) if pairs else []
        return render(
            request,
            "segments.html",
            reading,
            asked=asked_for(PairRequest, request),
            page="segments",
            headline=headline,
            tiers=tiers,
            by_tier={t["customer_value"]: t for t in tiers},
            title=words.tier_finding(tiers, reading.run, formats),
            against_title=words.high_against_mid(tiers, formats),
            pairs=pairs,
            pair=pair,
            names=words.DIMENSIONS,
            grid=grid(cells, reading.run.bins),
            concentration=tops(reading.rows(segments.concentration())),
            curve=curve,
            curve_title=words.concentration_finding(curve, reading.run, formats),
            curve_chart=lorenz(curve, words.value_word(reading.run), formats),
        )


def grid(cells: list[Row], bins: int) -> list[list[Row]]:
    """The heat map as rows of cells, the best score on top, each with its step on the one-colour ramp."""
    found = {(c["x_score"], c["y_score"]): c for c in cells}
    most = max((c["customers"] for c in cells), default=0)
    rows: list[list[Row]] = []
    for y in range(bins, 0, -1):
        line: list[Row] = []
        for x in range(1, bins + 1):
            cell = found.get((x, y), {"customers": 0, "monetary": Decimal(0)})
            step = -(-cell["customers"] * STEPS // most) if most else 0
            line.append(
                {"x": x, "y": y, "customers": cell["customers"], "monetary": cell["monetary"], "step": step}
            )
        rows.append(line)
    return rows


def tops(rows: list[Row]) -> list[Row]:
    """One row for each of the top 10, 20, 50, ...: customers of each tier among them, and their money together."""
    found: dict[int, Row] = {}
    for row in rows:
        top = found.setdefault(
            row["top_n"], {"top_n": row["top_n"], "tiers": {}, "share": None, "customers": 0}
        )
        top["tiers"][row["customer_value"]] = row
        top["customers"] += row["customers"]
        if row["monetary_share"] is not None:
            top["share"] = (top["share"] or 0.0) + float(row["monetary_share"])
    return [top for top in found.values() if top["customers"]]


ROUTES = [Route("/segments", page)]
