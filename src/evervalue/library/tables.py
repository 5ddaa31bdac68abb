"""What `Orders`, `Scores` and `Gems` have in common: one relation, shown, counted and handed out as any frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from evervalue.core import show
from evervalue.library.session import Held
from evervalue.warehouse.duckdb import quoted
from evervalue.warehouse.frames import Kind, give_out

SHOWN = 10


class Table(Held, ABC):
    """A table in memory. Every access has a connection of its own, so threads may share the object."""

    _select: str
    """The rows that are handed out."""

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        with self._read() as con:
            return [str(row[0]) for row in con.execute(f"describe {self._select}").fetchall()]

    def __len__(self) -> int:
        with self._read() as con:
            return int((con.execute(f"select count(*) from ({self._select})").fetchone() or (0,))[0])

    def to_pandas(self) -> Any:
        """The rows as a pandas DataFrame, money exact."""
        return self._as("pandas")

    def to_polars(self) -> Any:
        """The rows as a Polars DataFrame, money exact."""
        return self._as("polars")

    def to_arrow(self) -> Any:
        """The rows as an Arrow table, money exact."""
        return self._as("arrow")

    @property
    def relation(self) -> Any:
        """The rows as a DuckDB relation, in a database of its own."""
        return self._as("duckdb")

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        return show.text(type(self).__name__, self._facts(), self._sample())

    def _repr_html_(self) -> str:
        return show.html(type(self).__name__, self._facts(), self._sample())

    @abstractmethod
    def _facts(self) -> Iterator[tuple[str, str]]:
        """What is worth knowing first, name by name."""

    @abstractmethod
    def _sample(self) -> show.Sample:
        """The rows to show."""

    def _as(self, kind: Kind) -> Any:
        with self._read() as con:
            return give_out(con, self._select, kind)

    def _first(self, columns: list[str], order: str) -> show.Sample:
        with self._read() as con:
            names = ", ".join(map(quoted, columns))
            rows = con.execute(
                f"select {names} from ({self._select}) order by {order} limit {SHOWN}"
            ).fetchall()
            (total,) = con.execute(f"select count(*) from ({self._select})").fetchone() or (0,)
        return show.Sample(columns, rows, int(total))
