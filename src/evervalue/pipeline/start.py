"""Begins a project: a folder with an evervalue.toml that was guessed from a sales file, or from several tables."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from evervalue.core.errors import SettingsError, StorageError
from evervalue.pipeline.run import told_plainly
from evervalue.pipeline.settings import FILE
from evervalue.sources.guess import Proposal, guess
from evervalue.sources.guess_presets import PresetFit, best_preset
from evervalue.sources.guess_tables import guess_tables
from evervalue.sources.named import is_one
from evervalue.sources.objects import is_object_path
from evervalue.sources.toml_tables import render_tables
from evervalue.sources.toml_text import render_toml
from evervalue.warehouse.duckdb import Connection, connect


@dataclass(frozen=True)
class Started:
    """What was written."""

    file: Path
    explained: list[str]
    """Each guess, in a sentence."""
    open_questions: list[str]
    """What the user has to decide before the first run."""


def start_project(
    folder: Path, sources: str | Path | Sequence[str | Path], *, force: bool = False
) -> Started:
    """The evervalue.toml written into `folder` for a sales file, or for the tables that several files hold.

    Files lie here or, as s3://bucket/key, in object storage, where credentials come from the environment. One file is
    taken as sales, unless it is just what a preset reads; several tables as a preset's, or as tables that can be looked
    up in one another.

    Raises
    ------
    SettingsError
        There is one already, and `force` does not say to overwrite it.
    """
    file = folder / FILE
    if file.exists() and not force:
        raise SettingsError(f"{file} is there already. Name another folder, or overwrite it with --force.")
    paths = [str(path) for path in ([sources] if isinstance(sources, str | Path) else sources)]
    name = (folder.absolute().name or "customers").replace("_", " ").capitalize()
    with tempfile.TemporaryDirectory(prefix="evervalue-") as spill, told_plainly("Looking at the files"):
        con = connect(temp_directory=Path(spill))
        try:
            text, sentences, questions = _look(con, paths, folder, name)
        finally:
            con.close()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}.") from None
    return Started(file, sentences, questions)


def _look(con: Connection, paths: Sequence[str], folder: Path, name: str) -> tuple[str, list[str], list[str]]:
    """The text of the settings, each guess in a sentence, and what the user has to decide."""
    source = paths[0]
    proposal = guess(con, source, Path.cwd()) if len(paths) == 1 and is_one(source) else None
    path = source if is_object_path(source) else os.path.relpath(Path(source).absolute(), folder.absolute())
    if proposal is None or _is_of_preset(PurePath(source).stem, proposal):
        tables = guess_tables(con, paths, folder)
        if len(tables.looked) > 1 or tables.preset:
            return render_tables(tables, name), tables.sentences(), _questions(tables.proposal, tables.preset)
        proposal = tables.proposal
    assert proposal is not None
    return render_toml(proposal, name, path=path), proposal.sentences(), _questions(proposal, None)


def _questions(proposal: Proposal | None, fit: PresetFit | None) -> list[str]:
    """What has to be decided before the first run."""
    questions = []
    if fit:
        says = f"the preset {fit.name} needs it, and no column looks like it"
        questions += [f"{column}: {says}" for column in fit.undecided]
    if proposal:
        questions += [f"{setting}: {doubt}" for setting, doubt in proposal.doubts.items()]
        questions += [f"{field}: no column looks like it" for field in proposal.lacks]
    return questions


def _is_of_preset(name: str, proposal: Proposal) -> bool:
    """Whether one file is all that a preset reads."""
    fit = best_preset({name: proposal.found})
    return fit is not None and fit.share == 1
