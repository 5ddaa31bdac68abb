"""Publishes what a run built: an immutable file per run, and a pointer that is swapped in one step.

A run is built in `runs/<id>.partial`, with the files that travel beside its snapshot (fitted models). Only when
everything in it has passed its checks is the folder renamed and the pointer `current` replaced. A reader follows the
pointer, so it sees the old snapshot or the new, never half of one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evervalue.core.disk import sync
from evervalue.core.errors import NothingPublished, StorageError
from evervalue.core.text import did_you_mean
from evervalue.warehouse.duckdb import Connection, connect

KEPT = 10


@dataclass(frozen=True)
class Snapshot:
    """A published run."""

    run_id: str
    path: Path
    manifest: Mapping[str, Any]

    def open(self) -> Connection:
        """A read-only connection to the snapshot."""
        return connect(self.path, read_only=True)

    def verify(self) -> None:
        """Nothing, where the files are those that were published.

        Raises
        ------
        StorageError
            A file's checksum is not the one in the manifest, or a file is gone.
        """
        wanted = {self.path.name: self.manifest["sha256"], **self.manifest.get("files", {})}
        for name, checksum in wanted.items():
            file = self.beside(name)
            if not file.is_file() or sha256(file) != checksum:
                raise StorageError(
                    f"{file} is damaged: its checksum is not the one of its manifest. Run again."
                )

    def beside(self, name: str) -> Path:
        """A file that travels with the snapshot, by its name in the manifest."""
        return self.path.parent / name


class Publisher:
    """The published runs of one data directory."""

    def __init__(self, data_dir: Path, *, kept: int = KEPT) -> None:
        self.data_dir = data_dir
        self.runs_dir = data_dir / "runs"
        self.pointer = data_dir / "current"
        self.kept = kept

    def begin(self, run_id: str) -> Path:
        """The file in which a run builds its snapshot; leftovers of runs that died are swept away."""
        self.runs_dir.mkdir(parents=True, exist_ok=True)
        for left in self.runs_dir.glob("*.partial"):
            shutil.rmtree(left, ignore_errors=True)
        partial = self.runs_dir / f"{run_id}.partial"
        partial.mkdir()
        return partial / "snapshot.duckdb"

    def abandon(self, run_id: str) -> None:
        """Takes away what a failed run has built."""
        shutil.rmtree(self.runs_dir / f"{run_id}.partial", ignore_errors=True)

    def publish(self, run_id: str, manifest: Mapping[str, Any], *, point: bool = True) -> Snapshot:
        """The run, published: its files on disk, renamed into place, and the pointer swapped (with `point`)."""
        partial, final = self.runs_dir / f"{run_id}.partial", self.runs_dir / run_id
        file = partial / "snapshot.duckdb"
        sync(file)
        others = sorted(p for p in partial.rglob("*") if p.is_file() and not p.name.startswith(file.name))
        for other in others:
            sync(other)
        whole = {
            **manifest,
            "run_id": run_id,
            "sha256": sha256(file),
            "bytes": file.stat().st_size,
            "files": {str(other.relative_to(partial).as_posix()): sha256(other) for other in others},
        }
        _write(partial / "manifest.json", json.dumps(whole, indent=1, default=str) + "\n")
        partial.rename(final)
        sync(self.runs_dir)
        if point:
            self._point(run_id)
        self._prune()
        return self.get(run_id)

    def rollback(self, run_id: str | None = None) -> Snapshot:
        """The snapshot that readers are pointed back to: the one before the current, or the one named.

        Raises
        ------
        NothingPublished
            There is no such run.
        """
        runs = [s.run_id for s in self.runs()]
        if run_id is None:
            now = self.current().run_id
            before = [r for r in runs if r < now]
            if not before:
                raise NothingPublished(f"There is no run before {now} to go back to.")
            run_id = before[-1]
        if run_id not in runs:
            raise NothingPublished(f"No kept run is called {run_id}{did_you_mean(run_id, runs)}.")
        snapshot = self.get(run_id)
        snapshot.verify()
        self._point(run_id)
        return snapshot

    def runs(self) -> list[Snapshot]:
        """The kept runs, oldest first; one whose manifest cannot be read is none."""
        found = []
        for manifest in sorted(self.runs_dir.glob("*/manifest.json")):
            if manifest.parent.suffix == "":
                with suppress(StorageError):
                    found.append(self.get(manifest.parent.name))
        return found

    def current_id(self) -> str | None:
        """The run that readers are pointed to; None before the first."""
        try:
            return self.pointer.read_text("utf-8").strip() or None
        except FileNotFoundError:
            return None

    def current(self) -> Snapshot:
        """The snapshot that readers are pointed to.

        Raises
        ------
        NothingPublished
            Nothing has been published yet.
        """
        run_id = self.current_id()
        if run_id is None:
            raise NothingPublished(f"Nothing is published in {self.data_dir} yet. Run 'evervalue run' first.")
        return self.get(run_id)

    def get(self, run_id: str) -> Snapshot:
        """A kept run by its name."""
        folder = self.runs_dir / run_id
        try:
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise StorageError(f"The manifest of run {run_id} cannot be read ({error}). Run again.") from None
        return Snapshot(run_id, folder / "snapshot.duckdb", manifest)

    def _point(self, run_id: str) -> None:
        _write(self.pointer.with_suffix(".new"), run_id + "\n")
        self.pointer.with_suffix(".new").replace(self.pointer)
        sync(self.data_dir)

    def _prune(self) -> None:
        now = self.current_id()
        for old in [s for s in self.runs() if s.run_id != now][: -(self.kept - 1) or None]:
            shutil.rmtree(self.runs_dir / old.run_id, ignore_errors=True)


def sha256(path: Path) -> str:
    """The checksum of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
