"""When a source of events has been silent for too long: by its setting, or by what it did in the weeks before.

A silence is measured against those of the same time of the day, so that nights are nothing unusual, and against whole
weeks, so that weekends are none. The rule, for a source that has been silent since its last event:

- Of each of the 28 days before that event the longest time without an event is taken that was reached within two hours
  of the present time of the day (UTC). The second longest of the 28 is what is usual; the longest may have been a
  fault or a holiday. An alarm is more than twice that, more than an hour, and more than the time in which the source
  sends ten events on the average of these days. It stays until an event comes.
- The same is asked of the eight days before that were the same day of the week, and there the longest counts. More
  than twice that is something to watch, again from an hour and ten events on.
- Nothing is said of a source that is known for less than 14 days, or that sent on fewer than 10 of the 28. What is to
  be watched needs four weeks.

Time in which no collector listened is no silence of a source.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

DAY = dt.timedelta(days=1)
AROUND = dt.timedelta(hours=2)
DAYS = 28
WEEKS = 8
LEAST_DAYS = 14
LEAST_WEEKS = 4
LEAST_ACTIVE_DAYS = 10
TIMES = 2.0
SHORTEST_SECONDS = 3600.0
"""No silence that is shorter is ever an alarm, unless the settings say so."""
LEAST_EVENTS = 10
"""So many would usually have come, else it is too early to say."""
KEPT_SECONDS = SHORTEST_SECONDS / TIMES
"""Silences that are shorter make no difference to the rule, and are not kept."""
KEPT_DAYS = (WEEKS + 1) * 7


@dataclass
class Heard:
    """What is remembered of one source. Instants are UTC."""

    since: dt.datetime
    """When it was first listened to."""
    last: dt.datetime
    """From when its silence counts: when it last sent something, later by the time in which nobody listened since;
    before it sent anything, when it was first listened to."""
    accepted: int = 0
    """How many events had come by then."""
    days: dict[dt.date, int] = field(default_factory=dict)
    """Events by day, for days on which something came."""
    silences: list[tuple[dt.datetime, float]] = field(default_factory=list)
    """Its silences of half an hour and longer: when each ended, and how many seconds it took."""

    def hears(self, now: dt.datetime, accepted: int) -> bool:
        """Note that something came; whether that is to be kept, as a new day or the end of a silence of some length."""
        quiet = (now - self.last).total_seconds()
        came, new_day = max(1, accepted - self.accepted), now.date() not in self.days
        self.accepted, self.last = accepted, now
        self.days[now.date()] = self.days.get(now.date(), 0) + came
        if quiet >= KEPT_SECONDS:
            self.silences.append((now, quiet))
        if new_day:
            oldest = now - KEPT_DAYS * DAY
            self.days = {day: n for day, n in self.days.items() if day >= oldest.date()}
            self.silences = [silence for silence in self.silences if silence[0] >= oldest]
        return new_day or quiet >= KEPT_SECONDS


@dataclass(frozen=True)
class Limits:
    """How long a source may be silent, in seconds; None where too little is known to say."""

    watch: float | None
    alarm: float | None
    is_set: bool = False
    """Whether the settings say it."""


def limits(heard: Heard, now: dt.datetime, setting: float | None = None) -> Limits:
    """How long a source may be silent at the instant `now`.

    Parameters
    ----------
    setting
        What the settings say, in seconds.
    """
    if setting is not None:
        return Limits(None, setting, True)
    first = max(
        1, -((heard.last - now - AROUND) // DAY)
    )  # the newest such time that was over by its last event
    centres = [now - k * DAY for k in range(first, first + DAYS)]
    known = [centre for centre in centres if centre - AROUND >= heard.since]
    recent = heard.last.date() - DAYS * DAY
    events = [n for day, n in heard.days.items() if day >= recent]
    if len(known) < LEAST_DAYS or len(events) < LEAST_ACTIVE_DAYS:
        return Limits(None, None)
    over = min(DAYS * DAY, heard.last - heard.since).total_seconds()
    least = max(SHORTEST_SECONDS, LEAST_EVENTS * over / sum(events))
    alarm = max(least, TIMES * sorted(_reached(heard.silences, known))[-2])
    week = -(-first // 7)
    same_day = [now - 7 * k * DAY for k in range(week, week + WEEKS)]
    known = [centre for centre in same_day if centre - AROUND >= heard.since]
    if len(known) < LEAST_WEEKS:
        return Limits(None, alarm)
    watch = max(least, TIMES * max(_reached(heard.silences, known)))
    return Limits(watch if watch < alarm else None, alarm)


def _reached(silences: Sequence[tuple[dt.datetime, float]], centres: Iterable[dt.datetime]) -> list[float]:
    """The longest silence that was reached around each instant, in seconds."""
    spans = [(ended - dt.timedelta(seconds=seconds), ended) for ended, seconds in silences]
    return [
        max(
            (
                (min(ended, centre + AROUND) - begun).total_seconds()
                for begun, ended in spans
                if begun < centre + AROUND and ended > centre - AROUND
            ),
            default=0.0,
        )
        for centre in centres
    ]
