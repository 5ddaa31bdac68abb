"""What became of the changes that were applied to a table: every one of them is in exactly one count."""

from __future__ import annotations

from dataclasses import dataclass, field

from evervalue.warehouse.duckdb import Connection


@dataclass
class Applied:
    """What became of a batch: read = the sum of the eight counts after it."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    truncated: int = 0
    """Truncates; the rows they took are in `rows_gone`."""
    superseded: int = 0
    """Overtaken by a later change to the same key in the same batch."""
    repeated: int = 0
    """Applied before; changed nothing."""
    late: int = 0
    """Older than what is live or than the mark of a delete; kept in the past only."""
    refused: int = 0
    """Left out values that nothing here knows; set aside in the past, tried again with every batch of their key."""
    rows_come: int = 0
    rows_gone: int = 0
    example: str | None = None
    """Key of a refused change."""
    touched: str = ""
    """Temporary table (file_id text, line bigint) of the live rows that came, went or changed."""
    columns: list[str] = field(default_factory=list)

    @property
    def parts(self) -> int:
        """The counts that must add up to `read`."""
        return (
            self.inserted + self.updated + self.deleted + self.truncated
            + self.superseded + self.repeated + self.late + self.refused
        )  # fmt: skip

    @property
    def changed(self) -> bool:
        """Whether a live row came, went or changed."""
        return bool(self.rows_come or self.rows_gone or self.updated)

    def note_brought(self, con: Connection) -> None:
        """Gather the touched lines of a load, over its batches, in `_brought_` and the part's name."""
        name = self.touched.replace("_touched_", "_brought_")
        con.execute(f"create temp table if not exists {name} (file_id text, line bigint)")
        con.execute(f"insert into {name} from {self.touched}")
        con.execute(f"drop table {self.touched}")
        self.touched = name

    def add(self, other: Applied) -> None:
        """Counts of another batch on top."""
        for name in (
            "read", "inserted", "updated", "deleted", "truncated", "superseded", "repeated", "late", "refused",
            "rows_come", "rows_gone",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.example = self.example or other.example
