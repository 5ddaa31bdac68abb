"""The queue of actions with what people decided about it: one list, filtered, sorted and read page by page.

The queue lies in the snapshot and decisions lie beside it, where runs do not touch them. They meet in one statement,
which is given the decisions as one text, so that page, answer and export show the same rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel, ConfigDict

from evervalue.api.queries.base import Condition, ListQuery, SortKey, chosen, search
from evervalue.api.queries.customers import Text
from evervalue.api.snapshots import Statement
from evervalue.state.decisions import Standing

TABLE = "actions.queue"
REASONS = "actions.reasons"
STORED = (
    "queue_position",
    "customer",
    "customer_id",
    "reason",
    "reason_title",
    "why",
    "action",
    "action_title",
    "action_says",
    "step_says",
    "step_value",
    "customer_value",
    "region",
    "monetary",
    "recency_days",
    "last_order_date",
    "p_alive",
    "expected_clv",
    "clv_low",
    "clv_high",
    "stake_share",
    "priority",
    "priority_says",
)
DECIDED = {
    "status": "open, assigned, snoozed, done or declined (not for this customer)",
    "assignee": "who is to do it",
    "until": "the day on which a snoozed action is open again",
    "note": "what was noted with the newest decision",
    "decided_by": "who decided last",
    "decided_at": "when that was, in UTC",
}
"""What people decided; not in the snapshot."""
COLUMNS = (*STORED, *DECIDED)
SORTS = {
    "queue": SortKey("queue_position", "bigint", nullable=False),
    "customer": SortKey("lower(customer)", "varchar", nullable=False),
    "expected_clv": SortKey("expected_clv", "decimal(38,4)"),
    "monetary": SortKey("monetary", "decimal(38,4)", nullable=False),
    "p_alive": SortKey("p_alive", "double"),
    "recency_days": SortKey("recency_days", "integer", nullable=False),
    "step_value": SortKey("step_value", "decimal(38,4)"),
    "decided_at": SortKey("decided_at", "varchar"),
}
DEFAULT_SORT = "queue"
Show = Literal["open", "mine", "snoozed", "done", "all"]
SHOWS: dict[str, tuple[str, ...]] = {
    "open": ("open", "assigned"),
    "mine": ("open", "assigned"),
    "snoozed": ("snoozed",),
    "done": ("done", "declined"),
    "all": (),
}
SAYS = {
    "open": "open",
    "mine": "assigned to you",
    "snoozed": "snoozed",
    "done": "done or not wanted",
    "all": "decided or not",
}
SHAPE = json.dumps(
    [{"customer_id": "VARCHAR", "reason": "VARCHAR", **dict.fromkeys(DECIDED, "VARCHAR")}],
    separators=(",", ":"),
)
JOINED = f"""(
  select q.*, coalesce(d.status, 'open') as status, d.assignee, d.until, d.note, d.decided_by, d.decided_at
  from {TABLE} as q
  left join (select unnest(from_json($decided, '{SHAPE}'), recursive := true)) as d
    on d.customer_id = q.customer_id and d.reason = q.reason
) as queue"""


class ActionFilters(BaseModel):
    """Which actions are asked for. Empty values mean the default, so that a plain HTML form can send them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    show: Show | Literal[""] = ""
    """open (the default; what is assigned is open too), mine, snoozed, done (or declined) or all."""

    reason: Text = ""
    """Short name of the reason: at_risk, gem or silent."""

    q: Text = ""
    """Part of a name or of a key, in any case."""

    def query(self, standing: Sequence[Standing], me: str) -> ListQuery:
        """The list that these filters leave, with what was decided until now, as `me` sees it."""
        found = [Condition("true", {"decided": decided(standing)})]
        statuses = SHOWS[self.show or "open"]
        if statuses:
            found.append(chosen("status", "status", statuses))
        if self.show == "mine":
            found.append(Condition("assignee = $me", {"me": me}))
        if self.reason:
            found.append(chosen("reason", "reason", (self.reason,)))
        if self.q:
            found.append(search(self.q, "customer", "customer_id"))
        return ListQuery(JOINED, "customer_id", COLUMNS, SORTS, tuple(found))

    def says(self, total: int, shown: str | None = None, reason_title: str = "") -> str:
        """The filters in words: '18 open actions for “Hidden gem”'."""
        noun = "action" if total == 1 else "actions"
        number = shown or f"{total:,}"
        show = self.show or "open"
        words = [number, "open", noun] if show == "open" else [number, noun, SAYS[show]]
        if self.reason:
            words.append(f"for “{reason_title or self.reason}”")
        if self.q:
            words.append(f"matching “{self.q}”")
        return " ".join(words)


def decided(standing: Sequence[Standing]) -> str:
    """What was decided, as the statement takes it."""
    rows = []
    for one in standing:
        row = asdict(one)
        row |= {"decided_by": row.pop("who"), "decided_at": row.pop("at")}
        rows.append({name: value or None for name, value in row.items()})
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def told(statement: Statement) -> Statement:
    """A statement as it is shown: what everybody decided is no part of what an answer says about itself."""
    if "decided" not in statement.parameters:
        return statement
    number = len(json.loads(statement.parameters["decided"]))
    return Statement(statement.sql, {**statement.parameters, "decided": f"[{number} decisions]"})


def reasons(standing: Sequence[Standing]) -> Statement:
    """One row a reason: its rule, how many are in the queue for it, how many are open, and what is at stake."""
    sql = f"""with queue as (select * from {JOINED})
select r.place, r.reason, r.title, r.rule_says, count(q.customer_id) as customers,
  count(q.customer_id) filter (q.status in ('open', 'assigned')) as open_customers,
  cast(coalesce(sum(q.monetary), 0) as decimal(18,4)) as monetary,
  cast(sum(q.expected_clv) as decimal(18,4)) as expected_clv
from {REASONS} as r
left join queue as q on q.reason = r.reason
group by r.place, r.reason, r.title, r.rule_says
order by r.place"""
    return Statement(sql, {"decided": decided(standing)})


def priorities(standing: Sequence[Standing]) -> Statement:
    """One row a priority: how many of its actions there are, how many are open, and what is at stake."""
    sql = f"""select priority, count(*) as customers,
  count(*) filter (status in ('open', 'assigned')) as open_customers,
  cast(sum(expected_clv) as decimal(18,4)) as expected_clv
from {JOINED}
group by priority
order by priority"""
    return Statement(sql, {"decided": decided(standing)})


def known(customer_id: str) -> Statement:
    """A row where the run lists the customer."""
    return Statement(
        "select customer_id from insight.customer_list where customer_id = $customer_id",
        {"customer_id": customer_id},
    )
