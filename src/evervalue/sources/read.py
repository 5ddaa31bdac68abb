"""Sends a file to the reader of its format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from evervalue.sources.files import FoundFile
from evervalue.sources.read_cells import read_json_lines, read_workbook
from evervalue.sources.read_parquet import read_parquet
from evervalue.sources.read_text import ReadResult, read_delimited
from evervalue.sources.settings import ReaderSettings
from evervalue.warehouse.duckdb import Connection


def read_file(
    con: Connection,
    file: FoundFile,
    source: str,
    settings: ReaderSettings,
    *,
    run_id: str,
    temp: Path,
    wanted: Iterable[str] = (),
) -> ReadResult:
    """Load a file into the raw table of its source; a workbook's sheet is the one that has the `wanted` columns."""
    file = file.here()
    if file.format == "parquet":
        return read_parquet(con, file, source, run_id=run_id)
    if file.format == "jsonl":
        return read_json_lines(con, file, source, settings, run_id=run_id, temp=temp)
    if file.format == "xlsx":
        return read_workbook(con, file, source, settings, run_id=run_id, temp=temp, wanted=wanted)
    return read_delimited(con, file, source, settings, run_id=run_id, temp=temp)
