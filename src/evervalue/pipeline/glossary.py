"""The glossary: every declared table and column in words, from the heads alone."""

from __future__ import annotations

from evervalue.pipeline.tables import all_models
from evervalue.warehouse.sql_model import SqlModel

INTRODUCTION = """# Glossary

Written by `evervalue glossary` from the heads of the tables; change a head, not this page.

`money_divide(amount, n)`, which some tables use, shares an amount by a whole number: four places, half away from zero.
"""


def glossary() -> str:
    """All tables with their columns, as Markdown."""
    parts = [INTRODUCTION]
    parts += [_table(model) for model in all_models()]
    return "\n".join(parts)


def _table(model: SqlModel) -> str:
    head = model.head
    grain = f"one row per {', '.join(head.grain)}" if head.grain else "one row"
    filled = f" Filled by {head.filled_by}." if head.filled_by else ""
    rows = [
        f"## {head.table}\n",
        f"{head.says}\n",
        f"Grain: {grain}.{filled}\n",
        "| column | type | what it is |",
        "| --- | --- | --- |",
    ]
    for name, column in head.columns.items():
        notes = [
            f"unit: {column.unit}" if column.unit else "",
            "may be null" if column.nullable else "",
            f"always {column.check}" if column.check else "",
            column.sensitivity or "",
        ]
        noted = "; ".join(n for n in notes if n)
        says = column.says + (f" ({noted})" if noted else "")
        rows.append(f"| `{name}` | {column.type} | {says.replace('|', chr(92) + '|')} |")
    return "\n".join(rows) + "\n"
