"""Connects a first file: finds those that lie in a project's folder, looks at one, and writes the settings for it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from evervalue.core.errors import EvervalueError, InputError, SettingsError, StorageError
from evervalue.core.text import joined
from evervalue.pipeline.run import told_plainly
from evervalue.pipeline.settings import (
    FILE,
    ActionSettings,
    GemSettings,
    LrfmSettings,
    Project,
    ProjectSettings,
    Settings,
    read_project,
)
from evervalue.sources.guess import ORDER, Guess, Proposal, guess, toml_text
from evervalue.sources.profile import SOURCE
from evervalue.sources.raw_zone import table
from evervalue.sources.toml_text import render_toml
from evervalue.warehouse.duckdb import connect, quoted

ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".jsonl", ".ndjson", ".xlsx")
INCOMING = "incoming"
DEEPEST = 3
MOST_FILES = 200
SHOWN_ROWS = 5
SHOWN_CHARACTERS = 60
LONGEST_NAME = 100
BY_HAND = "chosen by hand"
DATE_FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d")
DECIMALS = (".", ",")


@dataclass(frozen=True)
class Candidate:
    """A file that may be connected."""

    name: str
    """Relative to the project's folder, with slashes."""
    bytes: int


@dataclass(frozen=True)
class Looked:
    """A file that was looked at."""

    name: str
    proposal: Proposal
    rows: list[tuple[str, ...]] = field(default_factory=list)
    """The first rows, cut to what fits on a page; in the order of `proposal.found`."""


@dataclass(frozen=True)
class Chosen:
    """What somebody decided about a file."""

    columns: Mapping[str, str]
    """Field: column; an empty column is none."""
    project: str
    currency: str
    date_format: str = ""
    decimal: str = ""


def empty_project(folder: Path) -> Project:
    """A project that has nothing yet, for a server that is to lead to its first run."""
    usual = Settings(ProjectSettings(), {}, LrfmSettings(), GemSettings(), ActionSettings())
    return Project(folder, usual)


def candidates(folder: Path) -> list[Candidate]:
    """Files in the project's folder that may hold sales, by name; what is hidden or our own is left out."""
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if len(parts) > DEEPEST or any(part.startswith((".", "evervalue-")) for part in parts):
            continue
        with suppress(InputError, OSError):
            inside(folder, "/".join(parts))
            found.append(Candidate("/".join(parts), path.stat().st_size))
        if len(found) == MOST_FILES:
            break
    return found


def inside(folder: Path, name: str) -> Path:
    """The file of that name in the project's folder.

    Raises
    ------
    InputError
        There is none, it lies elsewhere, or is no kind of file that can be read.
    """
    here = folder.resolve()
    try:
        path = (here / name).resolve()
        is_file = path.is_relative_to(here) and "\0" not in name and path.is_file()
    except (OSError, ValueError):
        is_file = False
    if not is_file:
        raise InputError(f"There is no file “{name[:100]}” in the project's folder.")
    if path.suffix.lower() not in ENDINGS:
        raise InputError(
            f"“{name[:100]}” is no file that can be read here; it must end in {joined(ENDINGS)}."
        )
    return path


