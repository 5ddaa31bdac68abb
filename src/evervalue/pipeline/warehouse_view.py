"""A project's warehouse between runs: what was read, what was refused, and mended rows taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evervalue.core.clock import Clock
from evervalue.core.errors import NothingPublished
from evervalue.core.progress import Progress
from evervalue.pipeline.run import told_plainly
from evervalue.pipeline.settings import Project
from evervalue.sources.quarantine import Replayed, replay
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


def replay_rows(project: Project, source: str, file: Path, *, clock: Clock, progress: Progress) -> Replayed:
    """What became of the mended rows in `file`; those that are fine now leave quarantine.

    Raises
    ------
    InputError
        The file is none that an export wrote.
    """
    settings, now = project.settings, clock.now()
    with warehouse(project, read_only=False) as con, told_plainly("Taking mended rows back"):
        return replay(
            con,
            file,
            source,
            settings.sources,
            base=project.folder,
            project_currency=settings.project.currency,
            time_zone=settings.project.time_zone,
            run_id=f"replay-{now:%Y%m%dT%H%M%SZ}",
            known_at=now.replace(tzinfo=None),
            progress=progress,
        )
