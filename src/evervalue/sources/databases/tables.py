"""What is known of a table before it is read: its columns with their types, its key, about how many rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from evervalue.core.errors import InputError, MissingColumns
from evervalue.core.text import did_you_mean, listing

TEXT = "VARCHAR"
NUMBERS = ("SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "UBIGINT", "TINYINT")
MOST_DIGITS = 38
"""What the engine's decimals hold; longer ones stay text, with every digit."""


@dataclass(frozen=True)
class Column:
    """A column of a table in a database."""

    name: str
    database_type: str
    """As the database calls it."""
    type: str
    """The engine type that holds every value of it, or VARCHAR."""
    number: bool = False
    """Whether it holds numbers although its type is VARCHAR."""
    key: str = ""
    """How its values are compared in ranges: number, text, binary or time; empty where they cannot be."""
    extra: str = ""
    """What the reader of this database needs to know besides."""

    @property
    def stored_type(self) -> str:
        """What raw.columns says of it."""
        if self.type == TEXT:
            return "number" if self.number else "text"
        return self.type


@dataclass(frozen=True)
class Table:
    """A table of a database."""

    name: str
    """As messages show it, with its schema."""
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    """Columns that name a row; empty where there is no key."""
    key_is_sure: bool = True
    """Whether the database itself keeps the key unique and without gaps."""
    rows: int | None = None
    """About how many rows, where the database has an idea."""
    address: str = ""
    """How it is written in SQL, quoted."""
    warnings: tuple[str, ...] = ()
    kind: str = "table"
    facts: dict[str, str] = field(default_factory=dict, compare=False)
    """What the reader of this database needs to know besides."""

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The columns of the key."""
        return tuple(self.column(name) for name in self.key)

    @property
    def order(self) -> tuple[str, ...]:
        """The key with how its values are sorted: ranges by one order are no ranges by another."""
        said = []
        for column in self.key_columns:
            if column.number or column.type in ("BOOLEAN", "DOUBLE") or column.type.startswith(NUMBERS):
                said.append(column.name)
            elif column.type == TEXT:
                collation = self.facts.get(f"collation {column.name}", "")
                said.append(f"{column.name}, as text{f' ({collation})' if collation else ''}")
            else:
                said.append(f"{column.name}, as time")
        return tuple(said)

    def schema_hash(self) -> str:
        """Names the columns with their types: whenever it changes, every range is read again."""
        said = json.dumps([[column.name, column.database_type, column.type] for column in self.columns])
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def decimal(precision: int, scale: int) -> str:
    """The engine type of a number with so many digits in all and behind the point; VARCHAR where none is wide enough.

    >>> decimal(12, 2), decimal(3, 5), decimal(5, -2), decimal(40, 2)
    ('DECIMAL(12,2)', 'DECIMAL(5,5)', 'DECIMAL(7,0)', 'VARCHAR')
    """
    if scale < 0:
        precision, scale = precision - scale, 0
    precision = max(precision, scale)
    return f"DECIMAL({precision},{scale})" if 0 < precision <= MOST_DIGITS else TEXT


def with_key(table: Table, key: Sequence[str], where: str) -> Table:
    """The table with the key that the settings name, or its own.

    Raises
    ------
    MissingColumns
        A column of the key is not there.
    """
    if not key:
        return table
    names = {column.name.lower(): column.name for column in table.columns}
    lacking = [name for name in key if name.lower() not in names]
    if lacking:
        raise MissingColumns(
            f"{where}: {table.name} has no column '{lacking[0]}'{did_you_mean(lacking[0], names.values())}, which the "
            f"setting `key` names. It has {listing(names.values(), 20)}."
        )
    chosen = tuple(names[name.lower()] for name in key)
    sure = table.key_is_sure and {name.lower() for name in chosen} == {name.lower() for name in table.key}
    return replace(table, key=chosen, key_is_sure=sure)


def refuse_clashes(table: Table, where: str) -> None:
    """Refuse columns whose names the warehouse cannot tell apart.

    Raises
    ------
    InputError
        Two names differ only in small and capital letters.
    """
    seen: dict[str, str] = {}
    for column in table.columns:
        other = seen.setdefault(column.name.lower(), column.name)
        if other != column.name:
            raise InputError(
                f"{where}: {table.name} has columns '{other}' and '{column.name}', which differ only in small and "
                "capital letters. Make a view with other names and read that."
            )
