"""What an output is mapped from: one raw table, or one joined with others of which no row can come up twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from evervalue.core.errors import InputError, MissingColumns
from evervalue.core.text import count, did_you_mean, listing
from evervalue.sources import raw_zone
from evervalue.sources.mapping_settings import Rule
from evervalue.sources.raw_zone import StoredColumn, in_list
from evervalue.sources.rules import rule_sql
from evervalue.sources.systems import Lookup, Output, named_columns
from evervalue.warehouse.duckdb import Connection, literal, quoted


@dataclass(frozen=True)
class Relation:
    """Rows to map: where they are, and what their columns are."""

    table: str
    """SQL of the rows, with `_file_id` and `_line` of the base."""
    columns: dict[str, StoredColumn]
    base: str
    """SQL of the raw table of which one row is one row here."""
    base_columns: list[str]
    unmatched: dict[str, str]
    """Alias of a lookup: column that is true where a row has no partner in it."""
    sought: dict[str, str] = field(default_factory=dict)
    """Alias of a lookup that rules ask for cells of: column with the key that is looked up in it, as text."""


def relation(con: Connection, output: Output) -> Relation:
    """The rows that an output is mapped from, joined where it looks things up.

    Raises
    ------
    MissingColumns
        A column that the settings name is in none of the tables.
    InputError
        A table that is looked up has a key twice, so that a row would be multiplied.
    """
    base = raw_zone.stored_columns(con, output.feed)
    plain = Relation(raw_zone.table(output.feed), base, raw_zone.table(output.feed), list(base), {})
    if not output.lookups and not output.settings.made:
        return plain
    return _Joined(con, output, base).relation(plain)


def check_columns(where: str, wanted: Mapping[str, str], shown: str, names: Iterable[str]) -> None:
    """Refuse settings that name a column which `shown` lacks, gathering all of them."""
    names = list(names)
    have = {name.lower() for name in names}
    lacking = [
        f"'{column}' ({key}){did_you_mean(column, names)}"
        for key, column in wanted.items()
        if column.lower() not in have
    ]
    if lacking:
        keys = (key for key, column in wanted.items() if column.lower() not in have)
        tables = dict.fromkeys(f"[{where}.{key.rpartition('.')[0]}]" for key in keys)
        raise MissingColumns(
            f"{where}: {shown} lacks the column {' and '.join(lacking)}; it has {listing(names, 30)}. "
            f"Map the right name under {listing(tables, 5)} in evervalue.toml."
        )


class _Joined:
    """Joins and makes the columns that an output names."""

    def __init__(self, con: Connection, output: Output, base: dict[str, StoredColumn]) -> None:
        self.con = con
        self.output = output
        self.base = base
        self.there = {x.alias: raw_zone.stored_columns(con, x.feed) for x in output.lookups}
        self.base_files = [f.file_id for f in raw_zone.files_of(con, output.feed) if f.status == "loaded"]

    def relation(self, plain: Relation) -> Relation:
        columns: dict[str, StoredColumn] = {}
        chosen: dict[str, str] = {}
        for name in self._names():
            sql, stored = self._column(name)
            columns[name], chosen[name] = stored, sql
        joins = [self._join(lookup) for lookup in self.output.lookups]
        unmatched = {x.alias: f"_no_{x.alias}" for x in self.output.lookups}
        listed = ", ".join(f"{sql} as {quoted(name)}" for name, sql in chosen.items())
        flags = "".join(
            f", {_as(alias)}._file_id is null as {quoted(flag)}" for alias, flag in unmatched.items()
        )
        asked = {rule.column.rpartition(".")[0] for rule in self.output.settings.only}
        sought = {x.alias: f"_key_{x.alias}" for x in self.output.lookups if x.alias in asked}
        flags += "".join(
            f", {self._sought(x)} as {quoted(sought[x.alias])}"
            for x in self.output.lookups
            if x.alias in sought
        )
        joined = f"temp.{quoted('map~' + self.output.name)}"
        self.con.execute(
            f"create or replace temp table {quoted('map~' + self.output.name)} as "
            f"select b._file_id, b._line, {listed}{flags} from {plain.table} as b {' '.join(joins)}"
        )
        return Relation(joined, columns, plain.base, plain.base_columns, unmatched, sought)

    def _names(self) -> list[str]:
        """Columns of the relation: all of the base, and what the settings name besides."""
        settings = self.output.settings
        named = [*settings.columns.values(), *settings.attributes.values()]
        named += [rule.column for rule in settings.kinds.values()]
        named += [rule.column for rule in settings.only]
        named += [settings.negative.column] if isinstance(settings.negative, Rule) else []
        have = {name.lower() for name in self.base}
        further = dict.fromkeys(name for name in named if name.lower() not in have)
        return [*self.base, *further]

    def _column(self, name: str) -> tuple[str, StoredColumn]:
        """SQL of a column over the join, and what is stored in it."""
        made = self.output.settings.made.get(name)
        if made and made.text is not None:
            return literal(made.text), StoredColumn(name, "VARCHAR", {})
        if made and made.any_of:
            for other in made.any_of:
                if found := self._found(other):
                    return found
            raise self._missing(name, made.any_of)
        if made and made.first_of:
            there = [found[0] for other in made.first_of if (found := self._found(other))]
            if not there:
                raise self._missing(name, made.first_of)
            cells = ", ".join(f"nullif(trim({sql}::varchar), '')" for sql in there)
            return f"coalesce({cells}, null)", StoredColumn(name, "VARCHAR", {})
        if made and made.joined:
            parts = [self._column(part)[0] for part in made.joined]
            texts = ", ".join(f"nullif(trim({part}::varchar), '')" for part in parts)
            return f"nullif(concat_ws(' ', {texts}), '')", StoredColumn(name, "VARCHAR", {})
        if found := self._found(name):
            return found
        raise self._missing(name, (name,))

    def _found(self, name: str) -> tuple[str, StoredColumn] | None:
        if stored := _column_of(self.base, name):
            return f"b.{quoted(stored.name)}", stored
        alias, _, column = name.rpartition(".")
        if alias in self.there and (stored := _column_of(self.there[alias], column)):
            feed = next(x.feed for x in self.output.lookups if x.alias == alias)
            files = [f.file_id for f in raw_zone.files_of(self.con, feed) if f.status == "loaded"]
            kinds = {stored.typed_in.get(file) for file in files}
            # A cell was written by a machine where every file that may have brought it says so.
            typed = kinds.pop() if len(kinds) == 1 else None
            typed_in = dict.fromkeys(self.base_files, typed) if typed else {}
            return f"{_as(alias)}.{quoted(stored.name)}", StoredColumn(name, stored.type, typed_in)
        return None

    def _missing(self, name: str, tried: tuple[str, ...]) -> MissingColumns:
        keys = [key for key, column in named_columns(self.output.settings).items() if column == name]
        alias = name.rpartition(".")[0]
        feed = next((x.feed for x in self.output.lookups if x.alias == alias), self.output.feed)
        names = list(self.there.get(alias, self.base))
        if alias and alias not in self.there:
            names += [f"{a}." for a in self.there]
        return MissingColumns(
            f"{self.output.where}: {feed} has no column {listing([repr(t) for t in tried], 5)}"
            f"{f' ({keys[0]})' if keys else ''}{did_you_mean(tried[0].rpartition('.')[2], names)}; it has "
            f"{listing(names, 30)}. Map the right name under [{self.output.where}.columns] in evervalue.toml."
        )

    def _join(self, lookup: Lookup) -> str:
        keys = [self._key(lookup, there) for there in lookup.on.values()]
        self._refuse_repeated(lookup, keys)
        on = []
        for here, key in zip(lookup.on, keys, strict=True):
            there = f"{_as(lookup.alias)}.{quoted(key.name)}"
            on.append(f"{self._key_text(*self._here(here))} = {self._key_text(there, key)}")
        return f"left join {self._rows(lookup)} as {_as(lookup.alias)} on {' and '.join(on)}"

    def _sought(self, lookup: Lookup) -> str:
        """SQL of what a row looks up; null where any of it stands for nothing."""
        keys = [self._key_text(*self._here(here)) for here in lookup.on]
        return " || ', ' || ".join(keys)

    def _here(self, name: str) -> tuple[str, StoredColumn]:
        found = self._found(name)
        if found is None:
            raise self._missing(name, (name,))
        return found

    def _rows(self, lookup: Lookup) -> str:
        """SQL of the rows that are looked up."""
        table = raw_zone.table(lookup.feed)
        if not lookup.only:
            return table
        there = self.there[lookup.alias]

        def cell(column: str) -> str:
            stored = _column_of(there, column)
            if stored is None:
                raise MissingColumns(
                    f"{self.output.where}: {lookup.feed} has no column '{column}' (lookups.{lookup.alias}.only)"
                    f"{did_you_mean(column, there)}; it has {listing(there, 30)}."
                )
            return f"nullif(trim({quoted(stored.name)}::varchar), '')"

        rules = (
            rule_sql(rule, cell, lambda column: f"try_cast({cell(column)} as double)") for rule in lookup.only
        )
        return f"(select * from {table} where {' and '.join(rules)})"

    def _key_text(self, sql: str, stored: StoredColumn) -> str:
        """SQL: a cell as rows are matched by it; null, which matches nothing, where it stands for nothing."""
        if stored.type in ("DOUBLE", "FLOAT"):
            whole = f"{sql} = trunc({sql}) and abs({sql}) < 1e15"
            return f"case when {whole} then {sql}::bigint::varchar else {sql}::varchar end"
        if stored.type != "VARCHAR":
            return f"{sql}::varchar"
        nothing = in_list(["", *self.output.settings.missing])
        return f"case when trim({sql}) not in ({nothing}) then trim({sql}) end"

    def _key(self, lookup: Lookup, column: str) -> StoredColumn:
        stored = _column_of(self.there[lookup.alias], column)
        if stored is None:
            names = list(self.there[lookup.alias])
            raise MissingColumns(
                f"{self.output.where}: {lookup.feed} has no column '{column}' (lookups.{lookup.alias})"
                f"{did_you_mean(column, names)}; it has {listing(names, 30)}."
            )
        return stored

    def _refuse_repeated(self, lookup: Lookup, keys: list[StoredColumn]) -> None:
        texts = [self._key_text(quoted(key.name), key) for key in keys]
        cells = ", ".join(texts)
        there = " and ".join(f"{text} is not null" for text in texts)
        names = listing([key.name for key in keys], 5)
        found = self.con.execute(
            "select count(*), min(k)::varchar, max(n) from "
            f"(select {cells if len(keys) == 1 else f'row({cells})'} as k, count(*) as n "
            f"from {self._rows(lookup)} as t where {there} group by all having count(*) > 1)"
        ).fetchone()
        if found and found[0]:
            raise InputError(
                f"{self.output.where}: {lookup.feed} has {count(int(found[0]), 'value')} of {names} more "
                f"than once (for example {found[1]}, up to {found[2]:,} times), so a row that looks it up would be "
                f"multiplied. Look it up by more columns, or take `from` = '{lookup.alias}' as the base."
            )


def _as(alias: str) -> str:
    return quoted("l~" + alias)


def _column_of(columns: Mapping[str, StoredColumn], name: str) -> StoredColumn | None:
    return next((stored for found, stored in columns.items() if found.lower() == name.lower()), None)
