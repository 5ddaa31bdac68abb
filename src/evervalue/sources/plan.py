"""What mapping a source comes to: SQL for every field, and a reason for every row that is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from evervalue.sources.mapping_settings import MappingSettings
from evervalue.warehouse.duckdb import literal


@dataclass(frozen=True)
class Refusal:
    """When a row is refused: a predicate over the parsed row, and what is said."""

    when: str
    column: str | None
    cell: str
    reason: str
    says: str
    by_row: bool = False
    """Whether reason and words are SQL over the parsed row."""


@dataclass
class Plan:
    """SQL that maps one output."""

    source: str
    feed: str
    """The table of which one row is one row of the output."""
    settings: MappingSettings
    table: str
    """SQL of the rows to map: the raw table of the feed, or its join with what is looked up."""
    base: str
    """The raw table of the feed, quoted."""
    all_columns: list[str]
    """Columns of the raw table."""
    parsed: dict[str, str] = field(default_factory=dict)
    """Name: expression over the raw table; `c_x` is the cell of field x as text, `v_x` its value."""
    mapped: dict[str, str] = field(default_factory=dict)
    """Column of the mapped table: expression over the parsed row."""
    identifiers: dict[str, str] = field(default_factory=dict)
    """Sort of identifier that stands beside the row's customer: expression over the parsed row."""
    refusals: list[Refusal] = field(default_factory=list)
    totals: dict[str, str] = field(default_factory=dict)
    """amount, margin: expressions over the raw table, wide enough for any number, for the pass that counts money."""
    aside: str = ""
    """Predicate over the parsed row: whether it is set aside, because the rules of the settings leave it out."""
    notes: list[str] = field(default_factory=list)
    """How doubts were settled."""
    warnings: list[str] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """Checksum of everything that decides what a row becomes."""
        refusals = [
            [r.when, r.column, r.cell, r.reason, r.says, *([True] if r.by_row else [])] for r in self.refusals
        ]
        decides = [
            self.parsed,
            self.mapped,
            self.identifiers,
            refusals,
            self.totals,
            self.aside,
            self.settings.attributes,
        ]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()

    def taken(self, extra: str = "", touched: str | None = None) -> str:
        """SQL of the parsed rows that are neither in quarantine nor set aside, as the CTE `taken`; after they are."""
        columns = ", ".join(f"{sql} as {name}" for name, sql in self.parsed.items())
        within = f" where {among(touched)}" if touched else ""
        taken = (
            f"select _file_id, _line, {columns}{extra} from (select * from {self.table}{within}) anti join "
            f"(select file_id, line from raw.quarantine where source = {literal(self.source)}) as q "
            "on q.file_id = _file_id and q.line = _line"
        )
        if not self.aside:
            return f"with taken as ({taken})"
        return f"with parsed as ({taken}), taken as (select * from parsed where not {self.aside})"

    def judged(self, touched: str | None = None) -> str:
        """SQL of the parsed rows with `_why`: 0, or the place of the first refusal that fits."""
        columns = ", ".join(f"{sql} as {name}" for name, sql in self.parsed.items())
        set_aside = f"when {self.aside} then 0 " if self.aside else ""
        whens = set_aside + " ".join(f"when {r.when} then {i}" for i, r in enumerate(self.refusals, 1))
        why = f"case {whens} else 0 end" if whens else "0"
        within = f" where {among(touched)}" if touched else ""
        return (
            f"with parsed as (select _file_id, _line, {columns} from {self.table}{within}), "
            f"judged as (select *, {why} as _why from parsed)"
        )


def among(touched: str, file: str = "_file_id", line: str = "_line") -> str:
    """SQL: whether a row is among the touched ones; a touched row without a line means the whole file."""
    return (
        f"({file} in (select file_id from {touched} where line is null) "
        f"or ({file}, {line}) in (select (file_id, line) from {touched} where line is not null))"
    )
