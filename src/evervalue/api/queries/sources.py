"""Sources as they stand now: the run's findings, and the time that has gone by since, which no run sees.

A run judges a source when it reads it. When no run happens, nothing would ever be said to be late; so ages are
taken at the instant of asking, and a source without news for longer than is usual is in alarm even where the
last run found it as usual. What followers say of themselves between runs is held against the same instant.
Both are bound parameters, as any other.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal, NamedTuple

from evervalue.api.snapshots import Reading, Row, Statement
from evervalue.core.clock import Clock
from evervalue.pipeline import followed

TABLE = "run.sources"
STORED = (
    "source", "system", "kind", "place", "provides", "read_at", "last_news_at", "newest_at", "behind_seconds",
    "stale_after_seconds", "rows_came", "rows_read", "rows_stored", "rows_duplicate", "rows_quarantined",
    "rows_set_aside", "amount_unexplained",
)  # fmt: skip
"""Columns of `run.sources` that are answered as they are."""

SEEN = {
    "state": ("string", "worst state of its checks now: ok, learning, watch or alarm"),
    "state_says": ("string", "what the state is about, the worst first"),
    "worst_check": ("string", "the check that says it; empty where all is as usual"),
    "run_state": ("string", "its state as the run found it"),
    "failed": ("boolean", "whether it could not be read the last time"),
    "good_read_at": ("string", "when it could be read last, UTC"),
    "followed": (
        "string",
        "how its follower stands: live, retrying, stopped, silent or failed; null where none is meant to follow it",
    ),
    "lag_seconds": (
        "number",
        "time since the instant up to which all its changes are here: 0 where it is followed and nothing waits",
    ),
    "read_age_seconds": ("number", "time since it could be read last"),
    "news_age_seconds": ("number", "time since it brought something new last"),
}
"""What is found when it is asked for."""

KEPT_LOADS = 100
"""Loads in the answer about one source; `part=loads` gives all."""

CHECKS = ("reading", "following", "freshness", "volume", "refused", "empty_cells")
Part = Literal["source", "checks", "loads", "quarantine", "reconciliation"]


class Present(NamedTuple):
    """What the findings of a run are held against."""

    now: str
    """The present minute, UTC: fine enough for ages, and coarse enough to answer many readers from one result."""
    following: str = "[]"
    """What followers say of themselves, a list of objects as JSON."""


def minute(clock: Clock) -> str:
    """The present minute, UTC."""
    now = clock.now().astimezone(dt.UTC).replace(second=0, microsecond=0, tzinfo=None)
    return now.isoformat(sep=" ")


def present(clock: Clock, reading: Reading, data_dir: Path) -> Present:
    """The present, as questions about sources take it."""
    if not watched(reading):
        return Present(minute(clock))
    now = clock.now().astimezone(dt.UTC).replace(tzinfo=None)
    found = [
        {"source": name, **asdict(one), "seconds": None if one.seconds is None else round(one.seconds, 1)}
        for name, one in followed.seen(reading.rows(Statement(followed.READ, {})), data_dir, now).items()
    ]
    return Present(minute(clock), json.dumps(found, ensure_ascii=False))


def watched(reading: Reading) -> bool:
    """Whether the run watched its sources; runs of earlier versions did not."""
    return reading.has(TABLE)


def sources(at: Present) -> Statement:
    """Every source in one row, those in alarm first, at present."""
    return Statement(_with_states() + _ranked("from stated as s"), at._asdict())


def source(name: str, at: Present) -> Statement:
    """One source, at present."""
    sql = _with_states() + _ranked("from stated as s\nwhere s.source = $source")
    return Statement(sql, {**at._asdict(), "source": name})


def checks(name: str, at: Present) -> Statement:
    """What was looked at in a source, held against its history; its freshness and its follower at present."""
    sql = f"{_JUDGED}\nselect check_name, field, state, value, expected_low, expected_high, says\nfrom judged"
    order = f"order by {_place('check_name')}, {_severity('state')} desc, field"
    return Statement(f"{sql}\nwhere source = $source\n{order}", {**at._asdict(), "source": name})


def loads(name: str, limit: int | None = None) -> Statement:
    """What each load brought of a source, the latest first."""
    sql = """select read_at, run_id, rows_came, rows_came_refused, rows_read, behind_seconds, failed
