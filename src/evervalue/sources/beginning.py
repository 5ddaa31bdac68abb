"""The beginning of a long file, for a look at it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

from evervalue.sources.files import FoundFile
from evervalue.sources.settings import ReaderSettings
from evervalue.sources.text import text_facts, text_lines

SHORT = 1 << 20
"""Bytes up to which a file is taken as it is."""


def beginning(file: FoundFile, settings: ReaderSettings, temp: Path, lines: int) -> tuple[FoundFile, bool]:
    """A copy of a text file's first lines, and whether those are all; another kind of file is taken as it is."""
    if file.format not in ("csv", "jsonl") or file.bytes < SHORT:
        return file, True
    encoding = text_facts(file, settings.encoding, '"').encoding
    target = temp / f"{file.file_id}-beginning.{file.format}"
    with (
        text_lines(file, encoding) as found,
        target.open("w", encoding="utf-8", errors="replace", newline="") as out,
    ):
        out.writelines(itertools.islice(found, lines))
        whole = next(found, None) is None
    return replace(file, path=target, compression=None, bytes=target.stat().st_size, fetch=None), whole
