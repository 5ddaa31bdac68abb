"""How the collector of a project and its sources of events stand at the moment of asking.

What the collector says of itself, every few seconds, is held against the present; what became of the events is read
from its log. Nothing is written, and nothing is asked of the collector itself, which may be gone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evervalue.collector import standing
from evervalue.collector.accounts import accounts, unaccounted
from evervalue.collector.canary import PERIOD_SECONDS, PERIODS
from evervalue.collector.log import LOG, EventLog
from evervalue.collector.records import Log, Tally
from evervalue.collector.standing import SourceStanding, Standing
from evervalue.core.errors import StorageError
from evervalue.core.text import count, span

SILENT_SECONDS = 60.0
"""After so long without a word a collector is gone."""
START = "start it again with 'evervalue collect'"
LEARNT = "how long it is usually silent is being learnt"


@dataclass(frozen=True)
class CollectorSeen:
    """How the collector stands at an instant."""

    state: str
    """ok, watch or alarm."""
    says: str
    """What stands before a colon goes behind 'The collector'; why and what to do come after it."""
    listens: bool
    """Whether it listens for events, so that the silence of a source means something."""
    address: str = ""
    canary_seconds: float | None = None
    """How long the last canary that was found took."""
    canary_success_at: dt.datetime | None = None
    """When that was sent, UTC."""


@dataclass(frozen=True)
class EventSourceSeen:
    """How a source of events stands at an instant."""

    source: str
    state: str
    """ok, learning, watch or alarm."""
    state_says: str
    worst_check: str
    """silence or accounts; empty where all is as usual."""
    accepted: int
    stored: int
    duplicate: int
    quarantined: int
    unaccounted: int
    """accepted less the other three; anything but 0 is a fault."""
    last_event_at: dt.datetime | None
    """To a few seconds; None where it sent nothing since it is watched."""
    silent_seconds: float | None
    """Without the time in which no collector listened; None while none does."""
    silence_watch_seconds: float | None
    silence_alarm_seconds: float | None
    """How long it may be silent at this time of the day; None where that is not known yet."""
    silence_is_set: bool
    """Whether the settings say it."""


@dataclass(frozen=True)
class Collecting:
    """What there is to say of events."""

    collector: CollectorSeen | None
    """None where no collector has ever run here."""
    sources: list[EventSourceSeen]


def seen(data_dir: Path, now: dt.datetime, open_log: Callable[[], Log | None] | None = None) -> Collecting:
    """How the collector of a data directory and its sources stand at the instant `now` (UTC).

    Parameters
    ----------
    open_log
        Opens the log; needed where it lies in a database.
    """
    told = standing.read(data_dir)
    collector = None if told is None else _collector(told, now)
    try:
        log = open_log() if open_log is not None else None
        in_file = log is None or isinstance(log, EventLog)  # which is looked at without writing to it
        tallies = log.tallies() if log is not None and not in_file else accounts(data_dir / LOG)
    except StorageError as error:
        return Collecting(CollectorSeen("alarm", f"has a log that cannot be read: {error}", False), [])
    if tallies is None and told is not None and told.sources:
        says = f"has lost its log: {data_dir / LOG} is not there any more; put it back from a backup"
        collector = CollectorSeen("alarm", says, False)
    listens = collector is not None and collector.listens
    known = told.sources if told else {}
    return Collecting(
        collector, [_source(tally, known.get(tally.source), listens, now) for tally in tallies or ()]
    )


def _collector(told: Standing, now: dt.datetime) -> CollectorSeen:
    quiet = (now - told.told_at).total_seconds()
    success = told.canary_success_at
    age = None if success is None else max(0.0, (now - success).total_seconds())
    about = (told.address, told.canary_seconds, success)
    if told.stopped:
        says = f"has been stopped for {span(quiet, whole=True)}: {START}"
        return CollectorSeen("watch", says, False, *about)
    if quiet > SILENT_SECONDS:
        says = f"has said nothing for {span(quiet, whole=True)}: it ended, or its disk is full; {START}"
        return CollectorSeen("alarm", says, False, *about)
    if told.canary_fault:
        since = "none was stored since it started" if age is None else (
            f"the last was stored {span(age, whole=True)} ago"
        )  # fmt: skip
        says = f"does not take events: its own of each minute failed ({told.canary_fault}); {since}"
        return CollectorSeen("alarm", says, True, *about)
    if age is None:
        return CollectorSeen("ok", "has just started", True, *about)
    if age > PERIODS * PERIOD_SECONDS:
        says = f"may not take events: none of its own was stored for {span(age, whole=True)}"
        return CollectorSeen("alarm", says, True, *about)
    took = f"{max(1.0, (told.canary_seconds or 0.0) * 1000):,.0f} ms"
    says = f"takes events: the last of its own was stored and found within {took}"
    return CollectorSeen("ok", says, True, *about)


def _source(tally: Tally, told: SourceStanding | None, listens: bool, now: dt.datetime) -> EventSourceSeen:
    quiet = max(0.0, (now - told.since).total_seconds()) if told and listens else None
    findings = [*_accounts(tally), *_silence(told, quiet)]
    state, check, says = findings[0] if findings else ("ok", "", "as usual")
    if len(findings) > 1:
        says = "; ".join(finding[2] for finding in findings)
    return EventSourceSeen(
        tally.source, state, says, check, tally.accepted, tally.stored, tally.duplicate, tally.quarantined,
        unaccounted(tally), told.last_at if told else None, quiet,
        told.watch_seconds if told else None, told.alarm_seconds if told else None, bool(told and told.is_set),
    )  # fmt: skip


def _accounts(tally: Tally) -> Iterator[tuple[str, str, str]]:
    if lost := unaccounted(tally):
        yield "alarm", "accounts", (
            f"{count(abs(lost), 'event')} {'is' if abs(lost) == 1 else 'are'} not accounted for: of "
            f"{tally.accepted:,} accepted {tally.stored:,} are stored, {tally.duplicate:,} duplicate and "
            f"{tally.quarantined:,} quarantined, so the log was damaged or written to by another hand"
        )  # fmt: skip


def _silence(told: SourceStanding | None, quiet: float | None) -> Iterator[tuple[str, str, str]]:
    if told is None:
        yield "learning", "", "no collector has listened for it here yet"
        return
    if quiet is None:
        yield "watch", "silence", "no collector listens for it just now"
        return
    silent = f"nothing came for {span(quiet, whole=True)}"
    over = told.alarm_seconds is not None and quiet > told.alarm_seconds
    if told.alarm_seconds is not None and over:
        usual = "are allowed" if told.is_set else "are usual at most at this time of the day"
        yield "alarm", "silence", f"{silent}, where {span(told.alarm_seconds)} {usual}"
    elif told.alarmed:
        yield "alarm", "silence", silent
    elif told.watch_seconds is not None and quiet > told.watch_seconds:
        usual = "are usual at most on this day of the week"
        yield "watch", "silence", f"{silent}, where {span(told.watch_seconds)} {usual}"
    elif told.alarm_seconds is None:
        yield "learning", "", f'{LEARNT}; silence = "2h" in its settings says it'
