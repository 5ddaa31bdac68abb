"""Looks at several tables at once: which preset they fit, or how they hang together and what is sold in them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evervalue.core.errors import InputError
from evervalue.core.text import count, listing
from evervalue.sources import raw_zone
from evervalue.sources.beginning import beginning
from evervalue.sources.files import FoundFile
from evervalue.sources.guess import Guess, Proposal, guess_rows
from evervalue.sources.guess_links import Link, Looked, base_of, links, reached
from evervalue.sources.guess_presets import PresetFit, best_preset
from evervalue.sources.named import Named, common_start, named, settings_path
from evervalue.sources.profile import MOST_LINES, SOURCE
from evervalue.sources.read import read_file
from evervalue.sources.settings import ReaderSettings
from evervalue.warehouse.duckdb import Connection, literal, quoted


@dataclass
class Tables:
    """What several tables seem to be: a preset's, or one output with what is looked up for it."""

    looked: dict[str, Looked]
    preset: PresetFit | None = None
    base: str = ""
    links: list[Link] = field(default_factory=list)
    proposal: Proposal | None = None
    """What the columns seem to be of the base with all that is looked up."""
    places: dict[str, str] = field(default_factory=dict)
    """Column of the proposal: as an output names it, `column` of the base or `table.column`."""

    @property
    def unused(self) -> list[str]:
        """Tables of which nothing was made."""
        used = set(self.preset.tables.values()) if self.preset else {self.base, *(x.to for x in self.links)}
        return [name for name in self.looked if name not in used]

    def sentences(self) -> list[str]:
        """Each guess in a sentence."""
        said = [f"{name}: {count(x.rows, 'row')} of {x.path}" for name, x in self.looked.items()]
        if self.preset:
            said.append(self.preset.sentence())
            said += [
                f"{table} is read from {self.looked[name].path}" for table, name in self.preset.tables.items()
            ]
        said += [link.sentence() for link in self.links]
        if self.proposal:
            said += [
                f"{g.field} = '{self.places[g.column]}': {g.says}"
                for g in self.proposal.guesses.values()
                if g.sure
            ]
        return [*said, *([f"not used: {listing(self.unused, 12)}"] if self.unused else [])]


def guess_tables(con: Connection, paths: Sequence[str], project: Path) -> Tables:
    """What the files, folders and objects at `paths` seem to be, of a project that will lie in the folder `project`.

    Parameters
    ----------
    con
        A connection that may be written to.

    Raises
    ------
    InputError
        A file cannot be read, or no table holds what was sold.
    """
    looked = look(con, paths, project)
    fit = best_preset({name: table.columns for name, table in looked.items()})
    if fit:
        return Tables(looked, fit)
    found = links(con, list(looked.values()))
    base = base_of(looked, found)
    chosen = reached(base, found)
    places = _join(con, looked, base, chosen)
    file = FoundFile(Path(looked[base].path), looked[base].path, "csv", None, 0, "0" * 64)
    proposal = guess_rows(con, file, looked[base].rows, looked[base].whole)
    _order_of_date(proposal, base, chosen, places)
    return Tables(looked, None, base, chosen, proposal, places)


def _order_of_date(proposal: Proposal, base: str, chosen: Sequence[Link], places: Mapping[str, str]) -> None:
    """Take the key of the table that has the date as the order, where no name says which column is."""
    guessed, dated = proposal.guesses.get("order_id"), proposal.guesses.get("ordered_at")
    if dated is None or (guessed is not None and guessed.sure):
        return
    for link in chosen:
        if link.table == base and places[dated.column].startswith(f"{link.to}."):
            says = f"key of {link.to}, which has the date"
            others = {name: g for name, g in proposal.guesses.items() if name != "order_id"}
            proposal.guesses = {"order_id": Guess("order_id", link.column, says), **others}


