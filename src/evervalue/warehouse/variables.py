"""A table's constants as engine variables: exact and typed, without a way through Python."""

from __future__ import annotations

import re

from evervalue.warehouse.sql_model import SqlModel


def bindings(model: SqlModel) -> list[str]:
    """The statements that compute the constants of a table, in order; each may use those before it."""
    return [
        f"set variable {_variable(name)} = ({with_variables(query)})"
        for name, query in model.head.constants.items()
    ]


def with_variables(sql: str) -> str:
    """The SQL with each `$name` read from its variable."""
    return re.sub(r"\$([a-z_][a-z0-9_]*)", lambda m: f"getvariable('{_variable(m[1])}')", sql)


def _variable(name: str) -> str:
    return f"evervalue_{name}"
