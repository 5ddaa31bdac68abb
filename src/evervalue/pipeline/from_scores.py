"""Hidden gems from scores that are in memory already: bounds, ranks and what-if come from the same SQL as in a run.

The boundaries of the scores are not in a frame of scores, so everyone is scored again from the frame's own lengths,
recencies, frequencies and money. Where that gives the scores that the frame shows, the what-if can be trusted; where it
does not (rows were left out, or scores were changed), gems are told from the scores as they stand, without it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from evervalue.core.progress import Progress
from evervalue.pipeline.from_orders import ZONES
from evervalue.pipeline.settings import Settings
from evervalue.pipeline.tables import column_list, create_empty, fill_run_tables, models_without_value
from evervalue.warehouse.duckdb import Connection
from evervalue.warehouse.runner import build
from evervalue.warehouse.sql_model import SqlModel

GIVEN = ("curated.customers",)
FILLED = ("customers.cutoff", "customers.history")
COMPARED = ("l_score", "r_score", "f_score", "m_score", "customer_value")


def gems_from_scores(
    con: Connection, scores: str, tried: Sequence[Settings], *, as_of: dt.date, progress: Progress
) -> bool:
    """Builds `insight.hidden_gems` in the current database; returns whether the what-if could be computed.

    Parameters
    ----------
    con
        An open connection.
    scores
        A table or view there: `customer_id` and `customer` (text), `length_days`, `recency_days`, `frequency`,
        `monetary`, the four scores, `lrfm_score` and `customer_value`, typed as in `customers.lrfm`.
    tried
        Settings that the scores may have been computed with; the first that gives them back is taken.
    as_of
        Cutoff of the scores. Where nobody knows it any day will do: everything is told from it.
    progress
        Told of each table.
    """
    con.execute("create schema if not exists customers")
    con.execute("create schema if not exists curated")
    con.execute(f"create or replace view curated.customers as select customer_id, customer from {scores}")
    for settings in tried:
        _start(con, scores, settings, as_of)
        build(con, _customer_models(), given=GIVEN, progress=progress)
        if _same(con, scores):
            build(con, _insight_models(with_what_if=True), given=(*GIVEN, *_landed()), progress=progress)
            return True
    con.execute("delete from customers.lrfm")
    con.execute(
        f"""
        insert into customers.lrfm
        select customer_id, customer, first_order_date, last_order_date, s.length_days, s.recency_days, s.frequency,
            s.monetary, s.l_score, s.r_score, s.f_score, s.m_score, s.lrfm_score, s.customer_value
        from {scores} as s join customers.history as h using (customer_id, customer)
        """
    )
    con.execute(f"create table insight.what_if ({column_list('insight.what_if')})")
    build(con, _insight_models(with_what_if=False), given=(*GIVEN, *_landed()), progress=progress)
    con.execute(
        "update insight.hidden_gems "
        "set step_says = 'Not computed: these scores do not follow from the customers given.'"
    )
    return False


def _start(con: Connection, scores: str, settings: Settings, as_of: dt.date) -> None:
    for schema in ZONES:
        if schema != "curated":
            con.execute(f"drop schema if exists {schema} cascade")
            con.execute(f"create schema {schema}")
    fill_run_tables(con, settings, run_id="memory", as_of=as_of)
    create_empty(con, *_models()[1])
    con.execute(f"create table customers.cutoff ({column_list('customers.cutoff')})")
    con.execute(f"insert into customers.cutoff values (date '{as_of}', date '{as_of}' - 1, 0)")
    con.execute(
        f"""
        create table customers.history as
        select customer_id, customer,
            (date '{as_of}' - recency_days - length_days)::date as first_order_date,
            (date '{as_of}' - recency_days)::date as last_order_date,
            length_days, recency_days, frequency, monetary as revenue, monetary as margin, monetary,
            0::bigint as reversal_count, 0::decimal(18,4) as reversed_amount
        from {scores}
        """
    )


def _same(con: Connection, scores: str) -> bool:
    differs = " or ".join(f"s.{name} is distinct from l.{name}" for name in COMPARED)
    (n,) = con.execute(
        f"select count(*) from {scores} as s join customers.lrfm as l using (customer_id) where {differs}"
    ).fetchone() or (1,)
    return int(n) == 0


@cache
def _models() -> tuple[list[SqlModel], list[str]]:
    return models_without_value("insight.hidden_gems")


@cache
def _customer_models() -> list[SqlModel]:
    wanted = [m for m in _models()[0] if m.head.schema_name in ("customers", "run")]
    return [replace(m, sql="") if m.name in FILLED else m for m in wanted]


@cache
def _insight_models(*, with_what_if: bool) -> list[SqlModel]:
    wanted = [m for m in _models()[0] if m.head.schema_name == "insight"]
    return [replace(m, sql="") if m.name == "insight.what_if" and not with_what_if else m for m in wanted]


@cache
def _landed() -> tuple[str, ...]:
    return (*(m.name for m in _customer_models()), *_models()[1])
