"""Delimited text files into the raw zone: the engine's parser where the file is regular, the careful one where not."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evervalue.core.errors import InputError
from evervalue.core.text import listing
from evervalue.sources import raw_zone
from evervalue.sources.files import FoundFile
from evervalue.sources.settings import ReaderSettings
from evervalue.sources.text import TextFacts, text_facts, text_lines, transcoded
from evervalue.sources.tokens import LONGEST_RECORD, WHITESPACE, Record, delimiter_of, records
from evervalue.warehouse.duckdb import Connection, EngineError, literal, quoted

NO_CELL = "\x01none\x01"
"""Stands for a missing cell in the files handed to the engine; no file can hold it, its rows would be refused."""

FAULTS = {
    "wrong_width": "the row has {found} fields, the header has {expected}",
    "unclosed_quote": "a quote is opened in this line and never closed",
    "bad_quotes": "text follows a closing quote",
    "nul_bytes": "the row holds NUL bytes",
    "invalid_bytes": "the row holds bytes that are not {encoding}",
    "field_too_long": "a field is longer than 1 MiB",
    "bad_json": "the line is not a JSON object",
}
READ_FAULTS = tuple(FAULTS)
"""Reasons given while reading; rows refused for any other reason were read, and could not be mapped."""


@dataclass(frozen=True)
class ReadResult:
    """What reading a file found."""

    rows_read: int
    encoding: str | None
    delimiter: str | None
    columns: list[tuple[str, str]]


def read_delimited(
    con: Connection, file: FoundFile, source: str, settings: ReaderSettings, *, run_id: str, temp: Path
) -> ReadResult:
    """Load a delimited text file into the source's raw table; rows that cannot be read go to quarantine."""
    quote = '"' if settings.quote is None else settings.quote
    facts = text_facts(file, settings.encoding, quote)
    with text_lines(file, facts.encoding) as lines:
        sample = _sample(lines)
    delimiter = settings.delimiter or (
        "\t"
        if file.name.lower().removesuffix(".gz").removesuffix(".zst").endswith((".tsv", ".tab"))
        else delimiter_of(sample, quote)
    )
    names = header(sample, delimiter, quote, file.shown)
    columns = [(name, "VARCHAR") for name in names]
    raw_zone.prepare(con, source, columns, file.shown)
    rows = None
    if facts.regular and delimiter != WHITESPACE and len(quote) == 1:
        rows = _read_fast(con, file, facts, source, names, delimiter, quote, run_id, temp)
    if rows is None:
        rows = _read_carefully(
            con, file, facts, source, names, delimiter, quote, run_id, temp, settings.cut_off == "refuse"
        )
    raw_zone.note_columns(con, source, file.file_id, [(name, "text") for name in names])
    return ReadResult(
        rows, facts.encoding + (" with BOM" if facts.has_bom else ""), delimiter, [(n, "text") for n in names]
    )


def header(sample: list[str], delimiter: str, quote: str, shown: str) -> list[str]:
    """The column names in the first record; a nameless column is called column_N after its place."""
    first = next(records(iter(sample), delimiter, quote), None)
    if first is None:
        raise InputError(
            f"{shown} holds nothing but blank lines. Export it again, or take it out of the path."
        )
    if first.fault:
        raise InputError(f"The header of {shown} cannot be read: {_says(first, 0, 'its encoding')}.")
    names = [name.strip() or f"column_{place}" for place, name in enumerate(first.fields, 1)]
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            raise InputError(
                f"{shown} has two columns called '{seen[name.lower()]}' and '{name}', so neither can be named. "
                "Rename one of them in the file."
            )
        seen[name.lower()] = name
    return names


def insert_canonical(
    con: Connection, path: Path, source: str, file_id: str, run_id: str, names: Sequence[str]
) -> int:
    """Insert a file written by `canonical_writer`; returns its rows."""
    spec = ", ".join([literal("_line") + ": 'BIGINT'", *(f"{literal(n)}: 'VARCHAR'" for n in names)])
    chosen = ", ".join(quoted(n) for n in names)
    done = con.execute(
        f"insert into {raw_zone.table(source)} (_file_id, _line, _run_id, {chosen}) "
        f"select {literal(file_id)}, _line, {literal(run_id)}, {chosen} from read_csv({literal(str(path))}, "
        f"auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', columns = {{{spec}}}, "
        f"nullstr = {literal(NO_CELL)}, max_line_size = {2 * LONGEST_RECORD})"
    ).fetchone()
    return int(done[0]) if done else 0


@contextmanager
def canonical_writer(path: Path) -> Iterator[CanonicalWriter]:
    """Writes numbered rows to a plain file that the engine reads without doubt."""
    with path.open("w", encoding="utf-8", newline="") as out:
        yield CanonicalWriter(csv.writer(out, lineterminator="\n"))


class CanonicalWriter:
    """Writes rows; None is kept apart from the empty cell."""

    def __init__(self, out: csv._writer) -> None:  # type: ignore[name-defined]
        self._out = out

    def write(self, line: int, cells: Sequence[str | None]) -> None:
        """One row."""
        self._out.writerow([line, *(NO_CELL if c is None else c for c in cells)])


