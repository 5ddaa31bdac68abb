"""The hidden gems: Mid-Value customers among the best earners, with why, what to do, and what it takes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from evervalue.api.queries.base import Condition, ListQuery, SortKey, chosen, search
from evervalue.api.queries.customers import Text
from evervalue.api.snapshots import Statement

TABLE = "insight.hidden_gems"
COLUMNS = (
    "customer",
    "customer_id",
    "profit_rank",
    "length_days",
    "recency_days",
    "frequency",
    "monetary",
    "l_score",
    "r_score",
    "f_score",
    "m_score",
    "lrfm_score",
    "points_to_high",
    "low_scores",
    "reason",
    "action",
    "action_title",
    "action_says",
    "orders_to_high",
    "score_after",
    "step_says",
    "step_worth",
    "expected_clv",
    "clv_gain",
    "step_value",
    "step_value_says",
)
SORTS = {
    "monetary": SortKey("profit_rank", "bigint", flipped=True, stored=True),
    "customer": SortKey("lower(customer)", "varchar", nullable=False),
    "lrfm_score": SortKey("lrfm_score", "integer"),
    "l_score": SortKey("l_score", "integer"),
    "r_score": SortKey("r_score", "integer"),
    "f_score": SortKey("f_score", "integer"),
    "m_score": SortKey("m_score", "integer"),
    "orders_to_high": SortKey("orders_to_high", "integer"),
    "step_worth": SortKey("step_worth", "decimal(38,4)"),
    "step_value": SortKey("step_value", "decimal(38,4)"),
    "expected_clv": SortKey("expected_clv", "decimal(38,4)"),
}
DEFAULT_SORT = "-monetary"


class GemFilters(BaseModel):
    """Which gems are asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    q: Text = ""
    action: Text = ""
    """Code of the recommended action."""

    def conditions(self) -> tuple[Condition, ...]:
        """The filters that are set, in SQL and in words."""
        found: list[Condition] = []
        if self.action:
            found.append(chosen("action", "action", (self.action,)))
        if self.q:
            found.append(search(self.q, "customer", "customer_id"))
        return tuple(found)

    def query(self) -> ListQuery:
        """The list that these filters leave."""
        return ListQuery(TABLE, "customer_id", COLUMNS, SORTS, self.conditions())

    def says(self, total: int, shown: str | None = None, action_title: str | None = None) -> str:
        """The filters in words; `action_title` is what the action is called."""
        words = [shown or f"{total:,}", "hidden gem" if total == 1 else "hidden gems"]
        if self.action:
            words.append(f"for “{action_title or self.action}”")
        return " ".join([*words, *([f"matching “{self.q}”"] if self.q else [])])


def action_summary() -> Statement:
    """One row an action: how many gems it is recommended for, and what they earn."""
    sql = (
        "select action, action_title, action_says, customers, monetary, step_worth, expected_clv, step_value,"
        " mean_l_score, mean_r_score, mean_f_score\n"
        "from insight.action_summary\norder by customers desc, action"
    )
    return Statement(sql, {})


def top_customers(n: int) -> Statement:
    """The `n` (up to 100) most profitable customers."""
    sql = (
        "select profit_rank, customer, customer_id, monetary, customer_value, is_gem,"
        " l_score, r_score, f_score, m_score, lrfm_score, length_days, recency_days, frequency\n"
        "from insight.top_customers\nwhere profit_rank <= $n\norder by profit_rank"
    )
    return Statement(sql, {"n": n})


def behaviour_points(customers: int, drawn: int) -> Statement:
    """Customers as points of behaviour and profit: all, or the best fifth of `drawn` and an even pick of the rest."""
    best = drawn // 5
    step = max(1, -(-customers // (drawn - best)))
    sql = (
        "select customer, customer_id, customer_value, is_gem, l_score + r_score + f_score as behaviour, monetary\n"
        "from insight.customer_list\n"
        "where lrfm_score is not null and (profit_rank <= $best or profit_rank % $step = 0)\n"
        "order by profit_rank"
    )
    return Statement(sql, {"best": customers if customers <= drawn else best, "step": step})
