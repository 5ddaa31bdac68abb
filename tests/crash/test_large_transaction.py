"""One transaction far larger than memory should hold is applied whole, and memory does not grow with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.changes import SETUP
from benchmarks.measure import fresh
from tests.support.postgres import Postgres

LIMIT = "500MB"
"""Of the engine; Python and its libraries come on top."""
MOST_MB = 1000


@pytest.mark.slow
def test_a_transaction_of_a_million_rows_in_bounded_memory(
    postgres: Postgres, tmp_path: Path, full_proof: bool
) -> None:
    rows = 1_000_000 if full_proof else 300_000
    dsn = postgres.fresh_database("large")
    postgres.execute(SETUP.format(rows=rows), "large")
    (tmp_path / "tmp").mkdir()
    arguments = ("bring", dsn, str(tmp_path / "warehouse.duckdb"), str(tmp_path / "tmp"))
    limits = {"EVERVALUE_MEMORY_LIMIT": LIMIT, "EVERVALUE_TEMP_DIRECTORY": str(tmp_path / "tmp")}
    fresh("benchmarks.changes_work", *arguments, environment=limits)
    postgres.execute("update measured set n = n + 1, note = repeat(md5(note), 8)", "large")
    found = fresh("benchmarks.changes_work", *arguments, environment=limits)
    print(found)
    assert (found.more["changes"], found.more["rows"]) == (rows, rows)
    assert found.peak_mb < MOST_MB
    postgres.execute("select pg_drop_replication_slot('evervalue_bench')")
