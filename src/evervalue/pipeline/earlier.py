"""The run before, from which a run takes over what did not change.

The new snapshot begins as a copy of the one before. A table stays in it where nothing that it reads changed; of tables
of lines the customers who changed are made anew and the others stay; all else is built again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evervalue.core.errors import EvervalueError, StorageError
from evervalue.core.progress import Progress
from evervalue.core.text import count
from evervalue.pipeline.delta import Delta
from evervalue.pipeline.unchanged import Unchanged
from evervalue.warehouse.delta import BEFORE
from evervalue.warehouse.duckdb import Connection, literal
from evervalue.warehouse.publish import Publisher, Snapshot
from evervalue.warehouse.sql_model import SqlModel


class Earlier:
    """What the runner asks of the run before.

    Parameters
    ----------
    con
        Its current database is the new snapshot, which holds what the run before published, and the tables of settings.
    snapshot
        Of the run before, attached as `before`.
    inputs
        The files that the new run is made of, as its manifest will list them.
    never
        Tables that are not taken over, whatever they read.
    """

    def __init__(
        self, con: Connection, snapshot: Snapshot, *, inputs: list[dict[str, Any]], never: Iterable[str],
        progress: Progress,
    ) -> None:  # fmt: skip
        self.snapshot = snapshot
        self.progress = progress
        self.unchanged = Unchanged(con, BEFORE, same_files=snapshot.manifest.get("inputs") == inputs)
        self.never = frozenset(never)
        self.delta = Delta(con, self.unchanged, progress)
        self.kept = 0

    def keeps(self, model: SqlModel) -> bool:
        """Whether a table is what it would become."""
        if model.name in self.never or not self.unchanged.follows(model):
            return False
        self.kept += 1
        return True

    def has(self, con: Connection, model: SqlModel) -> bool:
        """Whether a table can be built from the one of the run before."""
        return bool(model.head.delta) and self.delta.serves(model)

    def landed(self, con: Connection, model: SqlModel) -> None:
        """Look at a table that was built anew."""
        if not model.head.delta:
            self.unchanged.compare(con, model)

    def close(self, con: Connection) -> None:
        """Let the run before go."""
        con.execute(f"detach {BEFORE}")
        if self.kept:
            self.progress.step("Taken over", detail=f"{count(self.kept, 'table')} of which nothing changed")


def before_this(
    con: Connection, publisher: Publisher, *, wanted: Mapping[str, Any], file: Path, progress: Progress
) -> Snapshot | None:
    """The snapshot that the warehouse was last taken into, attached as `before` and copied to `file`.

    None where there is none, where it was made with other settings or versions (what its manifest must say is
    `wanted`), or where it is damaged.
    """
    found = con.execute("select run_id from warehouse.raw.loads where built").fetchone()
    if not found:
        return None
    try:
        before = publisher.get(str(found[0]))
    except EvervalueError:
        return None
    if "known_at" in before.manifest or any(before.manifest.get(k) != v for k, v in wanted.items()):
        return None
    try:
        before.verify()
    except StorageError:
        progress.warn(f"The snapshot of run {before.run_id} is damaged or gone, so all is built anew.")
        return None
    shutil.copyfile(before.path, file)
    con.execute(f"attach {literal(str(before.path))} as {BEFORE} (read_only)")
    return before
