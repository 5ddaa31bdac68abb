"""The runs that are kept: what each was made of, what it found, and which one readers see."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import evervalue
from evervalue.api.errors import NotFound
from evervalue.api.snapshots import Row
from evervalue.core.errors import EvervalueError
from evervalue.core.text import did_you_mean
from evervalue.pipeline.failed_runs import failed_runs
from evervalue.warehouse.attached import attached
from evervalue.warehouse.duckdb import Connection, EngineError
from evervalue.warehouse.publish import Publisher, Snapshot

FIGURES = (
    "customers", "scored_customers", "high_value", "mid_value", "low_value", "gems", "orders", "monetary",
    "revenue", "margin", "last_order_date",
)  # fmt: skip
HEADLINE = f"select {', '.join(FIGURES)} from run.insight.headline"
VALUE = "select expected_clv, clv_low, clv_high, horizon_days from run.insight.value_headline"
HAS_VALUE = (
    "select 1 from information_schema.tables where table_schema = 'insight' and table_name = 'value_headline'"
)
SETTINGS = "select * from run.run.settings"
MEMORY = "128MB"
OPENED = 64
"""Snapshots whose figures are remembered; they never change."""


def listed(publisher: Publisher) -> list[Row]:
    """One row a kept run, the newest first."""
    now = publisher.current_id()
    return [row_of(snapshot, now) for snapshot in reversed(publisher.runs())]


def row_of(snapshot: Snapshot, now: str | None) -> Row:
    """What is said of a run in a list; figures are null where its snapshot cannot be read."""
    manifest = snapshot.manifest
    tables: Sequence[Mapping[str, Any]] = manifest.get("tables", ())
    inputs: Sequence[Mapping[str, Any]] = manifest.get("inputs", ())
    versions: Mapping[str, str] = manifest.get("versions", {})
    told = figures(snapshot)
    spent = manifest.get("seconds")
    return {
        "run_id": snapshot.run_id,
        "is_current": snapshot.run_id == now,
        "is_readable": told is not None,
        "as_of": manifest.get("as_of"),
        "published_at": manifest.get("finished_at"),
        "known_at": manifest.get("known_at"),
        "seconds": spent if spent is not None else round(sum(float(t["seconds"]) for t in tables), 4),
        "files": len(inputs),
        "rows_read": sum(int(i["rows_read"] or 0) for i in inputs),
        "tables": len(tables),
        "tables_kept": sum(bool(t.get("kept")) for t in tables),
        "bytes": manifest.get("bytes"),
        **(told or dict.fromkeys((*FIGURES, *VALUES, *ABOUT))),
        "evervalue": versions.get("evervalue"),
        "duckdb": versions.get("duckdb"),
        "settings_sha256": manifest.get("settings_sha256"),
        "definitions_sha256": manifest.get("definitions_sha256"),
    }


VALUES = ("expected_clv", "clv_low", "clv_high", "horizon_days")
ABOUT = ("currency", "monetary_basis")


def figures(snapshot: Snapshot) -> Row | None:
    """What the run found, from its own tables; None where they cannot be read."""
    try:
        found = snapshot.path.stat()
        return _figures(snapshot.path, found.st_mtime_ns, found.st_size)
    except (EvervalueError, EngineError, OSError):
        return None


def settings(snapshot: Snapshot) -> Row | None:
    """The settings that the run's tables were computed with; None where they cannot be read."""
    try:
        found = snapshot.path.stat()
        return _settings(snapshot.path, found.st_mtime_ns, found.st_size)
    except (EvervalueError, EngineError, OSError):
        return None


def run_of(publisher: Publisher, run_id: str) -> Snapshot:
    """A kept run by its name.

    Raises
    ------
    NotFound
        No kept run has that name.
    """
    runs = {snapshot.run_id: snapshot for snapshot in publisher.runs()}
    if run_id not in runs:
        raise NotFound(f"No kept run is called “{run_id[:60]}”{did_you_mean(run_id[:60], runs)}.")
    return runs[run_id]


def whole(publisher: Publisher, run_id: str) -> Row:
    """One run: its row in the list, with inputs, settings, tables and versions.

    Raises
    ------
    NotFound
        No kept run has that name.
    """
    snapshot = run_of(publisher, run_id)
    manifest = snapshot.manifest
    return {
        **row_of(snapshot, publisher.current_id()),
        "inputs": list(manifest.get("inputs", ())),
        "tables": list(manifest.get("tables", ())),
        "settings": settings(snapshot),
        "versions": dict(manifest.get("versions", {})),
        "snapshot_sha256": manifest.get("sha256"),
        "other_files": dict(manifest.get("files", {})),
    }


def mark(publisher: Publisher, *asked: str) -> str:
    """An ETag of the runs that are there, which one readers see, and what was asked."""
    names = [
        *(p.parent.name for p in sorted(publisher.runs_dir.glob("*/manifest.json"))),
        publisher.current_id() or "",
        *(str(row["ended_at"]) for row in failed_runs(publisher.data_dir)),
    ]
    digest = hashlib.sha256("\n".join([evervalue.__version__, *names, "", *asked]).encode())
    return f'W/"{digest.hexdigest()[:24]}"'


def on(publisher: Publisher, day: dt.date) -> str | None:
    """The newest kept run whose cutoff is not after a day; None where there is none."""
    found = [s.run_id for s in publisher.runs() if str(s.manifest.get("as_of", "9999")) <= day.isoformat()]
    return found[-1] if found else None


def before(publisher: Publisher, run_id: str) -> str | None:
    """The kept run before another one; None where there is none."""
    found = [s.run_id for s in publisher.runs() if s.run_id < run_id and "known_at" not in s.manifest]
    return found[-1] if found else None


@lru_cache(maxsize=OPENED)
def _figures(path: Path, changed: int, size: int) -> Row:
    con = attached({"run": path}, memory_limit=MEMORY)
    try:
        found = {**_one(con, HEADLINE), **dict.fromkeys(VALUES)}
        if con.execute(HAS_VALUE).fetchone():
            found |= _one(con, VALUE)
        about = _one(con, SETTINGS)
    finally:
        con.close()
    return {**found, **{name: about.get(name) for name in ABOUT}}


@lru_cache(maxsize=OPENED)
def _settings(path: Path, changed: int, size: int) -> Row:
    con = attached({"run": path}, memory_limit=MEMORY)
    try:
        return _one(con, SETTINGS)
    finally:
        con.close()


def _one(con: Connection, sql: str) -> Row:
    cursor = con.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    row = cursor.fetchone()
    return dict(zip(names, row, strict=True)) if row else dict.fromkeys(names)
