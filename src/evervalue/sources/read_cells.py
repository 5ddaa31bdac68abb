"""JSON lines and workbooks into the raw zone: cell by cell, since each cell says its own type."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from evervalue.core.errors import InputError, MissingColumns
from evervalue.core.text import did_you_mean, listing
from evervalue.sources import raw_zone
from evervalue.sources.files import FoundFile
from evervalue.sources.read_text import (
    FAULTS,
    ReadResult,
    canonical_writer,
    cut_off,
    header,
    insert_canonical,
    printable,
)
from evervalue.sources.settings import ReaderSettings
from evervalue.sources.text import text_facts, text_lines
from evervalue.warehouse.duckdb import Connection

HEADER_WITHIN = 20
"""Rows of a sheet in which the header is looked for."""


class Number(str):
    """A number as the file writes it, digit by digit."""


def read_json_lines(
    con: Connection, file: FoundFile, source: str, settings: ReaderSettings, *, run_id: str, temp: Path
) -> ReadResult:
    """Load a file of JSON objects, one a line or all in one array; a line that is no object goes to quarantine."""
    facts = text_facts(file, settings.encoding, None)
    places: dict[str, None] = {}
    for _, value, _ in _objects(file, facts.encoding):
        if value is not None:
            places.update(dict.fromkeys(value))
    if not places:
        raise InputError(f'{file.shown} holds no JSON object. Each line must be one, such as {{"order": 1}}.')
    names = header([_as_line(places)], ",", '"', file.shown)
    raw_zone.prepare(con, source, [(n, "VARCHAR") for n in names], file.shown)
    kinds = _Kinds(names)
    refused: list[tuple[int, str, str, str, list[str]]] = []
    path = temp / f"{file.file_id}.csv"
    line = 0
    with canonical_writer(path) as out:
        for line, value, text in _objects(file, facts.encoding):
            fault = "bad_json" if value is None else None
            cells: list[str | None] = []
            if value is not None:
                cells = [_json_cell(value.get(key)) for key in places]
                fault = _unfit(cells)
            if fault == "bad_json" and not text.endswith(("\n", "\r")) and settings.cut_off == "refuse":
                raise cut_off(file, line, FAULTS[fault])
            text = text.rstrip("\r\n")
            if fault:
                refused.append(
                    (
                        line,
                        fault,
                        FAULTS[fault].format(encoding=facts.encoding),
                        printable(text[:200]),
                        [printable(text)],
                    )
                )
                continue
            kinds.see(cells)
            out.write(line, cells)
    raw_zone.refuse(con, source, file.file_id, file.shown, run_id, refused)
    insert_canonical(con, path, source, file.file_id, run_id, names)
    path.unlink()
    raw_zone.note_columns(con, source, file.file_id, kinds.columns())
    return ReadResult(line, facts.encoding, None, kinds.columns())


def read_workbook(
    con: Connection,
    file: FoundFile,
    source: str,
    settings: ReaderSettings,
    *,
    run_id: str,
    temp: Path,
    wanted: Iterable[str] = (),
) -> ReadResult:
    """Load a sheet of a workbook: typed dates as ISO text, typed numbers digit by digit, text as it is."""
    rows = _sheet_rows(file, settings, {name.lower() for name in wanted})
    names = header([_as_line(_cell_text(c) or "" for c in rows[0])], ",", '"', file.shown)
    raw_zone.prepare(con, source, [(n, "VARCHAR") for n in names], file.shown)
    kinds = _Kinds(names)
    path = temp / f"{file.file_id}.csv"
    refused: list[tuple[int, str, str, str, list[str]]] = []
    line = 0
    with canonical_writer(path) as out:
        for row in rows[1:]:
            cells = [_cell_text(c) for c in row]
            if not any(cells):
                continue
            line += 1
            shown = [printable(c or "") for c in cells]
            fault = _unfit(cells) or ("wrong_width" if any(cells[len(names) :]) else None)
            if fault:
                says = FAULTS[fault].format(found=len(cells), expected=len(names), encoding="text")
                refused.append((line, fault, says, ",".join(shown)[:200], shown))
                continue
            cells = [*cells, *[None] * len(names)][: len(names)]
            kinds.see(cells)
            out.write(line, [c or "" for c in cells])
    raw_zone.refuse(con, source, file.file_id, file.shown, run_id, refused)
    insert_canonical(con, path, source, file.file_id, run_id, names)
    path.unlink()
    raw_zone.note_columns(con, source, file.file_id, kinds.columns())
    return ReadResult(line, None, None, kinds.columns())


class _Kinds:
    """Which columns hold nothing but typed numbers."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._numbers = [True] * len(names)

    def see(self, cells: Iterable[str | None]) -> None:
        for place, cell in enumerate(cells):
            if cell and not isinstance(cell, Number):
                self._numbers[place] = False

    def columns(self) -> list[tuple[str, str]]:
        return [
            (n, "number" if is_number else "text")
            for n, is_number in zip(self._names, self._numbers, strict=True)
        ]


