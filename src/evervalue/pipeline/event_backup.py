"""Backup and restore of the project's event log, with what its files of events hold beyond a backup."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evervalue.collector import backup
from evervalue.collector.backup import Copy
from evervalue.collector.log import LOG, EventLog
from evervalue.core.errors import InputError
from evervalue.pipeline.event_bodies import bodies, in_order
from evervalue.pipeline.event_compaction import MARK
from evervalue.pipeline.event_log import database
from evervalue.pipeline.event_places import place
from evervalue.pipeline.event_rows import EVENTS
from evervalue.pipeline.event_settings import FOLDER
from evervalue.pipeline.settings import Project
from evervalue.warehouse.publish import sha256


@dataclass(frozen=True)
class Restored:
    """What a restore did."""

    copy: Copy
    aside: list[Path]
    """Where what stood in its place lies now."""
    taken_up: int
    """Events that came after the backup and were in the files of a run."""


def back_up(project: Project, to: Path) -> tuple[Copy, str]:
    """A checked copy of the log, and its checksum, which is also written beside it.

    Raises
    ------
    InputError
        There is no log, or it lies in a database; or the file is there already.
    StorageError
        The copy could not be written, or is damaged.
    """
    _in_a_file(project, "pg_dump -n evervalue")
    copy = backup.back_up(project.data_dir / LOG, to)
    checksum = sha256(to)
    to.with_name(f"{to.name}.sha256").write_text(f"{checksum}  {to.name}\n", "utf-8")
    return copy, checksum


def restore(project: Project, copy: Path, *, replace: bool) -> Restored:
    """The backup in the place of the log, with the events behind it that files of a run hold.

    Their places are given to no other event: what a run wrote out is then not passed over, nor read twice.

    Raises
    ------
    InputError
        There is no such file, a log is there and may not be replaced, or somebody uses it; or it lies in a database.
    StorageError
        The backup or a file is damaged.
    """
    _in_a_file(project, "pg_restore")
    noted = copy.with_name(f"{copy.name}.sha256")
    if noted.exists() and copy.exists() and noted.read_text("utf-8").split()[:1] != [sha256(copy)]:
        raise InputError(f"{copy} is not what {noted.name} says that it was. Take another backup.")
    placed, aside = backup.put_back(copy, project.data_dir, replace=replace)
    taken = 0
    log = EventLog(project.data_dir / LOG)
    try:
        for folder in sorted((project.data_dir / FOLDER).glob("*")):
            (folder / MARK).unlink(missing_ok=True)
            for path in in_order(folder / EVENTS):
                if place(path) > placed.last:
                    taken += backup.take_up(log, folder.name, bodies(path), placed.last)
    finally:
        log.close()
    return Restored(placed, aside, taken)


def _in_a_file(project: Project, instead: str) -> None:
    shared = database(project)
    if shared is not None:
        raise InputError(
            f"The event log lies in {shared.shown()}. Back that up and restore it as you do your databases ({instead})."
        )
