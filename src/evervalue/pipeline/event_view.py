"""The events of all sources as one table that SQL can read: a view over the files that runs wrote of the log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

from evervalue.pipeline.event_rows import EVENTS
from evervalue.pipeline.event_settings import FOLDER
from evervalue.pipeline.tables import column_list
from evervalue.warehouse.duckdb import Connection, literal

VIEW = "mapped.events"
COLUMNS = (
    "seq, message_id, type, event, user_id, anonymous_id, previous_id, occurred_at, received_at, path, url, referrer, "
    "title, campaign_name, campaign_source, campaign_medium, campaign_term, campaign_content, product_id, order_id"
)


def show_events(
    con: Connection, data_dir: Path, sources: Iterable[str], *, known_at: dt.datetime | None = None
) -> None:
    """Make `mapped.events` in the attached warehouse: the files of these sources; empty where there are none.

    Parameters
    ----------
    known_at
        Instant, UTC, behind which what came is left out.
    """
    known = ""
    if known_at is not None:
        at = known_at.astimezone(dt.UTC).replace(tzinfo=None) if known_at.tzinfo else known_at
        known = f" where received_at <= timestamp {literal(at.isoformat(' '))}"
    parts = []
    for source in sorted(sources):
        folder = data_dir.absolute() / FOLDER / source / EVENTS
        if any(folder.glob("*.parquet")):
            files = literal(str(folder / "*.parquet"))
            parts.append(f"select {literal(source)} as source, {COLUMNS} from read_parquet({files}){known}")
    if not parts:
        nulls = ", ".join(
            f"null::{column.rpartition(' ')[2]} as {column.rpartition(' ')[0]}"
            for column in column_list(VIEW).split(", ")
        )
        parts = [f"select {nulls} where false"]
    con.execute("create schema if not exists warehouse.mapped")
    con.execute(f"create or replace view warehouse.{VIEW} as {' union all '.join(parts)}")
