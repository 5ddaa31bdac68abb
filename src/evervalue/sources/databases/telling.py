"""What is told of a table that is not as it was read last: other columns, other types, another key."""

from __future__ import annotations

from collections.abc import Sequence

from evervalue.core.text import listing
from evervalue.sources import raw_zone
from evervalue.sources.databases.tables import TEXT, Table
from evervalue.sources.feed import Context
from evervalue.sources.report import SourceReport
from evervalue.sources.wider import wider_type


def tell_schema(context: Context, report: SourceReport, feed: str, where: str, table: Table) -> None:
    """Say what became of columns since the table was read last."""
    held: dict[str, set[str]] = {}
    for name, type in raw_zone.run(
        context.con,
        "select distinct column_name, stored_type from raw.columns where source = ?",
        [feed],
    ).fetchall():
        held.setdefault(str(name), set()).add(str(type))
    if not held:
        return
    now = {column.name: column for column in table.columns}
    shown = table.name
    for name in held.keys() - now.keys():
        report.said.append(
            f"{where}: {shown} has no column '{name}' any more; its cells are empty from this run on."
        )
    for name, column in now.items():
        if name not in held:
            context.progress.step(f"{shown} has a new column '{name}'", detail=column.database_type)
        elif column.stored_type not in held[name]:
            before = next(iter(sorted(held[name])))
            if column.stored_type in ("text", "number") or TEXT in (
                wider_type(before, column.type), column.type,
            ):  # fmt: skip
                report.said.append(
                    f"{where}: the type of {shown}.{name} changed from {before.lower()} to "
                    f"{column.database_type}; both are kept as text from this run on."
                )
            else:
                context.progress.step(f"{shown}.{name} was widened", detail=column.database_type)


def tell_key(
    report: SourceReport, where: str, table: Table, key: Sequence[str], before: Sequence[str]
) -> None:
    """Say that a table is read by another key than before."""
    report.said.append(
        f"{where}: {table.name} is now kept under the key {listing(key) or 'of no column'} (before: "
        f"{listing(before) or 'no column'}), so all of it is read again."
    )
