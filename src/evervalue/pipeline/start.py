"""Begins a project: a folder with an evervalue.toml whose columns were guessed from a sales file."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from evervalue.core.errors import SettingsError, StorageError
from evervalue.pipeline.run import told_plainly
from evervalue.pipeline.settings import FILE
from evervalue.sources.guess import guess
from evervalue.sources.toml_text import render_toml
from evervalue.warehouse.duckdb import connect


@dataclass(frozen=True)
class Started:
    """What was written."""

    file: Path
    explained: list[str]
    """Each guess, in a sentence."""
    open_questions: list[str]
    """What the user has to decide before the first run."""


def start_project(folder: Path, source: Path, *, force: bool = False) -> Started:
    """The evervalue.toml written into `folder` for the sales file `source`.

    Raises
    ------
    SettingsError
        There is one already, and `force` does not say to overwrite it.
    """
    file = folder / FILE
    if file.exists() and not force:
        raise SettingsError(f"{file} is there already. Name another folder, or overwrite it with --force.")
    with tempfile.TemporaryDirectory(prefix="evervalue-") as spill, told_plainly("Looking at the file"):
        con = connect(temp_directory=Path(spill))
        try:
            proposal = guess(con, str(source), Path.cwd())
        finally:
            con.close()
    path = os.path.relpath(source.absolute(), folder.absolute())
    text = render_toml(
        proposal, (folder.absolute().name or "customers").replace("_", " ").capitalize(), path=path
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}.") from None
    questions = [f"{setting}: {doubt}" for setting, doubt in proposal.doubts.items()]
    questions += [f"{field}: no column looks like it" for field in proposal.lacks]
    return Started(file, proposal.sentences(), questions)
