"""Sources of events as they stand now: what became of all that they sent, how long they are silent, and the collector.

The counts come from the collector's log at the moment of asking, not from a run. They are bound as one parameter, as
any other, so that page, JSON and files are made of the same rows.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evervalue.api.snapshots import Row, Statement
from evervalue.collector.records import Log
from evervalue.core.clock import Clock
from evervalue.pipeline import collecting
from evervalue.pipeline.collecting import Collecting, CollectorSeen

COLUMNS = {
    "source": ("VARCHAR", "name of the source, which its write keys were made for"),
    "state": ("VARCHAR", "ok, learning, watch or alarm, now"),
    "state_says": ("VARCHAR", "what the state is about"),
    "worst_check": ("VARCHAR", "silence or accounts; empty where all is as usual"),
    "accepted": ("BIGINT", "events that came: stored + duplicate + quarantined"),
    "stored": ("BIGINT", "events in the log"),
    "duplicate": ("BIGINT", "events that were there already"),
    "quarantined": ("BIGINT", "events that could not be taken, kept with the reason"),
    "unaccounted": ("BIGINT", "accepted less the other three; anything but 0 is an alarm"),
    "last_event_at": ("TIMESTAMP", "when it last sent something, UTC, to a few seconds"),
    "silent_seconds": ("DOUBLE", "time since, without that in which no collector listened; whole minutes"),
    "silence_watch_seconds": ("DOUBLE", "silence from which on it is to be watched at this time of the week"),
    "silence_alarm_seconds": ("DOUBLE", "silence from which on it is in alarm at this time of the day"),
    "silence_is_set": ("BOOLEAN", "whether the settings say it; else it was learnt"),
}
"""Column: its type, and what it says."""

COLLECTOR = "collector"
"""What the collector is called among those that need attention."""
STATES = ("ok", "learning", "watch", "alarm")
SEVERITY = f"list_position({list(STATES)}, told.state)"
_TYPES = json.dumps({name: kind for name, (kind, _) in COLUMNS.items()})


def present(clock: Clock, data_dir: Path, open_log: Callable[[], Log | None] | None = None) -> Collecting:
    """How the collector and its sources stand now; `open_log` opens the log, where it lies in a database."""
    return collecting.seen(data_dir, clock.now().astimezone(dt.UTC), open_log)


def event_sources(found: Collecting) -> Statement:
    """Every source of events in one row, those in alarm first."""
    sql = f"""select told.*
from (select unnest(from_json(cast($events as varchar), '[{_TYPES}]')) as told)
order by {SEVERITY} desc, told.source"""
    return Statement(sql, {"events": json.dumps(rows(found), default=str, ensure_ascii=False)})


def rows(found: Collecting) -> list[Row]:
    """The same as rows."""
    worst_first = sorted(found.sources, key=lambda one: (-STATES.index(one.state), one.source))
    return [
        {
            **asdict(one),
            "last_event_at": one.last_event_at and one.last_event_at.replace(tzinfo=None, microsecond=0),
            "silent_seconds": None if one.silent_seconds is None else one.silent_seconds // 60 * 60,
        }
        for one in worst_first
    ]


def collector(one: CollectorSeen | None) -> dict[str, Any] | None:
    """The collector, for the description of an answer."""
    return None if one is None else {
        "state": one.state, "says": one.says, "address": one.address,
        "canary_seconds": None if one.canary_seconds is None else round(one.canary_seconds, 4),
        "canary_success_at": one.canary_success_at and one.canary_success_at.isoformat(timespec="seconds"),
    }  # fmt: skip


def in_alarm(found: Collecting) -> list[Row]:
    """The sources of events that need attention now, and the collector where it does, as alarms of other sources."""
    alarms: list[Row] = []
    if found.collector is not None and found.collector.state == "alarm":
        alarms.append(
            {
                "source": COLLECTOR,
                "worst_check": COLLECTOR,
                "state": "alarm",
                "state_says": found.collector.says,
            }
        )
    alarms += [row for row in rows(found) if row["state"] == "alarm"]
    return [
        {**row, "href": "/sources#events-title", "news_age_seconds": row.get("silent_seconds")}
        for row in alarms
    ]
