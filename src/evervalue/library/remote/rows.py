"""What a server gives: one thing, or rows that come page by page and become any frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from evervalue.core.errors import EvervalueError, MissingExtra
from evervalue.core.show import Sample, html, text
from evervalue.library.remote.errors import ApiError

Row = dict[str, Any]
Page = tuple[list[Row], dict[str, Any]]
SHOWN = 10


class RunChanged(ApiError):
    """A new run was published while rows were read, so that they would be of two runs."""


class Truncated(EvervalueError):
    """The server gives the first rows alone as JSON."""


class One(Row):
    """One thing, with what its answer says of itself in `meta`."""

    def __init__(self, data: Mapping[str, Any], meta: dict[str, Any]) -> None:
        super().__init__(data)
        self.meta = meta
        """Run, cutoff, currency, and the SQL with its parameters."""


class Rows:
    """Rows of one run: asked for when they are first needed, page by page while one iterates.

    Parameters
    ----------
    page
        Gives the rows behind a cursor, and the meta of the answer.
    pieces
        Gives all of them as a file of a format.
    """

    def __init__(
        self, name: str, page: Callable[[str | None], Page], pieces: Callable[[str], Iterator[bytes]]
    ) -> None:
        self._name = name
        self._page = page
        self._pieces = pieces
        self._read: list[Page] = []

    @property
    def meta(self) -> dict[str, Any]:
        """Run, cutoff, currency, total, and the SQL with its parameters."""
        return self._at(0)[1]

    def __iter__(self) -> Iterator[Row]:
        place = 0
        while True:
            rows, meta = self._at(place)
            yield from rows
            if not meta.get("next_cursor"):
                break
            place += 1
        if place == 0 and int(meta.get("total", 0)) > len(rows):
            raise Truncated(
                f"The server gives the first {len(rows):,} of {meta['total']:,} rows so; "
                f".save('{self._name}.csv') has all."
            )

    def __len__(self) -> int:
        rows, meta = self._at(0)
        return (
            int(meta["total"])
            if "total" in meta
            else sum(1 for _ in self)
            if meta.get("next_cursor")
            else len(rows)
        )

    def __getitem__(self, place: int) -> Row:
        if place < 0:
            return list(self)[place]
        for n, row in enumerate(self):
            if n == place:
                return row
        raise IndexError(place)

    def __repr__(self) -> str:
        return text(self._name, self._facts(), self._sample())

    def _repr_html_(self) -> str:
        return html(self._name, self._facts(), self._sample())

    def to_list(self) -> list[Row]:
        """All rows."""
        return list(self)

    def to_pandas(self) -> Any:
        """All rows as a pandas DataFrame, money exact (as Decimal)."""
        pandas = _frames("pandas")
        rows = self.to_list()
        return pandas.DataFrame(rows, columns=list(rows[0]) if rows else None)

    def to_polars(self) -> Any:
        """All rows as a Polars DataFrame, money exact."""
        polars = _frames("polars")
        return polars.DataFrame(self.to_list(), infer_schema_length=None)

    def to_arrow(self) -> Any:
        """All rows as an Arrow table, money exact."""
        return _frames("pyarrow").Table.from_pylist(self.to_list())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def save(self, path: str | Path, format: str | None = None) -> Path:
        """The file that all rows were written to, all of one run: CSV or XLSX, by the end of its name unless told.

        Raises
        ------
        ApiError
            The server did not give them; an existing file is then as it was.
        """
        file = Path(path)
        beside = file.with_name(file.name + ".part")
        try:
            with beside.open("wb") as out:
                out.writelines(self._pieces(format or file.suffix.lstrip(".").lower()))
            return beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)

    def _at(self, place: int) -> Page:
        while len(self._read) <= place:
            before = self._read[-1][1] if self._read else None
            rows, meta = self._page(before["next_cursor"] if before else None)
            if before is not None and meta.get("run_id") != before.get("run_id"):
                raise RunChanged(
                    f"Run {meta.get('run_id')} was published while rows of run {before.get('run_id')} were read. Ask "
                    "again, or take a file with .save(), which is of one run."
                )
            self._read.append((rows, meta))
        return self._read[place]

    def _facts(self) -> Iterator[tuple[str, str]]:
        for name, title in (
            ("total", "rows"),
            ("run_id", "run"),
            ("as_of", "as of"),
            ("currency", "currency"),
        ):
            if self.meta.get(name) is not None:
                yield title, str(self.meta[name])

    def _sample(self) -> Sample:
        rows = self._at(0)[0]
        columns = list(rows[0]) if rows else []
        return Sample(columns, [tuple(row.get(name) for name in columns) for row in rows[:SHOWN]], len(self))


def _frames(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra(f"{name} is not installed: pip install 'evervalue[frames]'.") from None
