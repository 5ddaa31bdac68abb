"""The SQL of a few tables as it is compiled, held to a reviewed copy beside this file.

After a change that is meant, write the copies anew: `python -m tests.snapshots.test_compiled_sql`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from evervalue.pipeline.tables import all_models
from evervalue.warehouse.dialects import sql_for

FOLDER = Path(__file__).parent
KEPT = [
    ("customers.lrfm", "spark"),
    ("customers.lrfm", "duckdb"),
    ("customers.history", "spark"),
    ("customers.purchase_history", "spark"),
    ("customers.purchase_totals", "spark"),
    ("insight.profit_ranks", "spark"),
    ("insight.tiers", "bigquery"),
]


def copy_of(table: str, dialect: str) -> Path:
    return FOLDER / f"{table}.{dialect}.sql"


def compiled(table: str, dialect: str) -> str:
    (model,) = [m for m in all_models() if m.name == table]
    return sql_for(model, dialect) + "\n"


@pytest.mark.parametrize(("table", "dialect"), KEPT)
def test_the_compiled_sql_is_as_reviewed(table: str, dialect: str) -> None:
    assert compiled(table, dialect) == copy_of(table, dialect).read_text("utf-8")


if __name__ == "__main__":
    for kept in KEPT:
        copy_of(*kept).write_text(compiled(*kept), "utf-8")