from run.source_loads
where source = $source
order by read_at desc"""
    return Statement(sql + (f"\nlimit {limit}" if limit else ""), {"source": name})


def quarantine(name: str) -> Statement:
    """How many rows of a source are refused, by reason, the most first."""
    sql = "select reason, row_count\nfrom run.quarantine\nwhere source = $source\norder by row_count desc, reason"
    return Statement(sql, {"source": name})


def reconciliation(name: str) -> Statement:
    """Where the rows and the money of a source went."""
    return Statement("select *\nfrom curated.reconciliation\nwhere source = $source", {"source": name})


def part(name: Part, source_name: str, at: Present) -> Statement:
    """One part of what is known about a source."""
    if name == "source":
        return source(source_name, at)
    if name == "checks":
        return checks(source_name, at)
    return {"loads": loads, "quarantine": quarantine, "reconciliation": reconciliation}[name](source_name)


def in_alarm(reading: Reading, at: Present) -> list[Row]:
    """The sources that need attention now; none where the run did not watch them."""
    if not watched(reading):
        return []
    return [row for row in reading.rows(sources(at)) if row["state"] == "alarm"]


def _span(seconds: str) -> str:
    """SQL that says a time in words: '36 hours', '3.5 days'."""
    size = f"case when {seconds} < 7200 then 60 when {seconds} < 172800 then 3600 else 86400 end"
    unit = f"case when {seconds} < 7200 then ' minute' when {seconds} < 172800 then ' hour' else ' day' end"
    amount = f"round({seconds} / ({size}), 1)"
    return f"(format('{{:g}}', {amount}) || {unit} || case when {amount} = 1 then '' else 's' end)"


def _severity(state: str) -> str:
    return f"case {state} when 'alarm' then 3 when 'watch' then 2 when 'learning' then 1 else 0 end"


def _place(check: str) -> str:
    return f"list_position({list(CHECKS)}, {check})"


NULLABLE = ("followed", "lag_seconds", "good_read_at", "read_age_seconds", "news_age_seconds")
"""Findings of which there may be none yet."""

_TOLD = {
    "source": "VARCHAR", "followed": "VARCHAR", "seconds": "DOUBLE", "most": "DOUBLE", "state": "VARCHAR",
    "says": "VARCHAR",
}  # fmt: skip

# `greatest` passes over nulls: what never was would be now.
_AGE = "case when {0} is not null then greatest(epoch(cast($now as timestamp)) - epoch({0}), 0) end"
_LATE = "c.check_name = 'freshness' and a.news_age_seconds > c.expected_high"
_JUDGED = f"""with following as (
  select told.* from (select unnest(from_json(cast($following as varchar), '[{json.dumps(_TOLD)}]')) as told)
),
ages as (
  select s.source, g.good_read_at,
    {_AGE.format("g.good_read_at")} as read_age_seconds, {_AGE.format("s.last_news_at")} as news_age_seconds
  from run.sources as s
  left join (
    select source, max(read_at) as good_read_at from run.source_loads where failed is null group by source
  ) as g on g.source = s.source
),
judged as (
  select c.source, c.check_name, c.field,
    case when {_LATE} then 'alarm' else c.state end as state,
    case when c.check_name = 'freshness' then a.news_age_seconds else c.value end as value,
    c.expected_low, c.expected_high,
    case
      when {_LATE} then 'no news for ' || {_span("a.news_age_seconds")} || ', where '
        || {_span("c.expected_high")} || ' are usual at most'
      when c.check_name = 'freshness' and c.state = 'ok' then 'last news ' || {_span("a.news_age_seconds")} || ' ago'
      else c.says
    end as says
  from run.source_checks as c
  join ages as a on a.source = c.source
  union all
  select source, 'following', '', state, seconds, 0, most, says
  from following
)"""


def _with_states() -> str:
    worst_first = f"order by {_severity('state')} desc, {_place('check_name')}, field"
    return f"""{_JUDGED},
worst as (
  select source, max({_severity("state")}) as severity,
    first(check_name {worst_first}) as check_name,
    string_agg(says, '; ' {worst_first}) as says
  from judged
  where state in ('alarm', 'watch')
  group by source
),
stated as (
  select s.*, a.good_read_at, a.read_age_seconds, a.news_age_seconds, f.followed,
    case
      when f.source is not null then f.seconds
      when s.behind_seconds is not null
        then greatest(epoch(cast($now as timestamp)) - epoch(s.read_at), 0) + s.behind_seconds
    end as lag_seconds,
    case w.severity when 3 then 'alarm' when 2 then 'watch' else s.state end as seen_state,
    coalesce(w.says, s.state_says) as seen_says, coalesce(w.check_name, '') as worst_check
  from run.sources as s
  join ages as a on a.source = s.source
  left join worst as w on w.source = s.source
  left join following as f on f.source = s.source
)
"""


def _ranked(rest: str) -> str:
    columns = ", ".join(f"s.{name}" for name in STORED)
    return f"""select {columns},
  s.seen_state as state, s.seen_says as state_says, s.worst_check, s.state as run_state,
  s.worst_check = 'reading' as failed, s.followed, s.lag_seconds, s.good_read_at, s.read_age_seconds, s.news_age_seconds
{rest}
order by {_severity("s.seen_state")} desc, s.source"""
