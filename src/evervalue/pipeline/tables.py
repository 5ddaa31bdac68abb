"""All declared tables of the package, and those that the pipeline fills itself."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from evervalue.pipeline.settings import Settings
from evervalue.warehouse.duckdb import Connection, insert
from evervalue.warehouse.sql_model import SqlModel, models_in, upstream

STAGES = ("sources", "pipeline", "identity", "curated", "customers", "models", "insight", "actions")
PACKAGES = tuple(f"evervalue.{stage}" for stage in STAGES)


@cache
def all_models() -> tuple[SqlModel, ...]:
    """Every declared table, sorted by name."""
    return tuple(models_in(*PACKAGES))


@cache
def definitions_sha256() -> str:
    """Checksum of the heads and the SELECTs of all declared tables."""
    whole = "\n".join(f"{m.head.model_dump_json()}\n{m.sql}" for m in all_models())
    return hashlib.sha256(whole.encode()).hexdigest()


def models_for(*targets: str) -> list[SqlModel]:
    """The tables that the named ones are built from, with themselves."""
    found = upstream(all_models(), *targets)
    return [m for m in all_models() if m.name in found]


def models_without_value(*targets: str) -> tuple[list[SqlModel], list[str]]:
    """The tables that the named ones are built from where nobody asks for value, and those of value that they read.

    The latter are left empty (`create_empty`): scores need no model fitted, and what value would add to them is null.
    """
    value = {m.name for m in all_models() if m.head.schema_name == "models"}
    found = upstream(all_models(), *targets, leaves=value)
    return [m for m in all_models() if m.name in found - value], sorted(found & value)


def create_empty(con: Connection, *tables: str) -> None:
    """Makes declared tables without a row, in the current database."""
    for table in tables:
        con.execute(f"create schema if not exists {table.split('.')[0]}")
        con.execute(f"create or replace table {table} ({column_list(table)})")


def column_list(table: str) -> str:
    """The columns of a declared table as SQL declares them."""
    (model,) = [m for m in all_models() if m.name == table]
    return ", ".join(f'"{name}" {column.type}' for name, column in model.head.columns.items())


def fill_run_tables(
    con: Connection,
    settings: Settings,
    *,
    run_id: str,
    as_of: dt.date | None,
    events: Mapping[str, int] | None = None,
) -> None:
    """Writes the settings of a run as tables, in the current database.

    `events` is the place in the log up to which the events of each source were read.
    """
    project, lrfm, gems, value = settings.project, settings.lrfm, settings.gems, settings.value
    con.execute("create schema if not exists run")
    _create(
        con,
        "run.settings",
        [
            [
                run_id,
                project.name,
                as_of or project.as_of,
                project.currency,
                project.time_zone,
                lrfm.monetary,
                lrfm.allow_missing_cost,
                lrfm.bins,
                lrfm.ties,
                lrfm.high,
                lrfm.mid,
                gems.rule,
                gems.min_m_score or lrfm.bins,
                gems.top_n,
                gems.top_share,
                gems.what_if_max_orders,
                value.horizon_days,
                value.interval,
                value.discount_rate_annual,
                value.model,
                value.spend,
                value.recalibrate,
                settings.identity.same_orders,
                settings.sessions.minutes,
            ]
        ],
    )
    _create(
        con,
        "run.source_settings",
        [
            [
                output.name,
                output.provides,
                system.name,
                system.customer_keys,
                system.settings.customer_keys is not None,
                system.settings.stale_after_seconds,
                output.settings.duplicates,
                system.settings.without_rate,
            ]
            for _, system in sorted(settings.sources.items())
            for output in system.outputs.values()
        ],
    )
    _create(
        con,
        "run.event_sources",
        [
            [
                name,
                settings.sources[name].customer_keys,
                (events or {}).get(name, 0),
                name not in settings.visits_alone,
            ]
            for name in settings.events
        ],
    )
    _create(con, "run.tables", [])
    _create(con, "run.columns", [])
    anyone = (1, lrfm.bins)
    _create(
        con,
        "run.action_rules",
        [
            [
                place,
                rule.action,
                rule.title,
                rule.says,
                *(rule.l or anyone),
                *(rule.r or anyone),
                *(rule.f or anyone),
            ]
            for place, rule in enumerate(settings.rules, 1)
        ],
    )


def _create(con: Connection, table: str, rows: list[list[Any]]) -> None:
    con.execute(f"create or replace table {table} ({column_list(table)})")
    insert(con, table, rows)
