"""What a run is doing, in a small file that pages read: written a few times a second at most, and never waited for.

The file says which process writes it and when it last did, so that one that a crashed run left behind is told from one
of a run that goes on.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from evervalue.core.clock import Clock
from evervalue.core.progress import Progress
from evervalue.pipeline.failed_runs import note_failure, told

NAME = "progress.json"
EVERY_SECONDS = 0.3
BEAT_SECONDS = 5.0
SILENT_SECONDS = 60.0
"""A run on another machine that has written nothing for so long is taken for dead."""
LONGEST = 200
CRASHED = "The run ended without a word: its process is gone. What readers see has not changed. Run it again."


class WrittenProgress:
    """Passes everything on to another listener, and keeps the file up to date beside it."""

    def __init__(
        self, data_dir: Path, inner: Progress, clock: Clock, *, run_id: str, tables: Iterable[str]
    ) -> None:
        self.path = data_dir / NAME
        self._inner = inner
        self._clock = clock
        self._tables = frozenset(tables)
        self._lock = threading.Lock()
        self._dirty = True
        self._over = threading.Event()
        self.state: dict[str, Any] = {
            "run_id": run_id,
            "state": "running",
            "begun_at": clock.now().isoformat(),
            "step": "Beginning",
            "done": 0,
            "of": len(self._tables),
            "warnings": 0,
            **_process(os.getpid()),
        }
        self._writer = threading.Thread(target=self._keep_writing, daemon=True, name="progress")
        self._write()
        self._writer.start()

    def step(self, says: str, *, detail: str = "") -> None:
        """A step is done."""
        self._note(step=(f"{says}: {detail}" if detail else says)[:LONGEST])
        self._inner.step(says, detail=detail)

    def doing(self, says: str) -> None:
        """What is being worked on; a table counts as one more."""
        if says in self._tables:
            self._note(step=says, done=self.state["done"] + 1)
        else:
            self._note(step=says[:LONGEST])
        self._inner.doing(says)

    def warn(self, says: str) -> None:
        """Counted, for pages; said by the other listener."""
        self._note(warnings=self.state["warnings"] + 1)
        self._inner.warn(says)

    def end(self, state: str, **more: object) -> None:
        """Writes how the run ended; nothing is written after it."""
        self._over.set()
        self._writer.join(timeout=BEAT_SECONDS)
        self._note(state=state, ended_at=self._clock.now().isoformat(), **more)
        self._write()

    def _note(self, **changed: object) -> None:
        with self._lock:
            self.state.update(changed)
            self._dirty = True

    def _keep_writing(self) -> None:
        quiet = 0.0
        while not self._over.wait(EVERY_SECONDS):
            quiet += EVERY_SECONDS
            if self._dirty or quiet >= BEAT_SECONDS:
                quiet = 0.0
                self._write()

    def _write(self) -> None:
        with self._lock:
            self._dirty = False
            text = json.dumps({**self.state, "beat_at": self._clock.now().isoformat()}, ensure_ascii=False)
        part = self.path.with_suffix(".new")
        with suppress(OSError):  # a full disk stops the run where it matters, not here
            part.write_text(text, "utf-8")
            part.replace(self.path)


@contextmanager
def under_way(
    data_dir: Path, progress: Progress, clock: Clock, *, run_id: str, tables: Iterable[str]
) -> Iterator[WrittenProgress]:
    """A listener whose file says what is done in the block; how the block ends is written down, too."""
    written = WrittenProgress(data_dir, progress, clock, run_id=run_id, tables=tables)
    try:
        yield written
    except BaseException as error:
        step = written.state["step"]
        written.end("failed", says=told(error), kind=type(error).__name__)
        note_failure(
            data_dir,
            {
                "run_id": run_id,
                "begun_at": written.state["begun_at"],
                "ended_at": written.state["ended_at"],
                "step": step,
                "kind": type(error).__name__,
                "says": told(error),
            },
        )
        raise
    written.end("published")


def announce(data_dir: Path, clock: Clock, *, pid: int) -> None:
    """Writes that a process was started which is about to run; it says the rest itself."""
    now = clock.now().isoformat()
    state = {
        "run_id": "",
        "state": "running",
        "begun_at": now,
        "beat_at": now,
        "step": "Starting",
        "done": 0,
        "of": 0,
        "warnings": 0,
        **_process(pid),
    }
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / NAME).write_text(json.dumps(state), "utf-8")


def not_begun(data_dir: Path, clock: Clock, error: BaseException) -> None:
    """Writes why a run that was announced did not even begin; one that began has said so itself."""
    path = data_dir / NAME
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text("utf-8"))
        if found.get("pid") == os.getpid() and found.get("state") == "running":
            end = {"state": "failed", "ended_at": clock.now().isoformat(), "says": told(error)}
            path.write_text(json.dumps({**found, **end, "kind": type(error).__name__}), "utf-8")


def read_progress(data_dir: Path, clock: Clock) -> dict[str, Any] | None:
    """What the last run of a data directory is doing, or how it ended; None where nothing is known.

    `state` is running, published, failed or crashed (the process is gone, and the file still says running).
    """
    try:
        found = json.loads((data_dir / NAME).read_text("utf-8"))
        begun, beat = (dt.datetime.fromisoformat(found[name]) for name in ("begun_at", "beat_at"))
        if not {"run_id", "state", "step", "done", "of"} <= set(found):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    shown = {
        name: found.get(name)
        for name in (
            "run_id",
            "state",
            "step",
            "done",
            "of",
            "warnings",
            "begun_at",
            "ended_at",
            "says",
            "kind",
        )
    }
    if found["state"] == "running" and not _is_alive(found, (clock.now() - beat).total_seconds()):
        shown |= {"state": "crashed", "says": CRASHED, "ended_at": beat.isoformat(), "kind": "Crashed"}
    end = dt.datetime.fromisoformat(shown["ended_at"]) if shown["ended_at"] else clock.now()
    return {**shown, "seconds": round(max((end - begun).total_seconds(), 0.0), 1)}


def _process(pid: int) -> dict[str, object]:
    return {"pid": pid, "host": platform.node(), "boot": _boot(), "born": _born(pid)}


def _is_alive(found: dict[str, Any], silent_seconds: float) -> bool:
    boot = _boot()
    here = bool(boot) and found.get("boot") == boot and found.get("host") == platform.node()
    if here and isinstance(found.get("pid"), int):
        return _born(found["pid"]) == found.get("born") is not None
    return silent_seconds < SILENT_SECONDS


def _boot() -> str:
    """What names this run of the system; empty where it does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _born(pid: int) -> str | None:
    """When a process began, in the system's own ticks; None where there is no such process, or it has ended."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] in ("Z", "X") else after_name[19]
