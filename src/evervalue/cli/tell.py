"""Tells the story of published tables: who the gems are, why, what to do, and what became of every row."""

from __future__ import annotations

from collections.abc import Iterable

from evervalue.cli import show
from evervalue.core.text import count
from evervalue.pipeline.story import Headline, value_headline
from evervalue.warehouse.duckdb import Connection


def tell_story(con: Connection, head: Headline) -> None:
    """The whole story: headline, the best customers, the gems."""
    show.heading(
        f"{head.as_of}: {count(head.orders, 'order')} before it, {head.monetary:,.2f} {head.currency} {head.worth}"
    )
    for sentence in head.sentences():
        show.say("  " + sentence)
    show.say("  " + value_headline(con).line())
    for warning in head.warnings():
        show.warn(warning)
    show.heading(f"The top 10 by {head.worth} (◆ = hidden gem)")
    rows = con.execute(
        "select profit_rank, customer || case when is_gem then ' ◆' else '' end, monetary, customer_value, "
        "l_score, r_score, f_score, m_score, lrfm_score "
        "from insight.top_customers where profit_rank <= 10 order by profit_rank"
    ).fetchall()
    show.grid(["#", "customer", head.worth, "value", "L", "R", "F", "M", "score"], rows)
    tell_gems(con, limit=20, more="the dashboard lists them")


def tell_gems(con: Connection, *, limit: int, more: str) -> None:
    """The first gems (0: all) with what holds each back and what to do; `more` says where the others are."""
    rows = con.execute(
        "select customer, monetary, low_scores, action_title, orders_to_high, step_worth, step_value, step_says "
        "from insight.hidden_gems order by profit_rank" + (f" limit {limit}" if limit else "")
    ).fetchall()
    if not rows:
        show.say("\nNo customer is a hidden gem under these settings.")
        return
    show.heading("Hidden gems: what holds them back, what to do, and the smallest step to High-Value")
    show.grid(
        ["customer", "worth", "low scores", "action", "orders", "step worth", "priced", "the step"], rows
    )
    (gems,) = con.execute("select count(*) from insight.hidden_gems").fetchone() or (0,)
    if gems > len(rows):
        show.say(f"{gems - len(rows):,} more: {more}.")
    show.heading("What to do")
    for title, says, n, worth in con.execute(
        "select action_title, action_says, customers, monetary from insight.action_summary order by monetary desc"
    ).fetchall():
        show.say(f"  {title} ({count(n, 'customer')}, {worth:,.2f}): {says}")


def tell_reconciliation(con: Connection, sentences: Iterable[str]) -> None:
    """Where every row and every amount of every source went, and what the sources have to say."""
    show.heading("Every row accounted for")
    for sentence in sentences:
        show.say("  " + sentence)
    rows = con.execute(
        "select source, rows_read, rows_stored, rows_duplicate, rows_quarantined, rows_set_aside, "
        "amount_read, amount_stored, amount_duplicate, amount_quarantined, amount_unexplained "
        "from curated.reconciliation order by source"
    ).fetchall()
    names = "source|read|stored|duplicate|quarantined|set aside|amount read|stored|duplicate|quarantined|unexplained"
    if any(row[5] for row in rows):
        show.grid(names.split("|"), rows)
    else:
        show.grid([n for n in names.split("|") if n != "set aside"], [(*row[:5], *row[6:]) for row in rows])
