"""A table's SQL, whole: for DuckDB as it is run, for other engines through sqlglot with its constants written in."""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from evervalue.core.errors import SettingsError, TableError
from evervalue.core.text import did_you_mean
from evervalue.warehouse.money_sql import MACRO, expanded
from evervalue.warehouse.sql_model import SqlModel
from evervalue.warehouse.variables import bindings, with_variables

DIALECTS = ("duckdb", "spark", "redshift", "snowflake", "bigquery")


def sql_for(model: SqlModel, dialect: str = "duckdb") -> str:
    """The SELECT of a table, formatted, for one of `DIALECTS`.

    For DuckDB it is a script that runs as it is. What another dialect does not have is named in comments above it, for
    a person to look at.

    Raises
    ------
    SettingsError
        The dialect is not one of them.
    TableError
        The table is filled by code.
    """
    check_dialect(dialect)
    if not model.sql:
        raise TableError(f"{model.name} has no SQL: it is filled by {model.head.filled_by}.")
    if dialect == "duckdb":
        return _script(model)
    tree = expanded(sqlglot.parse_one(model.sql, read="duckdb"))
    tree = _with_constants(tree, model)
    try:
        return tree.sql(dialect, pretty=True, unsupported_level=sqlglot.ErrorLevel.RAISE)
    except sqlglot.errors.UnsupportedError as error:
        notes = "\n".join(f"-- check by hand for {dialect}: {line}" for line in str(error).splitlines())
        return f"{notes}\n{tree.sql(dialect, pretty=True, unsupported_level=sqlglot.ErrorLevel.IGNORE)}"


def check_dialect(dialect: str) -> None:
    """Nothing, where SQL is written for that dialect.

    Raises
    ------
    SettingsError
        It is not one of `DIALECTS`.
    """
    if dialect not in DIALECTS:
        raise SettingsError(
            f"No dialect is called '{dialect}'{did_you_mean(dialect, DIALECTS)}. There are: {', '.join(DIALECTS)}."
        )


def _script(model: SqlModel) -> str:
    """The SELECT as DuckDB runs it, after the statements that compute its constants and the macro that it uses."""
    macro = [MACRO] if "money_divide" in model.sql else []
    statements = [*macro, *bindings(model), with_variables(model.sql)]
    return ";\n\n".join(statements) + ";"


def _with_constants(tree: exp.Expr, model: SqlModel) -> exp.Expr:
    constants = model.head.constants

    def write(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Parameter | exp.Placeholder) and node.name in constants:
            # A constant may use those before it.
            inner = sqlglot.parse_one(constants[node.name], read="duckdb").transform(write)
            return exp.Subquery(this=inner)
        return node

    return tree.transform(write)
