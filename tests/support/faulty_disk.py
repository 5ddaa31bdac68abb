"""A disk under SQLite that fails where a test wants it to, and that loses at a power cut what was not synced.

SQLite reaches files through a VFS, and apsw lets one be written here. It hands everything on to the system's own, and
keeps beside it what a real disk would hold for certain, and what lies in memory until the next sync. A power cut keeps
any part of the latter, by sectors and in any order. A sync that fails does the same at once and forgets the rest, as
Linux does: the next sync says that all is well, and it is not.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512
FOLLOWED = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL
FAULTS = {
    "write": ("full", "broken", "torn"),
    "sync": ("broken",),
    "truncate": ("broken",),
    "delete": ("broken",),
    "read": ("broken",),
    "open": ("broken",),
}
"""Step: how it may fail. A disk is full, breaks, or breaks in the middle of a write."""
CODES = {
    "write": apsw.SQLITE_IOERR_WRITE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "delete": apsw.SQLITE_IOERR_DELETE,
    "read": apsw.SQLITE_IOERR_READ,
    "open": apsw.SQLITE_CANTOPEN,
}


@dataclass
class Content:
    """What a disk holds of a file for certain, and what would follow at the next sync."""

    certain: bytearray = field(default_factory=bytearray)
    named: bool = False
    """Whether its name is on disk, too."""
    coming: list[tuple[int, bytes | None]] = field(default_factory=list)
    """In order: bytes written at an offset; or None where the file was cut off there."""

    def sync(self) -> None:
        for offset, data in self.coming:
            put(self.certain, offset, data)
        self.coming.clear()
        self.named = True

    def lose(self, chance: random.Random) -> None:
        """What was not synced is on disk in part, as it happens."""
        self.certain, self.coming = self.after_a_cut(chance), []

    def after_a_cut(self, chance: random.Random) -> bytearray:
        """What a power cut leaves."""
        left = bytearray(self.certain)
        how = chance.choice(("nothing", "all", "the first", "any", "any", "the last"))
        parts = [part for change in self.coming for part in sectors(*change)]
        at = chance.randrange(len(parts) + 1)
        for n, (offset, data) in enumerate(parts):
            kept = {"nothing": False, "all": True, "the first": n < at, "the last": n >= at}
            if kept.get(how, chance.random() < 0.5):
                put(left, offset, data)
        return left


def put(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
    else:
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data


def sectors(offset: int, data: bytes | None) -> list[tuple[int, bytes | None]]:
    """A change in the pieces in which a disk takes it."""
    if data is None:
        return [(offset, None)]
    parts: list[tuple[int, bytes | None]] = []
    at = 0
    while at < len(data):
        end = at + SECTOR - (offset + at) % SECTOR
        parts.append((offset + at, data[at:end]))
        at = end
    return parts


class Disk(apsw.VFS):
    """A disk. `con` opens a file on it; `step` is how many steps it has taken."""

    def __init__(self, seed: int = 0) -> None:
        self.name = f"disk-{uuid.uuid4()}"
        self.chance = random.Random(seed)
        self.files: dict[str, Content] = {}
        self.ghosts: dict[str, Content] = {}
        """Files that are deleted, and whose names a power cut may bring back."""
        self.step = 0
        self.steps: list[str] = []
        self.fails_at: dict[int, str] = {}
        """Number of a step: how it fails, once."""
        self.failing: dict[str, str] = {}
        """Kind of step: how it fails until this is taken away."""
        self.watch: Callable[[], None] = lambda: None
        """Called at every step that changes something, before it is certain."""
        super().__init__(self.name, "")

    def con(self, path: Path, pages: int = 1000) -> apsw.Connection:
        """A connection; the write-ahead log is carried over after so many pages."""
        con = apsw.Connection(str(path), vfs=self.name)
        con.wal_autocheckpoint(pages)
        return con

    def after_a_cut(self, folder: Path) -> Path:
        """A new folder with what a power cut at this instant would leave."""
        folder.mkdir(parents=True)
        for name in {*self.files, *self.ghosts}:
            now, before = self.files.get(name), self.ghosts.get(name)
            if now is not None and (now.named or self.chance.random() < 0.5):
                left = now.after_a_cut(self.chance)
            elif before is not None and before.named and self.chance.random() < 0.5:
                left = before.after_a_cut(self.chance)
            else:
                continue
            (folder / Path(name).name).write_bytes(left)
        return folder

    def takes(self, kind: str) -> str | None:
        """How a step fails; None where it does not."""
        self.step += 1
        self.steps.append(kind)
        return self.fails_at.pop(self.step, None) or self.failing.get(kind)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if name is None or not flags[0] & FOLLOWED:
            return super().xOpen(name, flags)
        path = name if isinstance(name, str) else name.filename()
        if self.takes("open"):
            raise apsw.exception_for(CODES["open"])
        if path not in self.files and Path(path).exists():  # it lay there before this disk was switched on
            self.files[path] = Content(bytearray(Path(path).read_bytes()), named=True)
        file = File(self, path, name, flags)
        self.files.setdefault(path, Content())
        return file

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.watch()
        if self.takes("delete"):
            raise apsw.exception_for(CODES["delete"])
        super().xDelete(filename, syncdir)
        gone = self.files.pop(filename, None)
        if syncdir:
            self.ghosts.pop(filename, None)
        elif gone is not None:
            self.ghosts[filename] = gone

    def excepthook(self, *_: Any) -> bool:
        """Faults are meant."""
        return True


class File(apsw.VFSFile):
    """A file of the disk."""

    def __init__(self, disk: Disk, path: str, name: Any, flags: list[int]) -> None:
        self.disk = disk
        self.path = path
        super().__init__("", name, flags)

    @property
    def content(self) -> Content:
        return self.disk.files.setdefault(self.path, Content())

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        if self.disk.takes("read"):
            raise apsw.exception_for(CODES["read"])
        return super().xRead(amount, offset)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        fault, written = self.disk.takes("write"), bytes(data)
        if fault == "full":
            raise apsw.exception_for(apsw.SQLITE_FULL)
        if fault == "torn":
            written = written[: self.disk.chance.randrange(len(written))]
        if fault != "broken" and written:
            super().xWrite(written, offset)
            self.content.coming.append((offset, written))
        self.disk.watch()
        if fault:
            raise apsw.exception_for(CODES["write"])

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        if self.disk.takes("truncate"):
            raise apsw.exception_for(CODES["truncate"])
        super().xTruncate(newsize)
        self.content.coming.append((newsize, None))
        self.disk.watch()

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.disk.watch()
        if self.disk.takes("sync"):
            self.content.lose(self.disk.chance)
            raise apsw.exception_for(CODES["sync"])
        self.content.sync()
        self.disk.ghosts.pop(self.path, None)

    def excepthook(self, *_: Any) -> bool:
        """Faults are meant."""
        return True
