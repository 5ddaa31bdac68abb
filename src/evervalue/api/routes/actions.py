"""Whom to act on: the queue of actions, what people decide about it, and whom to contact for a budget."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response

from evervalue.actions.factors import factors
from evervalue.api.access import needs, who_of
from evervalue.api.answers import etag, json_answer, table_answer, unchanged
from evervalue.api.desks import decisions_of
from evervalue.api.errors import NotFound
from evervalue.api.queries import actions, targeting
from evervalue.api.requests import ActionsRequest, TargetingRequest
from evervalue.api.routes.common import list_answer, reader_of
from evervalue.api.snapshots import Reading, Row
from evervalue.governance.roles import Right
from evervalue.state.decisions import MOST_NOTE, Choice

router = APIRouter(prefix="/v1")
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class Decision(BaseModel):
    """What is decided about a recommended action."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "1093",
                    "reason": "gem",
                    "choice": "assign",
                    "assignee": "Ada",
                    "note": "Knows them.",
                }
            ]
        },
    )

    customer_id: str = Field(min_length=1, max_length=1000)
    reason: Literal["at_risk", "gem", "silent"]
    choice: Choice
    """assign, done, snooze (until a day), decline (not for this customer) or reopen."""

    assignee: Short = ""
    """With assign: who is to do it; empty is whoever decides."""

    until: dt.date | None = None
    """With snooze: the day on which it is open again."""

    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MOST_NOTE)] = ""

    @model_validator(mode="after")
    def _fits(self) -> Decision:
        if self.choice == "snooze" and self.until is None:
            raise PydanticCustomError("snooze_until", "to snooze, give the day until which in 'until'")
        return self


@router.get("/actions")
def action_list(request: Request, asked: Annotated[ActionsRequest, Query()]) -> Response:
    """The queue of actions: why, what is recommended, what is at stake, the priority, and what was decided."""
    with reader_of(request).lease() as reading:
        queued(reading)
        kept = decisions_of(request)
        me = who_of(request).name
        query = asked.query(kept.standing(), me)
        tagged = (kept.version(), me)
        return list_answer(
            request, reading, "actions", query, asked, actions.DEFAULT_SORT, asked.says,
            tagged=tagged, told=actions.told,
        )  # fmt: skip


@router.get("/actions/decisions")
def decision_list(
    request: Request, customer_id: str = Query("", max_length=1000), limit: int = Query(50, ge=1, le=1000)
) -> Response:
    """What was decided, the newest first: of all customers, or of one."""
    with reader_of(request).lease() as reading:
        kept = decisions_of(request)
        tag = etag(reading, request, kept.version())
        if (same := unchanged(request, tag)) is not None:
            return same
        rows = kept.log(customer_id=customer_id or None, limit=limit)
        return json_answer(rows, {"run_id": reading.run_id, "as_of": reading.run.as_of}, tag)


@router.post("/actions/decisions", status_code=201)
@needs(Right.WORK)
def decide(request: Request, decision: Annotated[Decision, Body()]) -> Response:
    """Keeps a decision about one customer and one reason; it holds over runs. 404 for a customer whom the run lacks."""
    with reader_of(request).lease() as reading:
        row = keep(request, reading, decision)
        answer = json_answer(row, {"run_id": reading.run_id, "as_of": reading.run.as_of}, f'W/"{row["id"]}"')
        answer.status_code = 201
        return answer


@router.get("/targeting")
def target(request: Request, asked: Annotated[TargetingRequest, Query()]) -> Response:
    """Whom to contact for a budget, and what that is expected to bring.

    `part` is summary (one row: who is chosen, who is left out, gain, cost, break-even; `meta` has the terms in force
    and what the contacts emit), curve (gain and cost by number of contacts), customers (those who are chosen, as a
    list) or factors (what a contact emits, with sources).
    """
    reader, part = reader_of(request), asked.part
    with reader.lease() as reading:
        if part == "factors":
            about: dict[str, object] = {
                "run_id": reading.run_id,
                "version": factors().version,
                "unit": factors().unit,
            }
            return json_answer(factor_rows(), about, etag(reading, request))
        terms = targeting.terms_of(reading, asked)
        statement = targeting.summary(terms)
        found = reading.rows(statement)[0]
        if part == "customers":
            chosen = targeting.chosen_customers(reading, terms, found)
            return list_answer(
                request, reading, "targeting", chosen, asked, targeting.CHOSEN_SORT, _says_chosen
            )
        more: dict[str, Any] = {"terms": in_force(terms)}
        if part == "curve":
            statement = targeting.curve(terms, int(found["contacts"]), int(found["predicted"]))
        else:
            more["carbon"] = carbon(terms, found)
        return table_answer(
            request, reader, reading, f"targeting-{part}", statement, asked.format or "json",
            one=part == "summary", more=more,
        )  # fmt: skip


def keep(request: Request, reading: Reading, decision: Decision) -> Row:
    """Keeps a decision of whoever asks; the row as it is kept.

    Raises
    ------
    NotFound
        The run has no such customer.
    """
    if reading.row(actions.known(decision.customer_id)) is None:
        raise NotFound(
            f"There is no customer with the key '{decision.customer_id[:200]}' in run {reading.run_id}."
        )
    who = who_of(request).name
    return decisions_of(request).decide(
        decision.customer_id,
        decision.reason,
        decision.choice,
        who=who,
        run_id=reading.run_id,
        assignee=(decision.assignee or who) if decision.choice == "assign" else "",
        until=decision.until if decision.choice == "snooze" else None,
        note=decision.note,
    )


def queued(reading: Reading) -> None:
    """Passes where the run has a queue.

    Raises
    ------
    NotFound
        It was published by an earlier version.
    """
    if not reading.has(actions.TABLE):
        raise NotFound(
            f"Run {reading.run_id} was published by an earlier version, which had no queue of actions. "
            "Run 'evervalue run' again."
        )


def in_force(terms: targeting.Terms) -> dict[str, Any]:
    """The terms in force, with what each default means."""
    low, central, high = terms.asked.rates()
    asked = terms.asked
    return {
        "budget": asked.budget,
        "contact_cost": terms.contact_cost,
        "contact_cost_is_example": terms.cost_is_example,
        "effect": asked.effect or "value",
        "uplift": central,
        "uplift_low": low,
        "uplift_high": high,
        "uplift_is_example": asked.uplift is None,
        "margin": 100 if asked.margin is None else asked.margin,
        "channel": asked.channel or "letter",
    }


def carbon(terms: targeting.Terms, found: Row) -> dict[str, Any]:
    """What the contacts emit, and what those emit who are not contacted: kg CO2e, low, central and high."""
    factor = factors().of(terms.asked.channel or "letter")
    return {
        "channel": factor.channel,
        "version": factors().version,
        "unit": "kg CO2e",
        "contacts": int(found["contacts"]),
        "avoided": int(found["avoided"]),
        "emitted_kg": factor.kilograms(int(found["contacts"])),
        "avoided_kg": factor.kilograms(int(found["avoided"])),
    }


def factor_rows() -> list[Row]:
    """Every figure of every channel with its source."""
    return [
        {
            "channel": factor.channel,
            "name": factor.name,
            "level": level,
            "grams": figure.grams,
            "year": figure.year,
            "assumption": figure.assumption,
            "source": figure.source,
            "url": figure.url,
        }
        for factor in factors().factors
        for level, figure in factor.figures()
    ]


def _says_chosen(total: int) -> str:
    return f"{total:,} {'customer' if total == 1 else 'customers'} to contact"
