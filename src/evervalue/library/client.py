"""A server's answers in Python: `ev.connect(url)` asks the same questions as the pages, and gives the same numbers.

>>> import evervalue as ev
>>> client = ev.connect("https://value.example.com", key="a key")
>>> client
<Client of https://value.example.com>

Money comes as `Decimal`, days as `date`, instants as `datetime` (UTC). Lists are asked for page by page while one
iterates, and become pandas, Polars or Arrow frames where those are installed. A server that asks for a pause is given
it; what it did not answer is an `ApiError` that says why.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

from evervalue.library.remote.errors import ApiError
from evervalue.library.remote.line import Line
from evervalue.library.remote.rows import One, Page, Row, Rows
from evervalue.library.remote.values import decoded

Asks = TypeVar("Asks", bound=Callable[..., Any])
Tier = Literal["high", "mid", "low"]
PAGE = 1000
"""Rows that are asked for at a time."""
ROUTES: dict[str, str] = {}
"""Route of the API: the method that asks it."""


def connect(
    url: str,
    key: str | None = None,
    *,
    timeout: float = 30.0,
    retries: int = 4,
    kept: int = 128,
    verify: ssl.SSLContext | None = None,
) -> Client:
    """A client of the server at `url`; nothing is asked before the first question.

    Parameters
    ----------
    url
        Address of the server, with its path where a proxy shows it under one.
    key
        An API key. A server on this machine that asks nobody to sign in needs none.
    timeout
        Seconds after which a connection is given up.
    retries
        How often a question is asked again where the server asks for a pause or does not answer.
    kept
        How many answers are kept, to be told that they have not changed.
    verify
        How certificates are checked. Default: as the system does.

    Raises
    ------
    SettingsError
        It is no address.
    """
    return Client(Line(url, key, timeout=timeout, retries=retries, kept=kept, verify=verify))


def _asks(route: str) -> Callable[[Asks], Asks]:
    def noted(method: Asks) -> Asks:
        ROUTES[route] = method.__name__
        return method

    return noted


class Client:
    """A server. Any number of threads may use one client; every method takes the parameters of its route."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def __repr__(self) -> str:
        return f"<Client of {self._line}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets the connections go."""
        self._line.close()

    # ---- the customer base ----

    @_asks("/v1/headline")
    def headline(self) -> One:
        """The whole customer base in one row: customers, tiers, hidden gems, money."""
        return self._one("/v1/headline")

    @_asks("/v1/customers")
    def customers(
        self, *, tier: Tier | Sequence[Tier] | None = None, sort: str | None = None, **filters: object
    ) -> Rows:
        """Customers with expected value, its interval, scores and tier, by any filter of the Customers page."""
        return self._rows("customers", "/v1/customers", tier=tier, sort=sort, **filters)

    @_asks("/v1/customers/{customer_id}")
    def customer(self, customer_id: str, part: str | None = None) -> Any:
        """One customer with orders, scores, value and live profile; `part` gives rows of that part alone."""
        path = f"/v1/customers/{_segment(customer_id)}"
        return self._whatever("customer", path, part=part)

    @_asks("/v1/what-if/{customer_id}")
    def what_if(self, customer_id: str, **changes: object) -> One:
        """One customer rescored with further orders, recency or spend, and what that is worth."""
        return self._one(f"/v1/what-if/{_segment(customer_id)}", **changes)

    @_asks("/v1/live/{customer_id}")
    def follow(self, customer_id: str) -> Iterator[Row]:
        """The live profile, now and whenever an event or a run changes it; ends where nothing is live."""
        return self._events(f"/v1/live/{_segment(customer_id)}")

    @_asks("/v1/gems")
    def gems(self, *, sort: str | None = None, **filters: object) -> Rows:
        """Hidden gems with reason, recommended action and the smallest step to High-Value."""
        return self._rows("hidden gems", "/v1/gems", sort=sort, **filters)

    @_asks("/v1/segments")
    def segments(self, part: str | None = None, **asked: object) -> Rows:
        """What the tiers are made of: `part` is tiers, concentration, lorenz, scores or another that the API names."""
        return self._rows("segments", "/v1/segments", part=part, **asked)

    @_asks("/v1/clv")
    def clv(self, part: str | None = None, **asked: object) -> Any:
        """Lifetime value of the customer base, by part."""
        return self._whatever("lifetime value", "/v1/clv", part=part, **asked)

    @_asks("/v1/clv/customers")
    def clv_customers(self, *, sort: str | None = None, **filters: object) -> Rows:
        """Customers by expected value, with the interval."""
        return self._rows("lifetime value of customers", "/v1/clv/customers", sort=sort, **filters)

    @_asks("/v1/cohorts")
    def cohorts(self, part: str | None = None, **asked: object) -> Any:
        """Retention and value by the period of the first order."""
        return self._whatever("cohorts", "/v1/cohorts", part=part, **asked)

    @_asks("/v1/revenue")
    def revenue(self, part: str | None = None, **asked: object) -> Any:
        """Revenue, margin, orders and customers by month, or by what `part` and `by` name."""
        return self._whatever("revenue", "/v1/revenue", part=part, **asked)

    @_asks("/v1/compare")
    def compare(self, part: str | None = None, **asked: object) -> Any:
        """Two runs held against each other: `run` and `against`."""
        return self._whatever("comparison", "/v1/compare", part=part, **asked)

    # ---- acting ----

    @_asks("/v1/actions")
    def actions(self, *, sort: str | None = None, **filters: object) -> Rows:
        """Whom to act on, and why."""
        return self._rows("actions", "/v1/actions", sort=sort, **filters)

    @_asks("/v1/actions/decisions")
    def decisions(self, **asked: object) -> Rows:
        """What people decided about recommended actions."""
        return self._rows("decisions", "/v1/actions/decisions", **asked)

    @_asks("/v1/targeting")
    def targeting(self, **asked: object) -> Any:
        """Whom to contact under a budget and a contact cost."""
        return self._whatever("targeting", "/v1/targeting", **asked)

    @_asks("/v1/audiences")
    def audiences(self) -> Rows:
        """Audiences that people keep."""
        return self._rows("audiences", "/v1/audiences")

    @_asks("/v1/audiences/{audience_id}")
    def audience(self, audience_id: object) -> One:
        """One audience."""
        return self._one(f"/v1/audiences/{_segment(audience_id)}")

    @_asks("/v1/audiences/{audience_id}/members")
    def audience_members(self, audience_id: object, part: str | None = None) -> Rows:
        """Who is in an audience now."""
        return self._rows("members", f"/v1/audiences/{_segment(audience_id)}/members", part=part)

    @_asks("/v1/audiences/{audience_id}/exports")
    def audience_exports(self, audience_id: object) -> Rows:
        """The exports of an audience."""
        return self._rows("exports", f"/v1/audiences/{_segment(audience_id)}/exports")

    @_asks("/v1/audiences/{audience_id}/exports/{number}")
    def audience_export(self, audience_id: object, number: int, part: str | None = None) -> Rows:
        """Who was in one export of an audience."""
        path = f"/v1/audiences/{_segment(audience_id)}/exports/{_segment(number)}"
        return self._rows("export", path, part=part)

    @_asks("/v1/notes/{customer_id}")
    def notes(self, customer_id: str) -> Rows:
        """What people noted on a customer."""
        return self._rows("notes", f"/v1/notes/{_segment(customer_id)}")

    @_asks("/v1/views")
    def views(self) -> Rows:
        """Views that people keep under a name."""
        return self._rows("views", "/v1/views")

    # ---- trust ----

    @_asks("/v1/models")
    def models(self, part: str | None = None) -> Any:
        """How the models did on the past, by part."""
        return self._whatever("models", "/v1/models", part=part)

    @_asks("/v1/models/card")
    def model_card(self) -> Any:
        """What the models are, what they were fitted on and how far to trust them."""
        return self._whatever("model card", "/v1/models/card")

    @_asks("/v1/runs")
    def runs(self, part: str | None = None) -> Rows:
        """The kept runs, the newest first."""
        return self._rows("runs", "/v1/runs", part=part)

    @_asks("/v1/runs/current")
    def current_run(self, part: str | None = None) -> Any:
        """The published run: its settings; `part` gives sources, tables (with SQL) or columns."""
        return self._whatever("run", "/v1/runs/current", part=part)

    @_asks("/v1/runs/progress")
    def progress(self) -> Any:
        """How far the run is that goes on now."""
        return self._whatever("progress", "/v1/runs/progress")

    @_asks("/v1/runs/{run_id}")
    def run(self, run_id: str, part: str | None = None) -> Any:
        """One run."""
        return self._whatever("run", f"/v1/runs/{_segment(run_id)}", part=part)

    @_asks("/v1/sources")
    def sources(self, part: str | None = None) -> Rows:
        """Every source with its state now; `part="events"` gives those of the collector."""
        return self._rows("sources", "/v1/sources", part=part)

    @_asks("/v1/sources/{source}")
    def source(self, source: str, part: str | None = None) -> Any:
        """One source with its checks, loads, reconciliation and quarantine; `part` gives one of them alone."""
        return self._whatever("source", f"/v1/sources/{_segment(source)}", part=part)

    # ---- anything ----

    def get(self, path: str, **asked: object) -> Any:
        """Any other question under /v1: rows where the answer is a list, else one thing."""
        return self._whatever(path, path if path.startswith("/v1/") else f"/v1/{path.lstrip('/')}", **asked)

    def _one(self, path: str, **asked: object) -> One:
        data, meta = self._decoded(path, asked)
        return One(data or {}, meta)

    def _whatever(self, name: str, path: str, **asked: object) -> Any:
        """Rows or one thing, as the server answers; the first answer tells which."""
        first = self._decoded(path, asked)
        if isinstance(first[0], list):
            return self._rows(name, path, first, **asked)
        return One(first[0], first[1]) if isinstance(first[0], dict) else first[0]

    def _rows(
        self, name: str, path: str, first: tuple[Any, dict[str, Any]] | None = None, /, **asked: object
    ) -> Rows:
        waiting = [first] if first else []

        def page(cursor: str | None) -> Page:
            if waiting and cursor is None:
                return waiting.pop()
            more = {"after": cursor, "limit": asked.get("limit") or PAGE} if cursor else {}
            data, meta = self._decoded(path, {**asked, **more})
            if not isinstance(data, list):
                raise ApiError(f"{path} gives one thing and no rows. Ask for it with client.get().")
            return data, meta

        def pieces(format_: str) -> Iterator[bytes]:
            return self._line.pieces(path, {**asked, "format": format_})

        return Rows(name, page, pieces)

    def _decoded(self, path: str, asked: dict[str, object]) -> tuple[Any, dict[str, Any]]:
        reply = self._line.get(path, asked)
        try:
            return decoded(reply.body)
        except ValueError:
            raise ApiError(
                f"{self._line}{path} does not answer as Evervalue does. Is the address right?"
            ) from None

    def _events(self, path: str) -> Iterator[Row]:
        body = b""
        try:
            for piece in self._line.pieces(path, {}):
                *events, body = (body + piece).split(b"\n\n")
                for event in events:
                    data = [line[5:] for line in event.splitlines() if line.startswith(b"data:")]
                    if data:
                        yield json.loads(b"\n".join(data))
        except http.client.HTTPException:
            return


def _segment(value: object) -> str:
    """A key as one part of a path.

    >>> _segment("A/B ?")
    'A%2FB%20%3F'
    """
    return quote(str(value), safe="")
