"""Looks after a running collector: sends canaries, listens for silence, writes lines, and says how all stands.

It is a thread of the collector's process that wakes every few seconds. Nothing of it stands in the way of a request:
what requests count, it reads; what came, it takes from the tallies of the log.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evervalue.collector import standing
from evervalue.collector.app import Collector
from evervalue.collector.canary import PERIOD_SECONDS, PERIODS, Canary, Trip, WithCanary
from evervalue.collector.keys import Keys, WriteKey
from evervalue.collector.metrics import Histogram, Watched
from evervalue.collector.records import Tally
from evervalue.collector.silence import Heard, Limits, limits
from evervalue.collector.standing import BEAT_SECONDS, SourceStanding, Standing
from evervalue.core.clock import Clock
from evervalue.core.errors import EvervalueError
from evervalue.core.logs import fault, tell
from evervalue.core.text import span

LOG = logging.getLogger("evervalue.collector")
SLOW_SECONDS = 1.0
"""A commit that takes longer is told."""
COUNTED_SECONDS = 60.0
"""How often lines are written of what is counted: refusals, answers, slow commits."""
ANSWERS = {401: "unknown_key", 413: "too_large", 429: "busy", 503: "unavailable", 500: "failed"}
"""What answers are counted as, in lines."""


class Watch:
    """The watch of one collector.

    Parameters
    ----------
    app
        The collector.
    keys
        Its write keys.
    data_dir
        Where it says how it stands.
    clock
        Tells the time.
    silences
        Gives what the settings say of silence, source by source in seconds; asked once a minute, so that the settings
        may be changed while events come.
    """

    def __init__(
        self,
        app: Collector,
        keys: Keys,
        data_dir: Path,
        clock: Clock,
        silences: Callable[[], Mapping[str, float]] | None = None,
    ) -> None:
        self.app = app
        self.data_dir = data_dir
        self.clock = clock
        self.started_at = clock.now()
        self.trips = Histogram()
        self.failures = 0
        self._keys = keys
        door = WithCanary(keys)
        app.keys = door
        app.watch = self
        self._canary = Canary(app.open_log, door.key, clock)
        self._silences = silences or dict
        self._settings: Mapping[str, float] = {}
        self._heard = standing.read_silences(data_dir)
        self._last_at: dict[str, dt.datetime | None] = {}
        self._alarmed: set[str] = set()
        self._go_on()
        self._limits: dict[str, Limits] = {}
        self._trip: Trip | None = None
        self._success: Trip | None = None
        self._known_keys: dict[tuple[str, str], WriteKey] | None = None
        self._counted = _Counted(app)
        self._was: Mapping[str, Tally] | None = None
        self._log_faulty = False
        self._address: tuple[str, int] = ("127.0.0.1", 0)
        self._shown_address = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="evervalue-watch", daemon=True)

    def listens_at(self, host: str, port: int, shown_address: str) -> None:
        """Send canaries there."""
        self._address = (_loopback(host), port)
        self._shown_address = shown_address

    def start(self, host: str, port: int, shown_address: str) -> None:
        """Begin, once the collector listens there."""
        self.listens_at(host, port, shown_address)
        tell(LOG, logging.INFO, "started", address=shown_address)
        self._thread.start()

    def stop(self) -> None:
        """End, and say that the collector was ended in good order; once, and only if it began."""
        if self._stop.is_set() or self._thread.ident is None:
            return
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(BEAT_SECONDS)
        self._keep()
        self._say(stopped=True)
        tell(LOG, logging.INFO, "stopped", address=self._shown_address)

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether the last canary was found, and that within three periods; and what there is to say of it."""
        now, trip, success = self.clock.now(), self._trip, self._success
        age = (now - success.at).total_seconds() if success else None
        says = "" if trip is None else trip.fault
        if trip is None:
            says = "no canary has come back yet"
        elif not says and (age is None or age > PERIODS * PERIOD_SECONDS):
            says = f"no canary was found for {span(age or 0.0, whole=True)}"
        return not says, {
            "canary": {
                "success_at": success.at.isoformat() if success else None,
                "age_seconds": None if age is None else round(age, 1),
                "seconds": round(success.seconds, 4) if success else None,
                "fault": says,
            }
        }

    def watched(self) -> Watched:
        """What there is to tell Prometheus."""
        now, success = self.clock.now(), self._success
        known = dict(self._limits)
        silent = {name: self._quiet(name, now) for name in known}
        return Watched(
            success.at.timestamp() if success else None,
            (now - success.at).total_seconds() if success else None,
            self.ready()[0],
            self.failures,
            self.trips,
            silent,
            {name: one.alarm for name, one in known.items() if one.alarm is not None},
            {name: name in self._alarmed for name in known},
        )

    def beat(self, *, canary: bool, minute: bool) -> None:
        """Look at everything once; `canary` sends one, `minute` writes what was counted."""
        now = self.clock.now()
        if minute or not self._limits:
            self._read_settings()
        if canary:
            self._fly()
        self._listen(now)
        self._counted.tell_disk()
        if minute:
            self._counted.tell(COUNTED_SECONDS)
            self._look_at_keys()
        self._say()

    def _go_on(self) -> None:
        """Take up what the collector before said last; the time between is no silence of a source."""
        before = standing.read(self.data_dir)
        for name, heard in self._heard.items():
            if before is None or (stood := before.sources.get(name)) is None:
                heard.last = self.started_at
                continue
            heard.accepted = stood.accepted
            heard.last = stood.since + max(dt.timedelta(0), self.started_at - before.told_at)
            self._last_at[name] = stood.last_at
            if stood.alarmed:
                self._alarmed.add(name)

    def _run(self) -> None:
        beats, each = 0, max(1, round(PERIOD_SECONDS / BEAT_SECONDS))
        counted = max(1, round(COUNTED_SECONDS / BEAT_SECONDS))
        while True:
            try:
                self.beat(canary=beats % each == 0, minute=beats % counted == 0)
            except Exception as error:  # who watches must not end
                tell(LOG, logging.ERROR, "fault", fault=fault(error))
            beats += 1
            if self._stop.wait(BEAT_SECONDS):
                self._counted.tell(COUNTED_SECONDS)
                return

    def _fly(self) -> None:
        """Send a canary."""
        trip = self._canary.trip(*self._address)
        before, self._trip = self._trip, trip
        if not trip.fault:
            self._success = trip
            self.trips.observe(trip.seconds)
            if before is not None and before.fault:
                tell(LOG, logging.INFO, "canary_recovered", seconds=round(trip.seconds, 4))
        else:
            self.failures += 1
            tell(LOG, logging.ERROR, "canary_failed", trip.fault, seconds=round(trip.seconds, 4))

    def _listen(self, now: dt.datetime) -> None:
        """Note who sent something, and who has been silent for too long."""
        try:
            log = self.app.open_log()
            try:
                tallies = {tally.source: tally for tally in log.tallies()}
            finally:
                log.close()
        except EvervalueError:
            if not self._log_faulty:
                self._log_faulty = True
                tell(LOG, logging.ERROR, "log_unusable", "The event log cannot be read.")
            return
        if self._log_faulty:
            self._log_faulty = False
            tell(LOG, logging.INFO, "log_recovered")
        lost = [
            name
            for name, was in (self._was or {}).items()
            if name not in tallies or tallies[name].accepted < was.accepted
        ]
        if lost:
            tell(
                LOG, logging.ERROR, "log_replaced", "Fewer events are in the log than before.",
                sources=",".join(lost),
            )  # fmt: skip
        changed = False
        for name, tally in tallies.items():
            changed |= self._hear(name, tally, now)
            self._judge(name, now)
        self._was = tallies
        if changed:
            self._keep()

    def _hear(self, name: str, tally: Tally, now: dt.datetime) -> bool:
        """Note what a source sent; whether that is to be kept."""
        heard = self._heard.get(name)
        if heard is None:
            # Of what came before anybody listened it is not known when it did.
            before = tally.accepted if self._was is None else 0
            self._heard[name] = heard = Heard(now, now, before)
        if tally.accepted == heard.accepted:
            return False
        if name in self._alarmed:
            self._alarmed.discard(name)
            quiet = round((now - heard.last).total_seconds())
            tell(LOG, logging.INFO, "heard_again", source=name, silent_seconds=quiet)
        self._last_at[name] = now
        return heard.hears(now, tally.accepted)

    def _judge(self, name: str, now: dt.datetime) -> None:
        """Say where a source has been silent for too long."""
        self._limits[name] = found = limits(self._heard[name], now, self._settings.get(name))
        quiet = self._quiet(name, now)
        if found.alarm is not None and quiet > found.alarm and name not in self._alarmed:
            self._alarmed.add(name)
            tell(
                LOG, logging.WARNING, "silent", source=name, silent_seconds=round(quiet),
                usual_seconds=round(found.alarm),
            )  # fmt: skip
        elif found.is_set and name in self._alarmed and quiet <= (found.alarm or 0):
            self._alarmed.discard(name)  # the settings allow for more now

    def _quiet(self, name: str, now: dt.datetime) -> float:
        """Seconds that a source has been silent."""
        return max(0.0, (now - self._heard[name].last).total_seconds())

    def _look_at_keys(self) -> None:
        """Tell of keys that were made or revoked."""
        try:
            found = {(key.shown, key.created_at): key for key in self._keys.all()}
        except Exception as error:  # the file is gone; requests are told so
            tell(LOG, logging.ERROR, "keys_unusable", fault=fault(error))
            return
        if self._known_keys is not None:
            for at, key in found.items():
                was = self._known_keys.get(at)
                if was is None:
                    tell(LOG, logging.INFO, "key_created", source=key.source, begins_with=key.shown)
                if key.revoked_at and (was is None or not was.revoked_at):
                    tell(LOG, logging.INFO, "key_revoked", source=key.source, begins_with=key.shown)
        self._known_keys = found

    def _read_settings(self) -> None:
        try:
            self._settings = self._silences()
        except EvervalueError:  # somebody is writing the file; what it said before holds
            tell(LOG, logging.WARNING, "settings_unreadable", "What the settings said before holds.")

    def _keep(self) -> None:
        try:
            standing.write_silences(self.data_dir, self._heard)
        except OSError as error:
            tell(LOG, logging.ERROR, "not_kept", f"Silences could not be kept: {error.strerror}.")

    def _say(self, *, stopped: bool = False) -> None:
        """Say how all stands; a word that cannot be written ages, and that is told."""
        trip, success = self._trip, self._success
        _, told = self.ready()
        says = Standing(
            self.clock.now(),
            self.started_at,
            self._shown_address,
            stopped,
            trip.at if trip else None,
            success.seconds if success else None,
            success.at if success else None,
            "" if trip is None else told["canary"]["fault"],
            {
                name: SourceStanding(
                    self._last_at.get(name),
                    self._heard[name].accepted,
                    self._heard[name].last,
                    one.watch,
                    one.alarm,
                    one.is_set,
                    name in self._alarmed,
                )
                for name, one in self._limits.items()
            },
        )
        try:
            standing.write(self.data_dir, says)
        except OSError:
            return


