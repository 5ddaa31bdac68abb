"""Any other database through SQLAlchemy: rows are streamed; what was read tells whether a range has changed."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from evervalue.core.errors import EvervalueError, MissingExtra, SettingsError, SourceUnavailable
from evervalue.core.text import did_you_mean, listing
from evervalue.sources.databases import refusals
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.packed import FILLER, packed
from evervalue.sources.databases.reader import Bound, Copied, Fingerprint, Range
from evervalue.sources.databases.refusals import Case
from evervalue.sources.databases.tables import TEXT, Column, Table, decimal
from evervalue.warehouse.duckdb import first_line

ISOLATION = {
    "postgresql": "REPEATABLE READ",
    "mysql": "REPEATABLE READ",
    "mariadb": "REPEATABLE READ",
    "mssql": "SNAPSHOT",
    "oracle": "SERIALIZABLE",
}
"""The level at which a transaction sees one state; of other databases their own default."""
CASES = (
    Case(refusals.LET_IN, (), ("access denied", "authentication failed", "login failed", "invalid username")),
    Case(refusals.NO_HOST, (), ("name or service not known", "translate host name", "name resolution")),
    Case(refusals.NO_ANSWER, (), ("refused", "timed out", "timeout", "unable to open database", "can't connect")),
    Case(refusals.TABLE_GONE, (), ("no such table", "does not exist", "doesn't exist", "invalid object name")),
    Case(refusals.NO_RIGHT, (), ("permission denied", "command denied", "not authorized")),
    Case(refusals.LOST, (), ("lost connection", "server closed", "connection is closed", "terminating connection")),
)  # fmt: skip
BATCH = 5000


class AnyReader:
    """A database that SQLAlchemy has a dialect for, under one transaction of one connection."""

    kind = "sql"
    workers = 1
    fingerprints = False

    def __init__(self, address: Address) -> None:
        """Nothing is asked of the database yet."""
        self.address = address
        self._engine: Any = None
        self._con: Any = None
        self._reflected: dict[str, Any] = {}

    def open(self) -> None:
        """Begin the transaction, unless it is begun."""
        if self._con is not None:
            return
        alchemy = _driver()
        with self._told(""):
            try:
                self._engine = alchemy.create_engine(self.address.text, poolclass=alchemy.pool.NullPool)
            except alchemy.exc.NoSuchModuleError as error:
                raise SettingsError(
                    f"{self.address.where}.connection: no library for this kind of database is installed "
                    f"({first_line(error)}). Install the one its name asks for, such as oracledb for oracle+oracledb://."
                ) from None
            except ModuleNotFoundError as error:
                raise MissingExtra(
                    f"{self.address.where}.connection needs the library {error.name}: pip install {error.name}."
                ) from None
            except alchemy.exc.ArgumentError as error:
                raise SettingsError(
                    f"{self.address.where}.connection is not a URL as SQLAlchemy writes it "
                    f"({self.address.redacted(first_line(error))}). An example: oracle+oracledb://USER:PASSWORD@HOST/?service_name=X."
                ) from None
            dialect = self._engine.dialect.name
            con = self._engine.connect()
            if level := ISOLATION.get(dialect):
                con = con.execution_options(isolation_level=level)
            if dialect == "sqlite":
                con.exec_driver_sql("begin")  # its driver begins nothing by itself for a select
            self._con = con

    def close(self) -> None:
        """End the transaction."""
        for one in (self._con, self._engine):
            if one is not None:
                with suppress(Exception):
                    one.close() if one is self._con else one.dispose()
        self._con = self._engine = None
        self._reflected = {}

    def describe(self, table: str) -> Table:
        """What is known of a table, by reflection."""
        alchemy = _driver()
        self.open()
        with self._told(f"looking at {table}"):
            inspector = alchemy.inspect(self._con)
            schema, name = self._find(inspector, table)
            found = alchemy.Table(
                name, alchemy.MetaData(), schema=schema, autoload_with=self._con, resolve_fks=False
            )
        shown = f"{schema}.{name}" if schema else name
        self._reflected[shown] = found
        key = tuple(column.name for column in found.primary_key.columns)
        columns = tuple(_column(column) for column in found.columns)
        return Table(shown, columns, key, key_is_sure=False, address=shown)

    def boundaries(self, table: Table, within: Range, rows: int) -> list[Bound]:
        """Every `rows`-th key, one after the other; none where the key is not one column of numbers or text."""
        alchemy = _driver()
        key = self._key(table)
        if key is None:
            return []
        found: list[Bound] = []
        with self._told(f"parting {table.name}"):
            while True:
                last = found[-1] if found else within.lower
                asked = (
                    alchemy.select(key).where(*self._within(table, Range(last, within.upper)))
                    .order_by(key).offset(rows - 1).limit(1)
                )  # fmt: skip
                row = self._con.execute(asked).first()
                if row is None:
                    return found
                found.append((str(row[0]),))

    def fingerprint(self, table: Table, range: Range) -> Fingerprint:
        """Nothing: such a database is read to be told."""
        raise NotImplementedError

    def copy(self, table: Table, range: Range, path: Path, *, most: int | None = None) -> Copied:
        """Write a range, or its first rows, to a file, ordered by the key, with a hash of what was written."""
        alchemy = _driver()
        found = self._reflected[table.name]
        asked = alchemy.select(*[found.c[column.name] for column in table.columns]).where(
            *self._within(table, range)
        )
        asked = asked.order_by(*[found.c[name] for name in table.key])
        asked = asked.limit(most) if most else asked
        writers = [_writer(column) for column in table.columns]
        hashed = hashlib.sha256()
        with self._told(f"reading {table.name}"), packed(path) as out:
            out.header(len(table.columns))
            streamed = self._con.execution_options(stream_results=True, max_row_buffer=BATCH).execute(asked)
            for some in streamed.partitions(BATCH):
                for row in some:
                    cells = [write(cell) for write, cell in zip(writers, row, strict=True)]
                    if len(cells) == 1:
                        cells.append(FILLER)
                    line = (",".join(cells) + "\n").encode("utf-8", "surrogatepass")
                    hashed.update(line)
                    out.write(line)
        return Copied(out.rows, out.bytes, out.longest, hashed.hexdigest())

    def count(self, table: Table) -> int:
        """All rows of a table."""
        alchemy = _driver()
        with self._told(f"counting {table.name}"):
            asked = alchemy.select(alchemy.func.count()).select_from(self._reflected[table.name])
            return int(self._con.execute(asked).scalar_one())

    def check(self, table: str, *, changes: bool) -> list[str]:
        """What was found, in sentences."""
        del changes
        found = self.describe(table)
        with self._told(f"looking at {table}"):
            self._con.execute(_driver().select(self._reflected[found.name]).limit(1)).first()
        key = f"key {listing(found.key)}" if found.key else "no key: it is read whole, and placed row by row"
        name = self._engine.dialect.name
        said = [name, f"{found.name}: {len(found.columns)} columns, {key}"]
        if name not in ISOLATION and name != "sqlite":
            said.append(f"whether {name} shows one state to a whole transaction is not known here")
        return said

    def _key(self, table: Table) -> Any:
        """The only column of the key, where its values can be written as text and compared."""
        if len(table.key) != 1 or table.key_columns[0].key == "":
            return None
        return self._reflected[table.name].c[table.key[0]]

    def _within(self, table: Table, range: Range) -> list[Any]:
        key = self._key(table)
        if key is None:
            return []
        tests = []
        column = table.key_columns[0]
        if range.lower is not None:
            lower = _value(column, range.lower[0])
            tests.append(key >= lower if range.closed else key > lower)
        if range.upper is not None:
            tests.append(key <= _value(column, range.upper[0]))
        return tests

    def _find(self, inspector: Any, table: str) -> tuple[str | None, str]:
        schema, _, name = table.rpartition(".")
        for one, other in ((None, table), (schema or None, name)):
            if inspector.has_table(other, schema=one):
                return one, other
        names = [*inspector.get_table_names(schema=None), *inspector.get_view_names(schema=None)]
        raise SourceUnavailable(
            f"{self.address.where}: the database has no table {table}{did_you_mean(table, names)}, or this user may "
            "not see it."
        )

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        alchemy = _driver()
        try:
            yield
        except EvervalueError:
            raise
        except alchemy.exc.SQLAlchemyError as error:
            said = first_line(getattr(error, "orig", None) or error)
            raise refusals.refusal(CASES, self.address, code="", said=said, doing=doing) from None


def _driver() -> Any:
    try:
        import sqlalchemy
    except ImportError:
        raise MissingExtra("Sources of kind sql need SQLAlchemy: pip install 'evervalue[sql]'.") from None
    return sqlalchemy


def _column(column: Any) -> Column:
    types = _driver().types
    kind, made, number, key = column.type, TEXT, False, ""
    if isinstance(kind, types.Boolean):
        made = "BOOLEAN"
    elif isinstance(kind, types.Integer):
        made, key = "BIGINT", "number"
    elif isinstance(kind, types.Float):
        made = "DOUBLE"
    elif isinstance(kind, types.Numeric):
        number = True
        if kind.precision is not None:
            made = decimal(int(kind.precision), int(kind.scale or 0))
    elif isinstance(kind, types.DateTime):
        made, key = "TIMESTAMP WITH TIME ZONE" if kind.timezone else "TIMESTAMP", "time"
    elif isinstance(kind, types.Date):
        made, key = "DATE", "time"
    elif isinstance(kind, types.String) and not isinstance(kind, types.Enum):
        key = "text"
    return Column(str(column.name), str(kind), made, number, key=key)


def _value(column: Column, text: str) -> Any:
    """A value of the key as the driver takes it."""
    if column.key == "number":
        return int(text)
    if column.type == "DATE":
        return dt.date.fromisoformat(text)
    return dt.datetime.fromisoformat(text) if column.key == "time" else text


def _writer(column: Column) -> Callable[[Any], str]:
    """What writes a value of a column as a cell of CSV. A value that is not of its type is written as it is."""
    plain = column.type != TEXT

    def write(cell: Any) -> str:
        if cell is None:
            return ""
        if isinstance(cell, bool):
            return "true" if cell else "false"
        if isinstance(cell, int | Decimal) and plain:
            return format(cell, "f") if isinstance(cell, Decimal) and cell.is_finite() else str(cell)
        if isinstance(cell, float) and plain:
            return repr(cell)
        if isinstance(cell, bytes | bytearray | memoryview):
            text = "\\x" + bytes(cell).hex()
        elif isinstance(cell, dt.datetime):
            text = (cell.astimezone(dt.UTC) if cell.tzinfo else cell).isoformat(" ")
        elif isinstance(cell, Decimal) and cell.is_finite():
            text = format(cell, "f")
        else:
            text = str(cell)
        return '"' + text.replace('"', '""') + '"'

    return write
