"""An output fitted to the columns that are really there: the names as found, what is optional and missing left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from evervalue.core.errors import MissingColumns
from evervalue.core.text import did_you_mean, listing
from evervalue.sources.mapping_settings import Made, Rule
from evervalue.sources.names import folded
from evervalue.sources.systems import Lookup, Output

R = TypeVar("R", bound=Rule)
STANDS_IN = {"amount": {"quantity", "unit_price"}, "customer_id": {"customer_name"}}
"""Needed fields, and what does for them."""


@dataclass(frozen=True)
class Fitted:
    """An output as it can be mapped."""

    output: Output | None
    """None where the table it is mapped from is not there."""
    notes: list[str]
    """What was left out."""


def find_column(name: str, names: Iterable[str], *, loose: bool) -> str | None:
    """The column that a name means: itself, else but for case; loosely, else but for blanks, _ and other signs too.

    Loosely only where one column alone is so like it.

    >>> find_column("CloseDate", ["close_date", "amount"], loose=True)
    'close_date'
    """
    names = list(names)
    if name in names:
        return name
    lowered = [n for n in names if n.lower() == name.lower()]
    if lowered or not loose:
        return lowered[0] if lowered else None
    alike = [n for n in names if folded(n) == folded(name)]
    return alike[0] if len(alike) == 1 else None


def fitted(output: Output, columns_of: Mapping[str, Sequence[str]], *, preset: str | None = None) -> Fitted:
    """`output` with the names of columns that its tables have.

    Parameters
    ----------
    columns_of
        Feed: its columns; none where the table is not there.
    preset
        The preset that the output comes from. Its names are compared loosely, so that one preset serves the system's
        own spelling, a database's and a replication tool's.

    Raises
    ------
    MissingColumns
        Columns of a preset that are neither there nor optional, all of them.
    """
    return _Fitter(output, columns_of, preset).fitted()


class _Fitter:
    def __init__(self, output: Output, columns_of: Mapping[str, Sequence[str]], preset: str | None) -> None:
        self.output, self.preset = output, preset
        self.settings = output.settings
        self.columns_of = columns_of
        self.there: dict[str, Sequence[str]] = {}
        self.optional = set(output.settings.optional)
        self.notes: list[str] = []
        self.faults: list[tuple[str, str]] = []
        """(column, key) of what is missing."""

    def fitted(self) -> Fitted:
        if not self.columns_of.get(self.output.feed):
            return Fitted(None, [f"{self.output.where} is left out, for {self.output.feed} is not there"])
        lookups = tuple(there for lookup in self.output.lookups if (there := self._lookup(lookup)))
        made: dict[str, Made] = {}
        columns = self._named("columns", self.settings.columns, made)
        attributes = self._named("attributes", self.settings.attributes, made)
        kinds = {
            k: r for k, rule in self.settings.kinds.items() if (r := self._rule(f"kinds.{k}.column", rule))
        }
        only = [
            x for i, rule in enumerate(self.settings.only) if (x := self._rule(f"only[{i}].column", rule))
        ]
        negative = self.settings.negative
        if isinstance(negative, Rule):
            negative = self._rule("negative.column", negative) or False
        if self.faults and self.preset:
            raise self._missing()
        settings = self.settings.model_copy(
            update={
                "columns": columns, "attributes": attributes, "kinds": kinds, "only": tuple(only), "made": made,
                "negative": negative,
                "discount_off": self.settings.discount_off if "discount" in columns else None,
                "minor_units": tuple(name for name in self.settings.minor_units if name in columns),
            }
        )  # fmt: skip
        return Fitted(replace(self.output, settings=settings, lookups=lookups), self.notes)

    def _lookup(self, lookup: Lookup) -> Lookup | None:
        """The lookup with names as found; None where its table, or the one it is looked up by, is not there."""
        names = self.columns_of.get(lookup.feed)
        gone = any(
            here.rpartition(".")[0] in self._aliases() and here.rpartition(".")[0] not in self.there
            for here in lookup.on
            if not self._find(here)
        )
        if not names or gone:
            return None
        key = f"lookups.{lookup.alias}"
        on = {}
        for here, there in lookup.on.items():
            mine, theirs = self._find(here), self._in(there, names)
            if mine is None:
                self.faults.append((here, key))
            if theirs is None:
                self.faults.append((f"{lookup.alias}.{there}", key))
            on[mine or here] = theirs or there
        only = []
        for rule in lookup.only:
            found = self._in(rule.column, names)
            if found is None:
                self.faults.append((f"{lookup.alias}.{rule.column}", f"{key}.only"))
            only.append(rule.model_copy(update={"column": found or rule.column}))
        self.there[lookup.alias] = names
        return replace(lookup, on=on, only=tuple(only))

    def _aliases(self) -> set[str]:
        return {lookup.alias for lookup in self.output.lookups}

    def _named(self, part: str, named: Mapping[str, str], made: dict[str, Made]) -> dict[str, str]:
        """Fields or attributes with their columns as found; columns that are made are noted in `made`."""
        taken: dict[str, str] = {}
        for name, column in named.items():
            how = self.settings.made.get(column)
            if how and how.text is not None:
                taken[name], made[column] = column, how
                continue
            parts = (how.joined or how.first_of or how.any_of) if how else (column,)
            found = {part: self._find(part) for part in parts}
            there = [f for f in found.values() if f]
            lacking = [p for p, f in found.items() if f is None]
            kept: Made | None = None
            if how and how.joined:
                kept = Made(joined=tuple(f or p for p, f in found.items()))
            elif there:
                lacking = []
                kept = Made(first_of=tuple(there)) if how and how.first_of else None
            if not lacking:
                if kept:
                    made[column] = kept
                taken[name] = column if kept else there[0]
                continue
            if name in self.optional and self._may_go(part, name, named):
                self.notes.append(
                    f"{part}.{name} is left out, for there is no column {listing(map(repr, lacking))}"
                )
                continue
            self.faults += [(p, f"{part}.{name}") for p in lacking]
            taken[name] = column
            if how:
                made[column] = how
        return taken

    def _may_go(self, part: str, name: str, named: Mapping[str, str]) -> bool:
        stand_in = STANDS_IN.get(name)
        return part == "attributes" or stand_in is None or stand_in <= set(named)

    def _rule(self, key: str, rule: R) -> R | None:
        """The rule with its column as found; None where it is optional and the column is not there."""
        found = self._find(rule.column)
        if found is None and rule.column in self.optional:
            self.notes.append(
                f"{key.removesuffix('.column')} is left out, for there is no column '{rule.column}'"
            )
            return None
        if found is None:
            self.faults.append((rule.column, key))
        return rule.model_copy(update={"column": found or rule.column})

    def _find(self, name: str) -> str | None:
        if found := self._in(name, self.columns_of[self.output.feed]):
            return found
        alias, _, column = name.partition(".")
        if alias in self.there and (found := self._in(column, self.there[alias])):
            return f"{alias}.{found}"
        return None

    def _in(self, name: str, names: Iterable[str]) -> str | None:
        return find_column(name, names, loose=self.preset is not None)

    def _missing(self) -> MissingColumns:
        said: list[str] = []
        for column, key in dict.fromkeys(self.faults):
            alias, _, name = column.partition(".")
            if alias not in self._aliases():
                alias, name = "", column
            feed = next((x.feed for x in self.output.lookups if x.alias == alias), self.output.feed)
            names = self.columns_of.get(feed) or ()
            table = feed.partition(".")[2] or feed
            has = f"; it has {listing(names, 30)}" if names else f"; there is no {table}"
            said.append(f"column '{name}' of {table} ({key}){did_you_mean(name, names)}{has}")
        return MissingColumns(
            f"{self.output.where}: the preset {self.preset} expects {' and '.join(said)}. Name yours under "
            f"[{self.output.where}.columns] in evervalue.toml, or leave the output out with "
            f"{self.output.where.rpartition('.')[2]} = false under [{self.output.where.rpartition('.')[0]}]."
        )
