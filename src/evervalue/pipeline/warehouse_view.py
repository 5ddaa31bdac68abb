"""Looks into a project's warehouse between runs: files, what was settled, refused rows. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from evervalue.core.errors import NothingPublished
from evervalue.pipeline.settings import Project
from evervalue.warehouse.duckdb import Connection, connect


@contextmanager
def warehouse(project: Project, *, read_only: bool = True) -> Iterator[Connection]:
    """An open connection to the project's warehouse.

    Raises
    ------
    NothingPublished
        Nothing was ever loaded.
    Busy
        A run holds the warehouse.
    """
    file = project.data_dir / "warehouse.duckdb"
    if not file.exists():
        raise NothingPublished(f"Nothing has been loaded in {project.folder} yet. Run 'evervalue run' first.")
    con = connect(file, read_only=read_only)
    try:
        yield con
    finally:
        con.close()
