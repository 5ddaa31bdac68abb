"""Every table's SQL parses in the house dialect, is written for every other, and parses there."""

from __future__ import annotations

import pytest
import sqlglot

from evervalue.core.errors import SettingsError, TableError
from evervalue.pipeline.tables import all_models
from evervalue.warehouse.dialects import DIALECTS, sql_for
from evervalue.warehouse.sql_model import SqlModel

MODELS = [m for m in all_models() if m.sql]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_one_select_that_reads_declared_tables(model: SqlModel) -> None:
    statements = sqlglot.parse(model.sql, read="duckdb")
    assert len(statements) == 1
    assert isinstance(statements[0], sqlglot.exp.Query)
    known = {m.name for m in all_models()}
    assert model.reads <= known
    assert model.references <= known


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_spark(model: SqlModel) -> None:
    sql = sql_for(model, "spark")
    tree = sqlglot.parse_one(sql, read="spark")
    assert isinstance(tree, sqlglot.exp.Query)
    assert "money_divide" not in sql.lower()
    assert "getvariable" not in sql.lower()
    for constant in model.head.constants:
        assert f"${constant}" not in sql
    found = {c.alias_or_name for c in tree.selects}
    assert found == set(model.head.columns) or "*" in found


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d != "duckdb"])
def test_every_dialect_writes_something_for_every_table(dialect: str) -> None:
    for model in MODELS:
        assert sql_for(model, dialect).strip()


def test_unknown_dialects_and_tables_without_sql() -> None:
    with pytest.raises(SettingsError, match="did you mean 'spark'"):
        sql_for(MODELS[0], "sparc")
    filled = next(m for m in all_models() if not m.sql)
    with pytest.raises(TableError, match="it is filled by"):
        sql_for(filled)
