"""Ranges that were copied and are not yet in the warehouse: kept over a crash, so that they are not copied again.

They hold what a snapshot held that is gone. A later load takes a snapshot of its own and uses a kept range only where
the database says that the range is still the same, so what is loaded is one snapshot's.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from evervalue.core.errors import StorageError
from evervalue.sources.databases.ranges import Part
from evervalue.sources.databases.reader import Bound, Copied
from evervalue.warehouse.duckdb import Connection

RANGES = "ranges.json"


@dataclass(frozen=True)
class Staged:
    """A copied range."""

    path: Path
    content: str
    """Fingerprint of what was copied."""
    schema_hash: str
    copied: Copied
    unfit: tuple[str, ...]


class Staging:
    """The folder in which the copied ranges of one feed wait."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> None:
        """Make the folder; nobody else may look into it, for it holds rows of customers."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as error:
            raise StorageError(f"Cannot make {self.folder}: {error.strerror or error}.") from None

    def bounds(self, key: Sequence[str], schema_hash: str) -> list[Bound] | None:
        """The bounds of a load that was broken off, where it read the same columns by the same key."""
        try:
            kept = json.loads((self.folder / RANGES).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        if kept["key"] != list(key) or kept["schema_hash"] != schema_hash:
            self.clear()
            self.open()
            return None
        return [tuple(bound) for bound in kept["bounds"]]

    def keep_bounds(self, key: Sequence[str], schema_hash: str, bounds: Sequence[Bound]) -> None:
        """Remember the bounds of a load that begins."""
        self._write(
            RANGES, {"key": list(key), "schema_hash": schema_hash, "bounds": [list(b) for b in bounds]}
        )

    def place(self, part: Part) -> Path:
        """Where the copy of a part is written."""
        return self.folder / f"{part.file_id}.csv.zst"

    def keep(self, part: Part, staged: Staged) -> None:
        """Remember that a part was copied whole."""
        said = {"content": staged.content, "schema_hash": staged.schema_hash, "unfit": list(staged.unfit)}
        self._write(
            f"{part.file_id}.json", {**said, "copied": asdict(staged.copied), "upper": part.range.upper}
        )

    def find(self, part: Part) -> Staged | None:
        """The copy of a part, where there is one."""
        path = self.place(part)
        try:
            said = json.loads((self.folder / f"{part.file_id}.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        if not path.exists():
            return None
        return Staged(
            path, said["content"], said["schema_hash"], Copied(**said["copied"]), tuple(said["unfit"])
        )

    def drop(self, part: Part) -> None:
        """Forget the copy of a part."""
        (self.folder / f"{part.file_id}.json").unlink(missing_ok=True)
        self.place(part).unlink(missing_ok=True)

    def clear(self) -> None:
        """Take everything away."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            self.folder.parent.rmdir()  # where no other feed has anything there

    def _write(self, name: str, said: object) -> None:
        part = self.folder / f"{name}.part"
        part.write_text(json.dumps(said), "utf-8")
        part.replace(self.folder / name)


def folder(con: Connection, temp: Path, feed: str) -> Path:
    """Where the copies of a feed wait: beside the warehouse; of a warehouse in memory, in `temp`."""
    row = con.execute(
        "select path from duckdb_databases() where database_name = current_database()"
    ).fetchone()
    beside = Path(str(row[0])).parent if row and row[0] else temp
    return beside / "staged" / feed