class _Counted:
    """Turns what requests counted into a line for each reason, now and then."""

    def __init__(self, app: Collector) -> None:
        self._meters = app.meters
        self._answers: Counter[int] = Counter()
        self._refused: Counter[tuple[str, str]] = Counter()
        self._failed = self._commits = 0
        self._refuses = False

    def tell(self, seconds: float) -> None:
        """Write what was counted since the last time."""
        meters = self._meters
        refused, answers = Counter(dict(meters.refused)), Counter(dict(meters.answers))
        for (source, code), n in sorted((refused - self._refused).items()):
            tell(LOG, logging.WARNING, "refused", source=source, code=code, count=n, seconds=seconds)
        for status, n in sorted((answers - self._answers).items()):
            if status in ANSWERS:
                tell(LOG, logging.WARNING, ANSWERS[status], status=status, count=n, seconds=seconds)
        slowest, meters.slowest_commit = meters.slowest_commit, 0.0
        if slowest > SLOW_SECONDS:
            tell(LOG, logging.WARNING, "slow_commit", slowest_seconds=round(slowest, 3), seconds=seconds)
        self._refused, self._answers = refused, answers

    def tell_disk(self) -> None:
        """Write where the disk began to refuse commits, and where it takes them again."""
        commits, failed = sum(self._meters.commits.counts), self._meters.failed_commits
        if failed > self._failed:
            if not self._refuses:
                tell(LOG, logging.ERROR, "disk_refuses", "Events are answered with 503; senders keep them.")
            self._refuses = True
        elif self._refuses and commits > self._commits:
            tell(LOG, logging.INFO, "disk_recovered", failed_commits=failed)
            self._refuses = False
        self._commits, self._failed = commits, failed


def _loopback(host: str) -> str:
    """The address under which a server that listens on `host` is reached from its own process."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)
