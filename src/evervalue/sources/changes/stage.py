"""Changes on their way from a stream to a table: written to files as they come, however many, and loaded at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from evervalue.core.errors import InputError, StorageError
from evervalue.sources.keyed import KeyedTable
from evervalue.warehouse.duckdb import Connection, literal, quoted

Cell = bytes | None
BUFFER = 1 << 18
BATCH_ROWS = 200_000
BATCH_BYTES = 256 << 20
ODD_TIMES = r"BC\)?$|infinity|^\W?\d{5}"
HEAD = ["_op", "_lsn", "_ordinal", "_unchanged"]


@dataclass(frozen=True)
class Shape:
    """Columns of a table as the stream describes them."""

    key: tuple[str, ...]
    columns: tuple[str, ...]
    padded: frozenset[str] = frozenset()
    """Columns of fixed width, whose blanks at the end mean nothing."""


@dataclass
class Segment:
    """Changes of one table while its shape stays the same."""

    feed: str
    shape: Shape
    path: Path
    rows: int = 0
    bytes: int = 0
    longest: int = 0
    file: BinaryIO | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Mark:
    """What a stage held at a moment: of each segment its rows and bytes, and how long its file was."""

    segments: dict[int, tuple[int, int, int]]
    rows: int
    bytes: int


class Stage:
    """Files of one batch. Memory does not grow with it."""

    def __init__(self, folder: Path, batch_rows: int = BATCH_ROWS) -> None:
        self.folder = folder
        self.batch_rows = batch_rows
        self.segments: list[Segment] = []
        self._open: dict[str, Segment] = {}
        self._made = 0
        self.rows = 0
        self.bytes = 0

    def segment(self, feed: str, shape: Shape) -> Segment:
        """Where changes of a feed are written now; a new file where its shape has changed."""
        held = self._open.get(feed)
        if held is not None and held.shape == shape:
            return held
        if held is not None:
            self._close(held)
        self._made += 1
        made = Segment(feed, shape, self.folder / f"changes-{self._made}.csv")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            made.file = made.path.open("wb", buffering=BUFFER)
        except OSError as error:
            raise _disk(error, self.folder) from None
        self.segments.append(made)
        self._open[feed] = made
        return made

    def add(
        self,
        segment: Segment,
        op: bytes,
        lsn: int,
        ordinal: int,
        values: Sequence[Cell],
        old_key: Sequence[Cell] | None = None,
        unchanged: Iterable[str] = (),
    ) -> None:
        """One change: cells as UTF-8 text, None for null; `old_key` where the row came from another key."""
        names = list(unchanged)
        same = _cell(json.dumps(names).encode()) if names else b""
        before = b"," * len(segment.shape.key)
        if old_key is not None:
            before = b"," + b",".join([_cell(v) for v in old_key])
        line = b"%s,%d,%d,%s%s,%s\n" % (op, lsn, ordinal, same, before, b",".join([_cell(v) for v in values]))
        assert segment.file is not None
        try:
            segment.file.write(line)
        except OSError as error:
            raise _disk(error, self.folder) from None
        size = len(line)
        segment.rows += 1
        segment.bytes += size
        if size > segment.longest:
            segment.longest = size
        self.rows += 1
        self.bytes += size

    @property
    def is_full(self) -> bool:
        """Whether the batch has its size, and is to be applied when the transaction ends."""
        return self.rows >= self.batch_rows or self.bytes >= BATCH_BYTES

    def mark(self) -> Mark:
        """A place to go back to, until the batch is closed."""
        return Mark(
            {
                id(one): (one.rows, one.bytes, one.file.tell() if one.file else one.path.stat().st_size)
                for one in self.segments
            },
            self.rows,
            self.bytes,
        )

    def back(self, mark: Mark) -> None:
        """What came since a mark never came."""
        for one in self.segments:
            one.rows, one.bytes, size = mark.segments.get(id(one), (0, 0, 0))
            try:
                if one.file is None:
                    with one.path.open("r+b") as file:
                        file.truncate(size)
                else:
                    one.file.seek(size)
                    one.file.truncate()
            except OSError as error:
                raise _disk(error, self.folder) from None
        self.rows, self.bytes = mark.rows, mark.bytes

    def filled(self) -> list[Segment]:
        """Where changes are, in the order in which they came."""
        return [segment for segment in self.segments if segment.rows]

    def close(self) -> None:
        """Everything is on disk, to be loaded."""
        for segment in self._open.values():
            self._close(segment)
        self._open = {}

    def clear(self) -> None:
        """The files are gone, and the next batch may begin."""
        self.close()
        for segment in self.segments:
            segment.path.unlink(missing_ok=True)
        self.segments = []
        self.rows = self.bytes = 0

    def _close(self, segment: Segment) -> None:
        if segment.file is not None:
            try:
                segment.file.close()
            except OSError as error:
                raise _disk(error, self.folder) from None
            segment.file = None


def load(con: Connection, segment: Segment, types: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The temporary table that `KeyedTable.apply` takes, and the type of each column: text where a cell does not fit.

    Raises
    ------
    InputError
        The engine did not find every change that was written.
    """
    arrived = "_arrived"
    shape = segment.shape
    names = [*HEAD, *(f"_old {k}" for k in shape.key), *(f"_is {c}" for c in shape.columns)]
    spec = ", ".join(f"{literal(n)}: 'VARCHAR'" for n in names)
    con.execute(
        f"create or replace temp table {arrived} as select * from read_csv({literal(str(segment.path))}, "
        "auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
        f"allow_quoted_nulls = false, columns = {{{spec}}}, max_line_size = {max(1 << 21, segment.longest * 2 + 64)}, "
        "parallel = false)"
    )
    found = con.execute(f"select count(*) from {arrived}").fetchone() or (0,)
    if found[0] != segment.rows:
        raise InputError(
            f"{segment.feed}: {segment.rows:,} changes were written down and {found[0]:,} came back. Nothing was "
            "changed; run again."
        )
    typed = {c: types.get(c, "VARCHAR") for c in shape.columns}
    chosen = misfit_types(con, arrived, {c: f"_is {c}" for c in shape.columns}, typed)
    cells = [
        f"{_cast(quoted(f'_is {c}'), chosen[c], c in shape.padded)} as {quoted(c)}" for c in shape.columns
    ]
    old = [
        f"{_cast(quoted(f'_old {k}'), chosen[k], k in shape.padded)} as {quoted(f'_old {k}')}"
        for k in shape.key
    ]
    con.execute(
        "create or replace temp table _staged as select _op, _lsn::ubigint as _lsn, _ordinal::bigint as _ordinal, "
        "coalesce(from_json(_unchanged, '[\"VARCHAR\"]'), []) as _unchanged, "
        f"{', '.join([*old, *cells])} from {arrived}"
    )
    con.execute(f"drop table {arrived}")
    return "_staged", chosen


