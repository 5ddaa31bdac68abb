"""What is kept of runs that failed: when, at which step and why, and nothing of any customer."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from evervalue.core.errors import CheckFailed, EvervalueError

NAME = "failed-runs.jsonl"
CELLS = re.compile(r"for example ('.*?')(?=[.;] |\)|$)", re.DOTALL)
KEPT = 20
FIELDS = ("run_id", "begun_at", "ended_at", "step", "kind", "says")
LONGEST = 1500
MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
UNEXPECTED = (
    "The run ended with an error that nobody expected. Its own output, or the server's log, has the reason."
)


def note_failure(data_dir: Path, failed: dict[str, Any]) -> None:
    """Adds a failed run to those that are kept; a disk that refuses it costs the record and nothing else."""
    with suppress(OSError):
        kept = [*failed_runs(data_dir)[::-1], failed][-KEPT:]
        part = data_dir / (NAME + ".new")
        part.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), "utf-8")
        part.replace(data_dir / NAME)


def failed_runs(data_dir: Path) -> list[dict[str, Any]]:
    """Runs that failed, the newest first: run_id, begun_at, ended_at, step, kind and says."""
    try:
        lines = (data_dir / NAME).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in lines:
        with suppress(ValueError):
            found.append(json.loads(line))
    return [row for row in found[::-1] if isinstance(row, dict) and set(FIELDS) <= set(row)]


def told(error: BaseException) -> str:
    """Why a run failed, without a word of any customer."""
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return "The run was stopped before it was done."
    if not isinstance(error, EvervalueError):
        return UNEXPECTED
    text = str(error)
    if isinstance(error, CheckFailed):  # shows the rows that break a promise
        text = text.partition(". ")[0] + ". Run it again on the command line to see the rows."
    return MAIL.sub("(address)", CELLS.sub(_without_words, text))[:LONGEST]


def _without_words(cells: re.Match[str]) -> str:
    """Cells of a file, where they are numbers and days; what has letters may be a name."""
    return "for example cells that are not shown here" if re.search(r"[^\W\d_]", cells[1]) else cells[0]
