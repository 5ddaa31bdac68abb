"""How the followers of a project stand just now: a small file for each, for pages, API and commands to read.

The warehouse is held by whoever writes to it, and a published run is a picture of its own moment. So who follows a
source says in a file how it fares, and says it again every few seconds. A file that has grown old is a follower that
is gone, whatever it said last.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from evervalue.core.clock import Clock
from evervalue.core.errors import EvervalueError
from evervalue.core.text import span

FOLDER = "following"
"""Folder of the data directory that the files lie in."""
BEAT_SECONDS = 5.0
"""How often a follower says that it is there."""
SILENT_SECONDS = 60.0
"""After so long without a word a follower is gone."""
LATE_SECONDS = 900.0
"""How far behind a followed source may be where `stale_after` does not say."""
START = "start it again with 'evervalue sources watch' or 'evervalue serve --watch 15m'"

State = Literal["following", "retrying", "stopped", "failed"]


@dataclass(frozen=True)
class Standing:
    """What a follower said of itself last. Instants are UTC without a zone, by our clock."""

    system: str
    state: State
    told_at: dt.datetime
    since: dt.datetime
    """When it came into this state."""
    asked_at: dt.datetime | None = None
    """When its source told last where its log ends."""
    behind_seconds: float | None = None
    """How far behind it was then."""
    behind_bytes: int | None = None
    says: str = ""
    """Why it tries again, or has failed."""


@dataclass(frozen=True)
class Seen:
    """How a followed source stands at an instant."""

    followed: str
    """live, retrying, stopped, silent or failed."""
    seconds: float | None
    """Since the instant up to which all its changes are applied; None where that is not known."""
    most: float
    """Seconds that it may be behind."""
    state: str
    """ok, watch or alarm."""
    says: str


def seen(
    standing: Standing,
    now: dt.datetime,
    *,
    limit: float | None = None,
    read_at: dt.datetime | None = None,
    behind_then: float | None = None,
) -> Seen | None:
    """How a source stands at the instant `now`; None where nobody is meant to follow it any more.

    Parameters
    ----------
    limit
        Seconds that it may be behind (`stale_after`).
    read_at, behind_then
        When a run read the source last, and how many seconds behind it was then.
    """
    if read_at is not None:
        if standing.state == "stopped" and read_at > standing.since:
            return None  # it was stopped on purpose, and runs read the source since
        if behind_then is None and read_at > standing.told_at:
            return None  # the settings have it read in another way since
    most = LATE_SECONDS if limit is None else limit
    quiet = _seconds(standing.told_at, now)
    seconds = _behind(standing, now, read_at, behind_then)
    late = seconds is not None and seconds > most
    held = span(_seconds(standing.since, now), whole=True)
    # What stands before a colon goes behind the name of the source, in titles; why and what to do come after it.
    if standing.state == "failed":
        return Seen("failed", seconds, most, "alarm", f"is not followed any more: {standing.says}")
    if standing.state == "stopped":
        state = "alarm" if late else "watch"
        return Seen("stopped", seconds, most, state, f"has not been followed for {held}: {START}")
    if quiet > SILENT_SECONDS:
        says = f"was followed until {span(quiet, whole=True)} ago: its follower says nothing since; {START}"
        return Seen("silent", seconds, most, "alarm", says)
    if standing.state == "retrying":
        state = "alarm" if late else "watch"
        return Seen("retrying", seconds, most, state, f"could not be followed for {held}: {standing.says}")
    if seconds is None:
        return Seen("live", None, most, "ok", "is followed; how far behind is not known yet")
    if late:
        says = f"is followed {span(seconds, whole=True)} behind: {span(most)} are the most"
        return Seen("live", seconds, most, "alarm", says)
    told = f"is followed {span(seconds, whole=True)} behind" if seconds else "is followed, and nothing waits"
    return Seen("live", seconds, most, "ok", told)


def read(folder: Path) -> dict[str, Standing]:
    """What every follower of a project said last, by its system; a file that is none of ours is passed over."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError, TypeError, KeyError):
            held = json.loads(path.read_text("utf-8"))
            known = {field.name: held[field.name] for field in fields(Standing) if field.name in held}
            for name in ("told_at", "since", "asked_at"):
                if known.get(name) is not None:
                    known[name] = dt.datetime.fromisoformat(known[name]).replace(tzinfo=None)
            found[known["system"]] = Standing(**known)
    return found


def write(folder: Path, standing: Standing) -> None:
    """Say how a follower stands, in one step: who reads sees the word before or this one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{standing.system}.json"
    beside = path.with_suffix(".partial")
    beside.write_text(json.dumps(asdict(standing), default=dt.datetime.isoformat), "utf-8")
    beside.replace(path)


class Board:
    """Where the followers of one process say how they stand."""

    def __init__(self, folder: Path | None, systems: Iterable[str], clock: Clock) -> None:
        self.folder = folder
        self.clock = clock
        self._lock = threading.Lock()
        now = self._now()
        before = read(folder) if folder is not None else {}
        self._held = {}
        for system in systems:
            # What was known of it stays true until its source is asked again.
            old = before.get(system)
            self._held[system] = Standing(
                system, "following", now, now, *((old.asked_at, old.behind_seconds) if old else ())
            )
        self.beat()

    def note(self, system: str, **changes: Any) -> None:
        """Say what has changed of one follower."""
        with self._lock:
            held, now = self._held[system], self._now()
            if changes.get("state", held.state) != held.state:
                changes["since"] = now
            self._held[system] = replace(held, told_at=now, **changes)
            self._write(self._held[system])

    def beat(self) -> None:
        """Say that the process is there."""
        for system in self._held:
            self.note(system)

    def end(self, failed: Mapping[str, BaseException]) -> None:
        """Say that nothing is followed any more, and why: stopped, or what failed."""
        for system in self._held:
            if not failed:
                self.note(system, state="stopped", says="")
            elif system in failed:
                self.note(system, state="failed", says=_why(failed[system]))
            else:
                self.note(system, state="failed", says=f"it ended with the one of {next(iter(failed))}")

    def _write(self, standing: Standing) -> None:
        if self.folder is not None:
            with suppress(OSError):  # the word that is not written ages, and that is told
                write(self.folder, standing)

    def _now(self) -> dt.datetime:
        return self.clock.now().replace(tzinfo=None)


def _why(error: BaseException) -> str:
    """The message, where it is one of ours: others may show values of rows."""
    return str(error) if isinstance(error, EvervalueError) else f"a fault ({type(error).__name__})"


def _seconds(then: dt.datetime, now: dt.datetime) -> float:
    return max(0.0, (now - then).total_seconds())


def _behind(
    standing: Standing, now: dt.datetime, read_at: dt.datetime | None, behind_then: float | None
) -> float | None:
    """The lesser of what the follower and the last run lead to: whichever applied last."""
    found = []
    if standing.asked_at is not None and standing.behind_seconds is not None:
        since = _seconds(standing.asked_at, now)
        live = standing.state == "following" and max(since, _seconds(standing.told_at, now)) <= SILENT_SECONDS
        found.append(0.0 if live and standing.behind_seconds == 0 else standing.behind_seconds + since)
    if read_at is not None and behind_then is not None:
        found.append(_seconds(read_at, now) + behind_then)
    return min(found, default=None)
