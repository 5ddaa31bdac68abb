"""Two kept runs side by side: opened together, read-only, for as long as somebody compares them."""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from starlette.requests import Request

from evervalue.api import kept_runs
from evervalue.api.errors import BadRequest, NotFound
from evervalue.api.queries.compare import HELD, TABLE, beside
from evervalue.api.settings import ServerSettings
from evervalue.api.snapshots import OpenSnapshot, Row, RunSettings, SnapshotReader
from evervalue.api.watchdog import Watchdog
from evervalue.core.errors import EvervalueError, NothingPublished
from evervalue.warehouse.attached import Focused, attached
from evervalue.warehouse.duckdb import Connection, EngineError
from evervalue.warehouse.publish import Publisher, Snapshot

OPEN_PAIRS = 2
"""Pairs that stay open: their files stay on disk for as long, even where newer runs have pushed them out."""
LEAST_MB, MOST_MB = 256, 1000
MOST_KEPT = 2_000_000
"""Customers up to which the two lists are joined once; beyond, each question joins them anew and takes less memory."""
QUIET = frozenset({"run_id"})
"""Settings that differ from run to run and mean nothing."""
BY_HAND = "as_of"


class OpenPair(OpenSnapshot):
    """Two snapshots in one engine: `now` is the run that is asked for, `before` the one that it is held against."""

    def __init__(self, now: Snapshot, before: Snapshot, settings: ServerSettings, watchdog: Watchdog) -> None:
        self.before = before
        super().__init__(now, settings, watchdog)

    def _connect(self) -> Connection | Focused:
        both = {"now": self.snapshot.path, "before": self.before.path}
        size = sum(path.stat().st_size for path in both.values()) / 1e6
        limit = self.settings.memory_limit or f"{min(max(LEAST_MB, size), MOST_MB):.0f}MB"
        con = attached(both, memory_limit=limit, threads=self.settings.threads)
        try:
            self.changes = beside({(str(side), str(name)) for side, name in con.execute(HELD).fetchall()})
            (many,) = con.execute("select count(*) from now.insight.customer_list").fetchone() or (0,)
            kind = "table" if many <= MOST_KEPT else "view"
            con.execute(f"create {kind} {TABLE} as {self.changes}")
        except BaseException:
            con.close()
            raise
        return Focused(con, "now")


class PairReader(SnapshotReader):
    """Gives each request the same two snapshots."""

    def __init__(self, data_dir: Path, settings: ServerSettings, run_id: str, against: str) -> None:
        super().__init__(data_dir, settings)
        self.run_id, self.against = run_id, against

    def _follow(self, mark: tuple[int, int, int] | None) -> None:
        try:
            now, before = (self.publisher.get(name) for name in (self.run_id, self.against))
            self._opened = OpenPair(now, before, self.settings, self._watchdog)
        except (EvervalueError, EngineError, OSError) as error:
            raise NotFound(
                f"Run {self.run_id} cannot be held against {self.against}: one of them is no longer kept, or "
                f"cannot be read. Choose another one. ({type(error).__name__})"
            ) from error
        self._seen = mark

    @property
    def changes(self) -> str:
        """The SELECT behind `changes`, once the pair is open."""
        opened = self._opened
        return opened.changes if isinstance(opened, OpenPair) else ""

    def _mark(self) -> tuple[int, int, int] | None:
        return 0, 0, 0  # neither of the two ever changes


class Comparisons:
    """The pairs of runs that a process holds open, the latest asked for."""

    def __init__(self, publisher: Publisher, settings: ServerSettings) -> None:
        self.publisher = publisher
        self.settings = settings
        self._pairs: OrderedDict[tuple[str, str], PairReader] = OrderedDict()
        self._lock = threading.Lock()

    def between(self, run_id: str, against: str) -> PairReader:
        """A reader of two runs.

        Raises
        ------
        NotFound
            One of them is not kept, by its name.
        """
        for name in (run_id, against):
            kept_runs.run_of(self.publisher, name)
        with self._lock:
            key = run_id, against
            if key not in self._pairs:
                self._pairs[key] = PairReader(self.publisher.data_dir, self.settings, run_id, against)
            self._pairs.move_to_end(key)
            while len(self._pairs) > OPEN_PAIRS:
                self._pairs.popitem(last=False)[1].close()
            return self._pairs[key]

    def close(self) -> None:
        """Closes every pair as soon as nobody reads it."""
        with self._lock:
            while self._pairs:
                self._pairs.popitem()[1].close()


def comparisons_of(request: Request) -> Comparisons:
    """The pairs of runs of the application."""
    found: Comparisons = request.app.state.comparisons
    return found


def chosen(publisher: Publisher, run: str, against: str) -> tuple[str, str | None]:
    """The two runs that are meant: by name, or by a day (YYYY-MM-DD) that orders were to lie before.

    Empty, `run` is the one that readers see, and `against` the one before it; None where there is none.

    Raises
    ------
    NothingPublished
        There is no run at all.
    NotFound, BadRequest
        No kept run is meant by that, or both are the same.
    """
    run_id = _named(publisher, run) if run else publisher.current_id()
    if run_id is None:
        raise NothingPublished("Nothing is published yet.")
    other = _named(publisher, against) if against else kept_runs.before(publisher, run_id)
    if other == run_id:
        raise BadRequest(f"Run {run_id} cannot be held against itself. Choose another one.")
    return run_id, other


def _named(publisher: Publisher, text: str) -> str:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return kept_runs.run_of(publisher, text).run_id
    if len(text) != len("2024-01-01"):
        return kept_runs.run_of(publisher, text).run_id
    found = kept_runs.on(publisher, day)
    if found is None:
        raise NotFound(f"No kept run has a cutoff on or before {text}.")
    return found


def settings_changed(now: Snapshot, before: Snapshot) -> list[Row]:
    """What differs between two runs besides the data: setting, before, now."""
    new, old = kept_runs.settings(now) or {}, kept_runs.settings(before) or {}
    pairs: list[tuple[str, Any, Any]] = [
        ("as_of", before.manifest.get("as_of"), now.manifest.get("as_of")),
        *(
            (name, old.get(name), new.get(name))
            for name in dict.fromkeys((*new, *old))
            if name not in QUIET and name != BY_HAND and name in new and name in old
        ),
        *(
            (f"version of {name}", before.manifest.get("versions", {}).get(name), version)
            for name, version in now.manifest.get("versions", {}).items()
        ),
        ("definitions of tables", _short(before, "definitions_sha256"), _short(now, "definitions_sha256")),
    ]
    return [
        {"setting": name, "before": _text(was), "now": _text(is_)} for name, was, is_ in pairs if was != is_
    ]


def comparable(now: RunSettings, before: Snapshot) -> bool:
    """Whether the money of two runs can be held against each other: same currency, same kind of value."""
    old = kept_runs.settings(before) or {}
    return (old.get("currency"), old.get("monetary_basis")) == (now.currency, now.monetary_basis)


def _short(snapshot: Snapshot, name: str) -> str | None:
    found = snapshot.manifest.get(name)
    return str(found)[:12] if found else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
