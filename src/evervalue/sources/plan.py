"""What mapping a source comes to: SQL for every field, and a reason for every row that is refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from evervalue.core.errors import MissingColumns
from evervalue.core.text import did_you_mean, listing
from evervalue.sources.settings import FilesSource
from evervalue.warehouse.duckdb import literal


@dataclass(frozen=True)
class Refusal:
    """When a row is refused: a predicate over the parsed row, and what is said."""

    when: str
    column: str | None
    cell: str
    reason: str
    says: str


@dataclass
class Plan:
    """SQL that maps one source."""

    source: str
    settings: FilesSource
    table: str
    """The raw table, quoted."""
    all_columns: list[str]
    parsed: dict[str, str] = field(default_factory=dict)
    """Name: expression over the raw table; `c_x` is the cell of field x as text, `v_x` its value."""
    mapped: dict[str, str] = field(default_factory=dict)
    """Column of the mapped table: expression over the parsed row."""
    refusals: list[Refusal] = field(default_factory=list)
    totals: dict[str, str] = field(default_factory=dict)
    """amount, margin: expressions over the raw table, wide enough for any number, for the pass that counts money."""
    notes: list[str] = field(default_factory=list)
    """How doubts were settled."""
    warnings: list[str] = field(default_factory=list)

    def taken(self, extra: str = "") -> str:
        """SQL of the parsed rows that are not in quarantine, as the CTE `taken`; to be used after they are."""
        columns = ", ".join(f"{sql} as {name}" for name, sql in self.parsed.items())
        return (
            f"with taken as (select _file_id, _line, {columns}{extra} from {self.table} anti join (select "
            "file_id, line "
            f"from raw.quarantine where source = {literal(self.source)}) as q on q.file_id = _file_id and "
            "q.line = _line)"
        )

    def judged(self, extra: str = "") -> str:
        """SQL of the parsed rows with `_why`: 0, or the place of the first refusal that fits."""
        columns = ", ".join(f"{sql} as {name}" for name, sql in self.parsed.items())
        whens = " ".join(f"when {r.when} then {i}" for i, r in enumerate(self.refusals, 1))
        why = f"case {whens} else 0 end" if whens else "0"
        return (
            f"with parsed as (select _file_id, _line, {columns}{extra} from {self.table}), "
            f"judged as (select *, {why} as _why from parsed)"
        )


def check_columns(source: str, settings: FilesSource, shown: str, names: Iterable[str]) -> None:
    """Refuse settings that name a column which the file `shown` lacks, gathering all of them."""
    names = list(names)
    wanted = {f"columns.{field}": column for field, column in settings.columns.items()}
    wanted |= {f"attributes.{attribute}": column for attribute, column in settings.attributes.items()}
    wanted |= {f"kinds.{kind}.column": rule.column for kind, rule in settings.kinds.items()}
    have = {name.lower() for name in names}
    lacking = [
        f"'{column}' ({key}){did_you_mean(column, names)}"
        for key, column in wanted.items()
        if column.lower() not in have
    ]
    if lacking:
        raise MissingColumns(
            f"sources.{source}: {shown} lacks the column {' and '.join(lacking)}; it has {listing(names, 30)}. "
            f"Map the right name under [sources.{source}.columns] in evervalue.toml."
        )