def misfit_types(
    con: Connection, table: str, cells: Mapping[str, str], types: Mapping[str, str]
) -> dict[str, str]:
    """The type of each column, text where a cell of it (column: cell's name) does not fit.

    A date that is infinite, before Christ or past the year 9999 does not, as in a snapshot: the engine reads some of
    them, and takes BC for nothing.
    """
    typed = [c for c, type in types.items() if type != "VARCHAR"]
    if not typed:
        return dict(types)

    def misfits(cell: str, type: str) -> str:
        odd = (
            f" or regexp_matches({cell}, {literal(ODD_TIMES)})"
            if type.startswith(("DATE", "TIMESTAMP"))
            else ""
        )
        return f"count(*) filter (where {cell} is not null and (try_cast({cell} as {type}) is null{odd}))"

    tests = ", ".join(misfits(quoted(cells[c]), types[c]) for c in typed)
    bad = con.execute(f"select {tests} from {table}").fetchone() or ()
    return {**types, **{c: "VARCHAR" for c, n in zip(typed, bad, strict=True) if n}}


def restage(con: Connection, staged: str, table: KeyedTable) -> str:
    """The staged changes with the types that the live table has by now, where they differ."""
    held = {str(r[0]): str(r[1]) for r in con.execute(f"describe {staged}").fetchall()}
    wanted = {**table.types, **{f"_old {k}": table.types[k] for k in table.key}}
    if all(wanted.get(name, type) == type for name, type in held.items()):
        return staged
    cells = ", ".join(f"{quoted(n)}::{wanted.get(n, t)} as {quoted(n)}" for n, t in held.items())
    con.execute(f"create or replace temp table _restaged as select {cells} from {staged}")
    con.execute(f"drop table {staged}")
    return "_restaged"


def _cast(cell: str, type: str, padded: bool) -> str:
    cell = f"rtrim({cell}, ' ')" if padded else cell
    return cell if type == "VARCHAR" else f"try_cast({cell} as {type})"


def _cell(value: Cell) -> bytes:
    if value is None:
        return b""
    if b'"' in value:
        value = value.replace(b'"', b'""')
    return b'"' + value + b'"'


def _disk(error: OSError, folder: Path) -> StorageError:
    return StorageError(
        f"Changes cannot be written down in {folder} ({error.strerror or error}). Make room there, or set "
        "EVERVALUE_TEMP_DIRECTORY to a disk that has some."
    )