def safe_name(name: str) -> str:
    """A file name that is one, and nothing else.

    >>> safe_name("../../etc/Umsätze 2024.CSV"), safe_name("data/a.csv"), safe_name(".csv")
    ('Umsätze-2024.csv', 'a.csv', 'sales.csv')

    Raises
    ------
    InputError
        It has not the ending of a file that can be read.
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    stem, dot, ending = last.rpartition(".")
    if not dot or f".{ending.lower()}" not in ENDINGS:
        raise InputError(
            f"“{last[:100]}” is no file that can be read here; it must end in {joined(ENDINGS)}."
        )
    kept = re.sub(r"[^\w-]+", "-", stem).strip("-_")[:LONGEST_NAME]
    return f"{kept or 'sales'}.{ending.lower()}"


def look(folder: Path, name: str) -> Looked:
    """What the columns of a file in the project's folder seem to be, with its first rows.

    Raises
    ------
    EvervalueError
        The file cannot be read, or holds nothing.
    """
    inside(folder, name)
    with tempfile.TemporaryDirectory(prefix="evervalue-") as spill, told_plainly("Looking at the file"):
        con = connect(temp_directory=Path(spill))
        try:
            proposal = guess(con, name, folder)
            columns = ", ".join(f"{quoted(column)}::varchar" for column in proposal.found)
            rows = con.execute(f"select {columns} from {table(SOURCE)} limit {SHOWN_ROWS}").fetchall()
        finally:
            con.close()
    cut = [tuple("" if cell is None else str(cell)[:SHOWN_CHARACTERS] for cell in row) for row in rows]
    return Looked(name, proposal, cut)


def write_settings(folder: Path, looked: Looked, chosen: Chosen) -> Path:
    """The evervalue.toml that was written for a file, as it was decided; one that is there is never overwritten.

    Raises
    ------
    SettingsError
        There is one already, something needed is not decided, or what was decided is impossible.
    """
    file = folder / FILE
    text = render_toml(
        _decided(looked, chosen), chosen.project.strip()[:200] or "Customers", path=looked.name
    )
    if chosen.currency and chosen.currency != looked.proposal.currency:
        was = f'currency = "{looked.proposal.currency or "USD"}"'
        text = text.replace(was, f"currency = {toml_text(chosen.currency.strip().upper())}", 1)
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise SettingsError(
            f"{FILE} is there already, and is never overwritten. Change it by hand."
        ) from None
    except OSError as error:
        raise StorageError(f"{FILE} cannot be written: {error.strerror}.") from None
    try:
        read_project(folder)
    except EvervalueError:
        file.unlink()
        raise
    return file


def _decided(looked: Looked, chosen: Chosen) -> Proposal:
    """The proposal with what was decided in place of what was guessed.

    Raises
    ------
    SettingsError
        With every fault that was found.
    """
    found = looked.proposal
    faults = [
        f"“{column[:60]}” is no column of the file"
        for column in chosen.columns.values()
        if column and column not in found.found
    ]
    faults += [f"“{name[:60]}” is no field" for name in chosen.columns if name not in ORDER]
    columns = {name: chosen.columns[name] for name in ORDER if chosen.columns.get(name)}
    twice = {c for c in columns.values() if list(columns.values()).count(c) > 1}
    by_name = {columns.get("customer_id"), columns.get("customer_name")}
    faults += [f"column “{column}” is taken for several fields" for column in sorted(twice - by_name)]
    if "ordered_at" not in columns:
        faults.append("say which column is the day of the order")
    if not {"customer_id", "customer_name"} & set(columns):
        faults.append("say which column is the customer: a key, or a name")
    if "amount" not in columns and not {"quantity", "unit_price"} <= set(columns):
        faults.append("say which column is the amount, or quantity and unit price")
    if chosen.date_format and chosen.date_format not in DATE_FORMATS:
        faults.append("the date format is none of those that are offered")
    if chosen.decimal and chosen.decimal not in DECIMALS:
        faults.append("the decimal mark is a point or a comma")
    if faults:
        raise SettingsError("; ".join(faults)[:1].upper() + "; ".join(faults)[1:] + ".")
    guesses = {
        name: before
        if (before := found.guesses.get(name)) is not None and before.column == column and before.sure
        else Guess(name, column, BY_HAND)
        for name, column in columns.items()
    }
    doubts = dict(found.doubts)
    date_format, decimal = found.date_format, found.decimal
    if chosen.date_format:
        date_format = (chosen.date_format, BY_HAND)
        doubts.pop("date_format", None)
    if chosen.decimal:
        decimal = (chosen.decimal, BY_HAND)
        doubts.pop("decimal", None)
    used = set(columns.values()) | {g.column for g in found.attributes.values()}
    return Proposal(
        found.path,
        found.shown,
        found.rows,
        found.whole,
        guesses=guesses,
        attributes=found.attributes,
        kinds=found.kinds if found.guesses.get("order_id") == guesses.get("order_id") else {},
        date_format=date_format,
        decimal=decimal,
        currency=found.currency,
        doubts=doubts,
        found=found.found,
        unused=[c for c in found.found if c not in used],
    )
