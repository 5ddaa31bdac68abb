"""A declared table: a head, and one SELECT in the house dialect (DuckDB's)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError as GraphCycle
from graphlib import TopologicalSorter
from importlib import resources

import sqlglot
from sqlglot import exp

from evervalue.core.errors import CycleError, TableError
from evervalue.core.text import did_you_mean
from evervalue.warehouse.head import Head, split


@dataclass(frozen=True)
class SqlModel:
    """One declared table. `sql` is empty where code fills it (`head.filled_by`)."""

    head: Head
    sql: str
    where: str

    @property
    def name(self) -> str:
        """`schema.table`."""
        return self.head.table

    @cached_property
    def reads(self) -> frozenset[str]:
        """The tables that the SELECT and the constants read, or the code that fills it, as `schema.table`."""
        found = set(self.head.reads)
        for text in (self.sql, *self.head.constants.values()):
            if text:
                found |= _tables(text, self.where)
        return frozenset(found)

    @property
    def references(self) -> frozenset[str]:
        """The tables that its checks look into."""
        columns = self.head.columns.values()
        return frozenset(c.references.rpartition(".")[0] for c in columns if c.references)

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The `$names` that the SELECT uses."""
        return frozenset(_placeholders(_parsed(self.sql, self.where)))


def models_in(*packages: str) -> list[SqlModel]:
    """Every table declared by a `.sql` file in the packages, sorted by name."""
    found: dict[str, SqlModel] = {}
    for package in packages:
        for file in resources.files(package).iterdir():
            if file.name.endswith(".sql"):
                where = f"{package.rsplit('.', 1)[-1]}/{file.name}"
                model = SqlModel(*split(file.read_text("utf-8"), where), where)
                if model.name in found:
                    raise TableError(f"{where} and {found[model.name].where} both declare {model.name}.")
                found[model.name] = model
    return [found[name] for name in sorted(found)]


def in_order(models: Iterable[SqlModel], given: Iterable[str] = ()) -> list[SqlModel]:
    """The models, each behind those it reads; among equals by name, so that the order never varies.

    Parameters
    ----------
    models
        The declared tables.
    given
        Tables that are there already, which models may read as well.

    Raises
    ------
    CycleError
        Tables read one another in a circle.
    TableError
        A table reads one that nobody declares.
    """
    by_name = {m.name: m for m in models}
    known = set(by_name) | set(given)
    graph: TopologicalSorter[str] = TopologicalSorter()
    for model in by_name.values():
        unbound = sorted(model.parameters - set(model.head.constants)) if model.sql else []
        if unbound:
            raise TableError(
                f"{model.where} uses ${unbound[0]}, which its head does not declare under constants."
            )
        unknown = sorted(model.reads - known)
        if unknown:
            hint = did_you_mean(unknown[0], known)
            raise TableError(f"{model.where} reads {unknown[0]}, which no file declares{hint}.")
        before = (model.reads | model.references) & (set(by_name) - {model.name})
        graph.add(model.name, *sorted(before))
    try:
        graph.prepare()
    except GraphCycle as error:
        circle = " reads ".join(reversed(error.args[1]))
        raise CycleError(
            f"Tables read one another in a circle: {circle}. Break it in one of their files."
        ) from None
    ordered: list[SqlModel] = []
    while graph.is_active():
        ready = sorted(graph.get_ready())
        ordered += [by_name[name] for name in ready]
        graph.done(*ready)
    return ordered


def upstream(models: Iterable[SqlModel], *targets: str, leaves: Collection[str] = ()) -> set[str]:
    """The tables that the targets are built from, directly or not, with themselves.

    Parameters
    ----------
    models
        The declared tables.
    targets
        Names of some of them.
    leaves
        Tables that are not followed further up.

    Raises
    ------
    TableError
        No table of that name is declared.
    """
    by_name = {m.name: m for m in models}
    for target in targets:
        if target not in by_name:
            raise TableError(f"No table is called {target}{did_you_mean(target, by_name)}.")
    found, todo = set(targets), list(targets)
    while todo:
        name = todo.pop()
        for read in by_name[name].reads & set(by_name) if name not in leaves else ():
            if read not in found:
                found.add(read)
                todo.append(read)
    return found


def _parsed(text: str, where: str) -> exp.Expr:
    try:
        return sqlglot.parse_one(text, read="duckdb")
    except sqlglot.errors.ParseError as error:
        raise TableError(f"The SQL of {where} cannot be parsed: {str(error).splitlines()[0]}") from None


def _tables(text: str, where: str) -> set[str]:
    return {f"{t.db}.{t.name}" for t in _parsed(text, where).find_all(exp.Table) if t.db}


def _placeholders(tree: exp.Expr) -> set[str]:
    return {p.name for p in tree.find_all(exp.Parameter, exp.Placeholder) if p.name}
