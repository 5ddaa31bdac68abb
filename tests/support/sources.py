"""Loads texts as sources into a warehouse in memory, for the tests of reading."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evervalue.core.progress import Silent
from evervalue.sources.load import load
from evervalue.sources.report import LoadReport
from evervalue.sources.systems import system
from evervalue.warehouse.duckdb import Connection, connect

COLUMNS = {"order_id": "order", "ordered_at": "date", "customer_id": "customer", "amount": "amount"}


class Warehouse:
    """A warehouse in memory over a folder of files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.con: Connection = connect()
        self.runs = 0

    def load(self, path: str = "sales.csv", *, full_refresh: bool = False, **settings: Any) -> LoadReport:
        """Load one source called `sales`; settings as in evervalue.toml."""
        return self.load_all(
            {"sales": {"path": path, "columns": COLUMNS, **settings}}, full_refresh=full_refresh
        )

    def load_all(
        self, sources: Mapping[str, Mapping[str, Any]], *, full_refresh: bool = False, time_zone: str = "UTC"
    ) -> LoadReport:
        """Load sources as in evervalue.toml."""
        self.runs += 1
        return load(
            self.con,
            {name: system(name, values) for name, values in sources.items()},
            base=self.folder,
            project_currency="USD",
            time_zone=time_zone,
            run_id=f"run{self.runs}",
            progress=Silent(),
            full_refresh=full_refresh,
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.con.execute(sql).fetchall()

    def mapped(self, columns: str) -> list[tuple[Any, ...]]:
        """Columns of the mapped order lines, in the order of the file."""
        return self.rows(f"select {columns} from mapped.order_lines order by source, file_id, line")

    def refused(self) -> list[tuple[int, str]]:
        """(line, reason) of every row in quarantine."""
        return self.rows("select line, reason from raw.quarantine order by file_id, line")

    def write(self, text: str | bytes, name: str = "sales.csv", encoding: str = "utf-8") -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path