def look(con: Connection, paths: Sequence[str], project: Path) -> dict[str, Looked]:
    """The tables that lie at `paths`, by name; files of one folder with the same columns are parts of one table."""
    raw_zone.ensure(con)
    parts: dict[tuple[str, ...], list[tuple[Named, str, int, bool]]] = {}
    looked: dict[str, Looked] = {}
    with tempfile.TemporaryDirectory(prefix="evervalue-") as temp:
        for place, one in enumerate(named(paths, Path(temp))):
            table = f"looked_{place}"
            columns, rows, whole = _read(con, one.file, table, Path(temp))
            parts.setdefault((one.folder, *columns), []).append(
                (one, table, rows, whole and len(one.alike) == 1)
            )
    for (_, *columns), found in parts.items():
        path = settings_path([one for one, *_ in found], project)
        names = [shown.rpartition("/")[2] for one, *_ in found for shown in one.alike]
        name = _name(common_start(names).rstrip("0123456789") if len(names) > 1 else names[0], looked)
        union = " union all ".join(f"select * from {table}" for _, table, *_ in found)
        looked[name] = Looked(
            name,
            path,
            f"({union})",
            tuple(columns),
            sum(rows for _, _, rows, _ in found),
            all(whole for *_, whole in found),
        )
    if not any(table.rows for table in looked.values()):
        raise InputError(f"{listing(paths)} hold no row. Export them again.")
    return looked


def _read(con: Connection, file: FoundFile, table: str, temp: Path) -> tuple[list[str], int, bool]:
    """Columns and rows of a file, which then lie in `table`; and whether those are all of its rows."""
    settings = ReaderSettings(path=file.shown)
    taken, whole = beginning(file.here(), settings, temp, MOST_LINES)
    result = read_file(con, taken, SOURCE, settings, run_id=SOURCE, temp=temp)
    file.let_go()
    con.execute(
        f"create or replace table {table} as select * exclude (_file_id, _line, _run_id) from {raw_zone.table(SOURCE)}"
    )
    _forget(con)
    return [name for name, _ in result.columns], result.rows_read, whole


def _forget(con: Connection) -> None:
    con.execute(f"drop table if exists {raw_zone.table(SOURCE)}")
    con.execute(f"delete from raw.columns where source = {literal(SOURCE)}")


def _join(con: Connection, looked: dict[str, Looked], base: str, chosen: Sequence[Link]) -> dict[str, str]:
    """Lays the base, with all that is looked up, where columns are guessed; returns what each column is called."""
    places = {column: column for column in looked[base].columns}
    taken = {column.lower() for column in places}
    sql = [f"select row_number() over () as _line, 'looked' as _file_id, {literal(SOURCE)} as _run_id"]
    sql += [f", b.{quoted(column)}" for column in looked[base].columns]
    joins = [f" from {looked[base].table} as b"]
    alias = {base: "b"}
    for place, link in enumerate(chosen):
        alias[link.to] = f"l{place}"
        for column in looked[link.to].columns:
            if column == link.key:
                continue
            name = column if column.lower() not in taken else f"{link.to}.{column}"
            taken.add(name.lower())
            places[name] = f"{link.to}.{column}"
            sql.append(f", l{place}.{quoted(column)} as {quoted(name)}")
        here = f"{alias[link.table]}.{quoted(link.column)}"
        joins.append(
            f" left join {looked[link.to].table} as l{place} "
            f"on trim({here}::varchar) = trim(l{place}.{quoted(link.key)}::varchar)"
        )
    _forget(con)
    con.execute(f"create table {raw_zone.table(SOURCE)} as {''.join([*sql, *joins])}")
    types = raw_zone.column_types(con, SOURCE)
    noted = [(name, "text" if type == "VARCHAR" else type) for name, type in types.items()]
    raw_zone.note_columns(con, SOURCE, "looked", noted)
    return places


def _name(file: str, taken: Iterable[str]) -> str:
    """A name for the table of a file, as settings write it."""
    stem = re.sub(r"\W+", "_", file.partition(".")[0].partition("*")[0]).strip("_") or "table"
    name = stem if stem[0].isalpha() else f"t_{stem}"
    place = 1
    while name in taken:
        place += 1
        name = f"{stem}_{place}"
    return name