def _objects(file: FoundFile, encoding: str) -> Iterator[tuple[int, dict[str, Any] | None, str]]:
    """(line, object, text); None where a line is no object."""
    with text_lines(file, encoding) as lines:
        number = 0
        for text in lines:
            if not text.strip():
                continue
            if number == 0 and text.lstrip().startswith("["):
                yield from _array(file, text + "".join(lines))
                return
            number += 1
            yield number, _object(text), text


def _array(file: FoundFile, text: str) -> Iterator[tuple[int, dict[str, Any] | None, str]]:
    try:
        values = json.loads(text, parse_float=Number, parse_int=Number, parse_constant=Number)
    except ValueError as error:
        raise InputError(
            f"{file.shown} is not a JSON array ({error}). Write it with one object a line."
        ) from None
    for number, value in enumerate(values, 1):
        yield number, value if isinstance(value, dict) else None, json.dumps(value, ensure_ascii=False) + "\n"


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text, parse_float=Number, parse_int=Number, parse_constant=Number)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _json_cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def _unfit(cells: Iterable[str | None]) -> str | None:
    for cell in cells:
        if cell is None or isinstance(cell, Number):
            continue
        if "\0" in cell:
            return "nul_bytes"
        if len(cell) > 1 << 20:
            return "field_too_long"
        if not cell.isascii() and any("\ud800" <= c <= "\udfff" for c in cell):
            return "invalid_bytes"
    return None


def _sheet_rows(file: FoundFile, settings: ReaderSettings, wanted: set[str]) -> list[list[Any]]:
    """The rows of the sheet that is meant, from its header on."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(file.path))
        names = book.sheet_names
        if settings.sheet is not None and settings.sheet not in names:
            raise MissingColumns(
                f"{file.shown} has no sheet '{settings.sheet}'{did_you_mean(settings.sheet, names)}; it "
                f"has {listing(names, 20)}. "
                "Mend the setting `sheet`."
            )
        first: list[list[Any]] | None = None
        for name in [settings.sheet] if settings.sheet is not None else names:
            rows = [list(row) for row in book.get_sheet_by_name(name).to_python(skip_empty_area=True)]
            start = next((i for i, row in enumerate(rows) if any(c != "" for c in row)), None)
            if start is None:
                continue
            for place in range(start, min(len(rows), HEADER_WITHIN)):
                if wanted <= {(_cell_text(c) or "").strip().lower() for c in rows[place]}:
                    return [_trimmed(rows[place]), *rows[place + 1 :]]
            if first is None:
                first = [_trimmed(rows[start]), *rows[start + 1 :]]
    except (CalamineError, OSError) as error:
        raise InputError(
            f"{file.shown} cannot be read as a workbook ({error}). Save it again as .xlsx or .csv."
        ) from None
    if first is None:
        raise InputError(
            f"{file.shown} is a workbook without a filled cell. Export it again, or take it out of the path."
        )
    return first


def _trimmed(row: list[Any]) -> list[Any]:
    while row and row[-1] == "":
        row = row[:-1]
    return row


def _cell_text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int):
        return Number(cell)
    if isinstance(cell, float):
        return Number(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else Number(repr(cell))
    if isinstance(cell, dt.datetime):
        at_midnight = cell.time() == dt.time()
        return cell.date().isoformat() if at_midnight else cell.isoformat(sep=" ")
    return str(cell)


def _as_line(names: Iterable[str]) -> str:
    """Names as one line of CSV, for the header's own checks."""
    return ",".join('"' + name.replace('"', '""') + '"' for name in names)
