"""Changes: what became of every customer between two runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evervalue.api import compare, kept_runs
from evervalue.api.queries import compare as queries
from evervalue.api.queries.base import Page
from evervalue.api.requests import ListRequest
from evervalue.api.routes.runs import publisher_of
from evervalue.api.snapshots import Reading, Row
from evervalue.dashboard import change_words, run_words, words
from evervalue.dashboard.charts.movement import gains
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.links import url
from evervalue.dashboard.listing import View, asked_for
from evervalue.dashboard.opened import opened
from evervalue.dashboard.view import formats_of, is_fragment, render

PAGE = "runs"
TOP = 8
GRID = "div#grid"
By = Literal["money", "value", "score"]
MEASURES = {"money": "monetary_change", "value": "expected_change", "score": "score_change"}


class ChangesRequest(queries.ChangeFilters, ListRequest):
    """The list of customers, and by what the chart looks for gains."""

    by: By | Literal[""] = Field("")


class PairRequest(ListRequest):
    """Which two runs."""

    run: str = Field("", max_length=200)
    against: str = Field("", max_length=200)


@dataclass(frozen=True)
class Compared:
    """What two runs say of each other."""

    run_id: str
    against: str
    before: Row
    totals: Row
    movement: list[Row]
    settings: list[Row]
    money: bool
    """Whether amounts can be held against each other."""

    def findings(self, reading: Reading, formats: Formats) -> list[str]:
        """What changed, a sentence each."""
        word = words.value_word(reading.run)
        return change_words.findings(self.totals, self.movement, word, formats, money=self.money)

    def cell(self, was: str, now: str) -> Row | None:
        """What moved from one tier to another."""
        return next(
            (m for m in self.movement if (m["tier_before"], m["tier_now"]) == (was, now)),
            None,
        )

    def rows(self) -> list[str]:
        """Tiers that somebody was in."""
        return [
            name for name in queries.PLACES.values() if any(m["tier_before"] == name for m in self.movement)
        ]

    def columns(self) -> list[str]:
        """Tiers that somebody is in."""
        return [name for name in queries.PLACES.values() if any(m["tier_now"] == name for m in self.movement)]


def compared(request: Request, reading: Reading, run_id: str, against: str) -> Compared:
    """What two runs say of each other; `reading` reads both."""
    publisher = publisher_of(request)
    now, before = publisher.get(run_id), publisher.get(against)
    totals = reading.row(queries.summary(reading))
    assert totals is not None
    return Compared(
        run_id,
        against,
        kept_runs.row_of(before, publisher.current_id()),
        totals,
        reading.rows(queries.movement()),
        compare.settings_changed(now, before),
        compare.comparable(reading.run, before),
    )


def page(request: Request) -> Response:
    """The page at /changes, or its table alone where htmx asks for it."""
    asked = asked_for(ChangesRequest, request)
    publisher = publisher_of(request)
    run_id, against = compare.chosen(publisher, asked.run, asked.against)
    choices = kept_runs.listed(publisher)
    if against is None:
        with opened(request) as reading:
            return render(request, "changes_none.html", reading, page=PAGE, words=run_words)
    with compare.comparisons_of(request).between(run_id, against).lease() as reading:
        formats = formats_of(request, reading)
        query = asked.query()
        found = query.page(reading, asked.page(queries.DEFAULT_SORT))
        total = query.total(reading)
        view = View("/changes", _filters(asked), asked.sort, queries.DEFAULT_SORT)
        context: dict[str, Any] = {
            "asked": asked,
            "view": view,
            "rows": found.rows,
            "found": found,
            "total": total,
            "statement": found.statement,
            "filtered": bool(asked.conditions()),
            "change": change_words,
            "codes": queries.CODES,
            "files": files(asked),
        }
        if is_fragment(request, GRID):
            push = {"HX-Push-Url": view.here(asked)}
            return render(request, "changes_grid.html", reading, page=PAGE, headers=push, **context)
        pair = compared(request, reading, run_id, against)
        by = asked.by or "money"
        column = MEASURES[by]
        extremes = _extremes(reading, column) if pair.money or by == "score" else []
        word = {"money": words.value_word(reading.run), "value": "expected value", "score": "score"}[by]
        return render(
            request,
            "changes.html",
            reading,
            page=PAGE,
            pair=pair,
            choices=choices,
            words=run_words,
            title=change_words.title(pair.movement, formats),
            findings=pair.findings(reading, formats),
            caveat=change_words.caveat(pair.settings, formats),
            by=by,
            has_value=pair.totals["expected_now"] is not None,
            column=column,
            extremes=extremes,
            gains_title=change_words.gains_title(extremes, word, column, formats),
            gains_chart=gains(extremes, column, formats) if extremes else None,
            here_with=here_with(asked),
            **context,
        )


def panel(request: Request) -> Response:
    """What changed since the run before, for the Overview; a part of a page, or a small page without script."""
    asked = asked_for(PairRequest, request)
    run_id, against = compare.chosen(publisher_of(request), asked.run, asked.against)
    if against is None:
        with opened(request) as reading:
            return render(
                request, "changes_panel.html", reading, page=PAGE, pair=None, findings=[], caveat=""
            )
    with compare.comparisons_of(request).between(run_id, against).lease() as reading:
        formats = formats_of(request, reading)
        pair = compared(request, reading, run_id, against)
        return render(
            request,
            "changes_panel.html",
            reading,
            page=PAGE,
            pair=pair,
            words=run_words,
            findings=pair.findings(reading, formats),
            caveat=change_words.caveat(pair.settings, formats),
        )


def matrix(request: Request) -> Response:
    """The movement between tiers, for Segments; a part of a page."""
    asked = asked_for(PairRequest, request)
    run_id, against = compare.chosen(publisher_of(request), asked.run, asked.against)
    if against is None:
        with opened(request) as reading:
            return render(
                request, "changes_panel.html", reading, page=PAGE, pair=None, findings=[], caveat=""
            )
    with compare.comparisons_of(request).between(run_id, against).lease() as reading:
        formats = formats_of(request, reading)
        pair = compared(request, reading, run_id, against)
        return render(
            request,
            "changes_matrix.html",
            reading,
            page=PAGE,
            pair=pair,
            words=run_words,
            codes=queries.CODES,
            title=change_words.title(pair.movement, formats),
            caveat=change_words.caveat(pair.settings, formats),
            linked=[("run", asked.run), ("against", asked.against)],
        )


def _extremes(reading: Reading, column: str) -> list[Row]:
    """The biggest gainers, then the biggest losers, the biggest loss last."""
    query = queries.ChangeFilters().query()
    up = query.page(reading, Page(f"-{column}", limit=TOP)).rows
    down = query.page(reading, Page(column, limit=TOP)).rows
    gained = [row for row in up if row[column] is not None and row[column] > 0]
    lost = [row for row in down if row[column] is not None and row[column] < 0]
    return [*gained, *lost[::-1]]


def _filters(asked: ChangesRequest) -> tuple[tuple[str, object], ...]:
    return (
        ("run", asked.run),
        ("against", asked.against),
        ("q", asked.q),
        ("was", asked.was),
        ("now", asked.now),
        ("moved", asked.moved),
        ("by", asked.by),
    )


def here_with(asked: ChangesRequest) -> Any:
    """A function that gives the address of this view with one thing changed."""

    def changed(**more: str) -> str:
        kept = dict(_filters(asked))
        return url("/changes", [*{**kept, **more}.items()])

    return changed


def files(asked: ChangesRequest) -> dict[str, str]:
    """Addresses of everything that the filters leave, by format."""
    kept = [(name, value) for name, value in _filters(asked) if name != "by"]
    return {
        format_: url("/v1/compare", [("part", "customers"), *kept, ("sort", asked.sort), ("format", format_)])
        for format_ in ("csv", "xlsx", "json")
    }


ROUTES = [
    Route("/changes", page),
    Route("/changes/panel", panel),
    Route("/changes/matrix", matrix),
]
