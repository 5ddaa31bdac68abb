"""Money in SQL: the one division.

Division of decimals gives a float in DuckDB and a rounding of its own on other engines, so tables divide money through
`money_divide(amount, n)` alone: the amount shared by a whole number, to four places, half away from zero; null where
`n` is null or zero. DuckDB runs it as a macro over integers, other engines get an expression of the same value.
"""

from __future__ import annotations

from sqlglot import exp, parse_one

MACRO = """create or replace temp macro money_divide(amount, n) as (
    case when n is null or n = 0 then null else
        cast(sign(amount) * sign(n) * (
            (2 * abs(cast(cast(amount as decimal(28, 4)) * cast(10000 as decimal(5, 0)) as hugeint)) + abs(n))
            // (2 * abs(cast(n as hugeint)))
        ) as decimal(32, 0)) * cast(0.0001 as decimal(4, 4))
    end
)"""

_ELSEWHERE = (
    "(case when {n} <> 0 then "
    "cast(round(cast({amount} as decimal(28, 4)) / cast({n} as decimal(10, 0)), 4) as decimal(38, 4)) end)"
)


def expanded(tree: exp.Expr) -> exp.Expr:
    """The tree with each `money_divide` written out, for engines other than DuckDB."""

    def expand(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Anonymous) and node.name.lower() == "money_divide":
            amount, n = (f"({a.sql('duckdb')})" for a in node.expressions)
            return parse_one(_ELSEWHERE.format(amount=amount, n=n), read="duckdb")
        return node

    return tree.transform(expand)
