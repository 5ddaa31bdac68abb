"""Which preset fits a set of tables, by the columns it needs and those that are there."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evervalue.core.text import count, listing
from evervalue.sources import presets
from evervalue.sources.fitted import find_column
from evervalue.sources.systems import Output, System, system

ENOUGH = 0.8
"""Share of the needed columns from which on a preset is proposed."""


@dataclass(frozen=True)
class PresetFit:
    """How well a preset fits."""

    name: str
    says: str
    needed: int
    """Columns it needs, over all its tables."""
    found: int
    tables: dict[str, str] = field(default_factory=dict)
    """Table of the preset: table that has its columns."""
    lacking: list[str] = field(default_factory=list)
    """What it needs and is not there, as table.column."""
    without: dict[str, list[str]] = field(default_factory=dict)
    """Outputs besides those of orders that lack something, with what: the others do without them."""
    has_cost: bool = False
    """Whether it knows what lines cost."""

    @property
    def undecided(self) -> list[str]:
        """What is lacking, and no output can be left out for it."""
        spared = {column for columns in self.without.values() for column in columns}
        return [column for column in self.lacking if column not in spared]

    @property
    def share(self) -> float:
        """Share of the needed columns that are there."""
        return self.found / self.needed

    def sentence(self) -> str:
        """The evidence in a sentence."""
        lacks = f"; it lacks {listing(self.lacking, 6)}" if self.lacking else ""
        return (
            f"preset {self.name}: {self.found} of {count(self.needed, 'column')} that it needs "
            f"{'is' if self.found == 1 else 'are'} there{lacks}"
        )


def preset_fits(tables: Mapping[str, Sequence[str]]) -> list[PresetFit]:
    """The presets of which some column is there, the best first.

    Parameters
    ----------
    tables
        Name: columns. The name is that of the file or table, which decides where columns do not.
    """
    fits = [_fit(name, tables) for name in presets.names()]
    return sorted((f for f in fits if f.found), key=lambda f: (-f.share, -f.found, f.name))


def best_preset(tables: Mapping[str, Sequence[str]]) -> PresetFit | None:
    """The preset to propose: most of what it needs is there, and every table it cannot do without."""
    return next((f for f in preset_fits(tables) if f.share >= ENOUGH and _has_tables(f)), None)


def _has_tables(fit: PresetFit) -> bool:
    wanted = presets.preset(fit.name)["tables"]
    return all(table in fit.tables or given.get("optional") for table, given in wanted.items())


def _fit(name: str, tables: Mapping[str, Sequence[str]]) -> PresetFit:
    brought = presets.preset(name)
    whole = system("x", {"preset": name, "path": "."})
    needs = {table: _needed(whole, f"x.{table}") for table in brought["tables"]}
    ranked = sorted(
        (
            (-_share(columns, there), not _named(brought["tables"][table], table, other), table, other)
            for table, columns in needs.items()
            for other, there in tables.items()
        ),
    )
    chosen: dict[str, str] = {}
    for share, _, table, other in ranked:
        if -share >= ENOUGH / 2 and table not in chosen and other not in chosen.values():
            chosen[table] = other
    needed = found = 0
    lacking: list[str] = []
    for table, columns in needs.items():
        optional = brought["tables"][table].get("optional", False)
        if optional and table not in chosen:
            continue
        there = tables.get(chosen.get(table, ""), ())
        missing = [c for c in columns if find_column(c, there, loose=True) is None]
        if optional and missing:
            chosen.pop(table)
            continue
        needed += len(columns)
        found += len(columns) - len(missing)
        lacking += [f"{table}.{column}" for column in missing]
    lacks = [(output, _lacks(whole, output, chosen, tables)) for output in whole.outputs.values()]
    orders = {column for output, columns in lacks if output.provides == "order_lines" for column in columns}
    without = {
        output.name.partition(".")[2]: missing
        for output, columns in lacks
        if output.provides != "order_lines" and (missing := [c for c in columns if c not in orders])
    }
    if len(without) == len(whole.outputs):
        without = {}
    has_cost = any({"cost", "margin"} & set(output["columns"]) for output in brought["outputs"].values())
    return PresetFit(name, brought["says"], max(needed, 1), found, chosen, lacking, without, has_cost)


def _lacks(
    whole: System, output: Output, chosen: Mapping[str, str], tables: Mapping[str, Sequence[str]]
) -> list[str]:
    """Columns that one output needs, of tables that were found, and that are not there."""
    alone = System(whole.name, whole.settings, whole.tables, {output.name: output})
    return [
        f"{table}.{column}"
        for table, name in chosen.items()
        for column in _needed(alone, f"x.{table}")
        if find_column(column, tables[name], loose=True) is None
    ]


def _needed(whole: System, feed: str) -> list[str]:
    """Columns of a table that its outputs cannot do without."""
    return sorted(set(whole.wanted(feed).values()))


def _share(columns: Sequence[str], there: Sequence[str]) -> float:
    if not columns:
        return 0.0
    return sum(find_column(c, there, loose=True) is not None for c in columns) / len(columns)


def _named(given: Mapping[str, object], table: str, other: str) -> bool:
    """Whether a table is called as the preset calls it."""
    pattern = presets.either_case(str(given.get("file", "")).rpartition(".")[0])
    return other.lower() == table.lower() or (bool(pattern) and fnmatch.fnmatchcase(other, pattern))
