"""SQL of the rules by which rows are told apart."""

from __future__ import annotations

from collections.abc import Callable

from evervalue.sources.mapping_settings import KindRule, Rule
from evervalue.sources.raw_zone import in_list
from evervalue.warehouse.duckdb import literal


def rule_sql(rule: Rule, cell: Callable[[str], str], number: Callable[[str], str]) -> str:
    """Whether a row fits a rule: SQL that is true or false, never null.

    Parameters
    ----------
    cell, number
        SQL of a column's cell as text (null where it stands for nothing), and as a number.
    """
    if rule.below is not None or rule.above is not None:
        sign, bound = ("<", rule.below) if rule.below is not None else (">", rule.above)
        return f"coalesce({number(rule.column)} {sign} {bound}, false)"
    text = cell(rule.column)
    if rule.filled is not None:
        return f"({text} is {'not ' if rule.filled else ''}null)"
    # What kinds were told by has always been the text as it stands.
    fold = (lambda word: word) if isinstance(rule, KindRule) else str.lower
    folded = text if isinstance(rule, KindRule) else f"lower({text})"
    if rule.equals is not None:
        test = f"{folded} = {literal(fold(rule.equals))}"
    elif rule.any_of is not None:
        test = f"{folded} in ({in_list(map(fold, rule.any_of))})" if rule.any_of else "false"
    elif rule.not_in is not None:
        return (
            f"coalesce({folded} not in ({in_list(map(fold, rule.not_in))}), true)" if rule.not_in else "true"
        )
    else:
        test = f"starts_with({folded}, {literal(fold(rule.starts_with or ''))})"
    return f"coalesce({test}, false)"