def _read_fast(
    con: Connection,
    file: FoundFile,
    facts: TextFacts,
    source: str,
    names: list[str],
    delimiter: str,
    quote: str,
    run_id: str,
    temp: Path,
) -> int | None:
    """Rows inserted by the engine's parser, or None where it does not see the rows that were counted."""
    path = file.path
    if file.compression or facts.encoding != "utf-8":
        path = temp / f"{file.file_id}.txt"
        transcoded(file, facts, path)
    spec = ", ".join(f"{literal(n)}: 'VARCHAR'" for n in names)
    reader = (
        f"read_csv({literal(str(path))}, auto_detect = false, header = true, delim = {literal(delimiter)}, "
        f"quote = {literal(quote)}, escape = {literal(quote)}, columns = {{{spec}}}, nullstr = {literal(NO_CELL)}, "
        "compression = 'none', ignore_errors = true)"
    )
    try:
        # On a connection of its own: an error would end the transaction that is open on `con`.
        with con.cursor() as probe:
            counted = probe.execute(f"select count(*), count({quoted(names[-1])}) from {reader}").fetchone()
    except EngineError:
        return None
    if counted != (facts.rows, facts.rows):
        return None
    chosen = ", ".join(quoted(n) for n in names)
    done = con.execute(
        f"insert into {raw_zone.table(source)} (_file_id, _line, _run_id, {chosen}) "
        f"select {literal(file.file_id)}, row_number() over (), {literal(run_id)}, {chosen} from {reader}"
    ).fetchone()
    inserted = int(done[0]) if done else 0
    if inserted == facts.rows:
        return inserted
    raw_zone.run(con, f"delete from {raw_zone.table(source)} where _file_id = ?", [file.file_id])
    return None


def _read_carefully(
    con: Connection,
    file: FoundFile,
    facts: TextFacts,
    source: str,
    names: list[str],
    delimiter: str,
    quote: str,
    run_id: str,
    temp: Path,
    refuse_cut_off: bool,
) -> int:
    path = temp / f"{file.file_id}.csv"
    refused: list[tuple[int, str, str, str, list[str]]] = []
    widths: dict[int, int] = {}
    line = 0
    ended = Ended()
    short, says = False, ""
    with text_lines(file, facts.encoding) as lines, canonical_writer(path) as out:
        read = records(ended.watched(lines), delimiter, quote)
        next(read)
        for line, record in enumerate(read, 1):
            fields, fault = record.fields, record.fault
            short = fault == "unclosed_quote" or (fault is None and len(fields) < len(names))
            if fault is None and len(fields) != len(names):
                if len(fields) > len(names) and not any(fields[len(names) :]):
                    fields = fields[: len(names)]
                else:
                    fault = "wrong_width"
                    widths[len(fields)] = widths.get(len(fields), 0) + 1
            if fault is None:
                out.write(line, fields)
            else:
                judged = Record(record.text, fields, fault)
                says = _says(judged, len(names), facts.encoding)
                shown_fields = [printable(f) for f in fields]
                refused.append((line, fault, says, printable(record.text[:200]), shown_fields))
                if len(refused) >= 2_000:
                    raw_zone.refuse(con, source, file.file_id, file.shown, run_id, refused)
                    refused.clear()
    if line and sum(widths.values()) == line:
        usual = max(widths, key=lambda w: widths[w])
        raise InputError(
            f"{file.shown}: the header has {len(names)} fields ({listing(names, 4)}), yet none of the "
            f"{line:,} rows has; "
            f"most have {usual}. Name the delimiter in the setting `delimiter` (read as {delimiter!r}), or "
            "mend the header."
        )
    if short and not ended.by_line_end and refuse_cut_off:
        raise cut_off(file, line, says)
    raw_zone.refuse(con, source, file.file_id, file.shown, run_id, refused)
    insert_canonical(con, path, source, file.file_id, run_id, names)
    path.unlink()
    return line


class Ended:
    """Watches lines go by, to tell how the last one ended."""

    by_line_end = True
    """Whether the last line had a line end."""

    def watched(self, lines: Iterator[str]) -> Iterator[str]:
        """The same lines."""
        line = "\n"
        for line in lines:
            yield line
        self.by_line_end = line.endswith(("\n", "\r"))


def cut_off(file: FoundFile, line: int, says: str) -> InputError:
    """The error for a file that ends in the middle of its last row: more of it is missing than this row."""
    return InputError(
        f"{file.shown} ends in the middle of row {line:,} ({says}, and no line end follows), so it was cut off while "
        "it was written or copied. Fetch it again; none of its rows was taken. Where the row is meant to be so, set "
        'cut_off = "quarantine".'
    )


def printable(text: str) -> str:
    """Text in which a stray byte or NUL is a backslash, x and two digits, so that any table can hold it."""
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    return (
        text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        if not text.isascii()
        else text
    )


def _sample(lines: Iterator[str]) -> list[str]:
    taken: list[str] = []
    size = 0
    for line in lines:
        taken.append(line)
        size += len(line)
        if len(taken) >= 200 or size > 1 << 18:
            break
    return taken


def _says(record: Record, expected: int, encoding: str) -> str:
    return FAULTS[record.fault or "wrong_width"].format(
        found=len(record.fields), expected=expected, encoding=encoding
    )
