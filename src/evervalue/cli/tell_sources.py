"""Tells of sources: their state and age, their files, and how doubts in their columns were settled."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

from evervalue.cli import show
from evervalue.core.clock import Clock
from evervalue.core.text import count, span
from evervalue.pipeline import collecting
from evervalue.pipeline.event_log import found_log
from evervalue.pipeline.followed import seen_in
from evervalue.pipeline.settings import Project
from evervalue.sources.changes.standing import Seen
from evervalue.sources.changes.watch import Lag
from evervalue.warehouse.duckdb import Connection

SIGNS = {"ok": "✓ as usual", "learning": "… learning", "watch": "! watch", "alarm": "✗ alarm"}


def tell_sources(snapshot: Connection, data_dir: Path, clock: Clock) -> None:
    """Every source of a published run in one row; its age, and how far behind it is, are told as of now."""
    now = clock.now().replace(tzinfo=None)
    there = snapshot.execute(
        "select 1 from duckdb_tables() where schema_name = 'run' and table_name = 'sources'"
    ).fetchone()
    if not there:
        show.say("The published run is of an earlier version, which did not watch its sources. Run again.")
        return
    rows = snapshot.execute(
        "select source, kind, place, state, read_at, last_news_at, newest_at, stale_after_seconds, rows_came, "
        "rows_read, rows_stored, rows_duplicate, rows_quarantined, rows_set_aside, behind_seconds, state_says "
        "from run.sources order by source"
    ).fetchall()
    followed = seen_in(snapshot, data_dir, now)
    shown = []
    for source, kind, place, state, read_at, news_at, newest, stale, *counts, behind, _ in rows:
        late = stale is not None and news_at is not None and (now - news_at).total_seconds() > stale
        follower = followed.get(source)
        worst = max("alarm" if late else state, follower.state if follower else "ok", key=list(SIGNS).index)
        lag = lag_words(follower, behind, (now - read_at).total_seconds())
        shown.append(
            [source, kind, place, SIGNS[worst], ago(read_at, now), ago(news_at, now), lag, newest, *counts]
        )
    names = "source|kind|place|state|read|last news|behind|newest|came|read|stored|duplicate|quarantined|set aside"
    show.grid(names.split("|"), shown)
    for source, _, _, state, _, news_at, _, stale, *_, says in rows:
        if (follower := followed.get(source)) and follower.state != "ok":
            show.warn(f"{source} {follower.says}")
        late = stale is not None and news_at is not None and (now - news_at).total_seconds() > stale
        if late and state != "alarm":
            show.warn(
                f"{source}: last news {ago(news_at, now)}; {stale / 3600:,.1f} hours without would be usual at most"
            )
        elif state in ("alarm", "watch"):
            show.warn(f"{source}: {says}")


def tell_events(project: Project, clock: Clock) -> None:
    """Every source of events in one row, then the collector; nothing where there is neither."""
    now = clock.now()
    found = collecting.seen(project.data_dir, now, lambda: found_log(project))
    names = "source of events|state|last event|silence|accepted|= stored|+ duplicate|+ quarantined"
    if found.sources:
        show.grid(
            names.split("|"),
            [
                [
                    one.source, SIGNS[one.state],
                    ago(one.last_event_at.replace(tzinfo=None), now.replace(tzinfo=None)) if one.last_event_at else "",
                    f"{span(one.silence_alarm_seconds)} at most" if one.silence_alarm_seconds is not None else "",
                    one.accepted, one.stored, one.duplicate, one.quarantined,
                ]
                for one in found.sources
            ],
        )  # fmt: skip
    if found.collector is not None:
        (show.say if found.collector.state == "ok" else show.warn)(f"The collector {found.collector.says}")
    for one in found.sources:
        if one.state in ("alarm", "watch"):
            show.warn(f"{one.source}: {one.state_says}")


def lag_words(follower: Seen | None, behind: float | None, read_ago: float) -> str:
    """How far behind a source is now, in words; empty where it is not read by its changes.

    >>> (
    ...     lag_words(Seen("live", 0.0, 900.0, "ok", ""), 0.0, 60),
    ...     lag_words(None, 2.0, 58),
    ...     lag_words(None, None, 9),
    ... )
    ('nothing waits', '60 seconds', '')
    """
    if follower is not None:
        if follower.seconds is None:
            return "not known yet"
        return span(follower.seconds) if follower.seconds else "nothing waits"
    return "" if behind is None else span(behind + max(0.0, read_ago))


class Lags:
    """Tells how far each followed source is behind: every batch that brought something, and once a minute of quiet."""

    def __init__(self) -> None:
        self.quiet: dict[str, int] = {}

    def __call__(self, lag: Lag) -> None:
        """Tell of one source."""
        quiet = self.quiet.get(lag.source, 0)
        self.quiet[lag.source] = 0 if lag.changes else quiet + 1
        if not lag.changes and quiet % 6:
            return
        show.say(f"{lag.source}: {count(lag.changes, 'change')} applied; {standing_words(lag)}")


def standing_words(lag: Lag) -> str:
    """How far behind a source is after a batch.

    >>> [
    ...     standing_words(Lag("shop", 0, *waits))
    ...     for waits in ((0, 0.0), (2_048, 75.0), (None, 3.0), (9, None))
    ... ]
    ['nothing waits', '75 seconds behind (2,048 bytes of its log)', '3 seconds behind', '9 bytes of its log wait']
    """
    if lag.seconds == 0:
        return "nothing waits"
    if lag.seconds is None:
        return (
            "how far behind is not known yet" if lag.bytes is None else f"{lag.bytes:,} bytes of its log wait"
        )
    of_log = f" ({lag.bytes:,} bytes of its log)" if lag.bytes else ""
    return f"{span(lag.seconds)} behind{of_log}"


def ago(then: dt.datetime | None, now: dt.datetime) -> str:
    """How long ago an instant was, in the two largest units.

    >>> noon = dt.datetime(2024, 3, 1, 12)
    >>> [ago(noon - dt.timedelta(seconds=s), noon) for s in (5, 130, 7_500, 200_000)]
    ['5 s ago', '2 min 10 s ago', '2 h 5 min ago', '2 d 7 h ago']
    """
    if then is None:
        return "never"
    seconds = max(0, int((now - then).total_seconds()))
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    place = next((i for i, (_, size) in enumerate(units) if seconds >= size), len(units) - 1)
    parts = [f"{seconds // units[place][1]} {units[place][0]}"]
    if place + 1 < len(units) and (rest := seconds % units[place][1] // units[place + 1][1]):
        parts.append(f"{rest} {units[place + 1][0]}")
    return f"{' '.join(parts)} ago"


def tell_files(con: Connection) -> None:
    """Every file, object and range that was read."""
    show.grid(
        ["source", "file", "format", "encoding", "delimiter", "bytes", "rows", "status"],
        con.execute(
            "select source, path, format, encoding, case delimiter when chr(9) then 'tab' else delimiter end, bytes, "
            "rows_read, status from raw.files order by source, path, status"
        ).fetchall(),
    )


def tell_notes(con: Connection) -> Iterator[str]:
    """How each doubt in a column was settled, in sentences."""
    for source, report in con.execute("select source, report from raw.mappings order by source").fetchall():
        for note in json.loads(report)["notes"]:
            yield f"{source}: {note}."
