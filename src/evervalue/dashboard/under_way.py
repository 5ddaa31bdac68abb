"""What pages say of a run that is going on, or of how the last one ended."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from evervalue.core.clock import Clock
from evervalue.core.text import span
from evervalue.dashboard.links import to
from evervalue.pipeline.progress_file import read_progress

TOLD_SECONDS = 3600
"""How long a failed run is told on every page; the Runs page keeps it."""
STAGES = {
    "raw": "Reading the sources",
    "mapped": "Reading the sources",
    "run": "Writing down what the run is made of",
    "identity": "Joining records to customers",
    "curated": "Putting orders, costs and money in order",
    "customers": "Scoring customers",
    "models": "Fitting and testing models",
    "insight": "Finding what is worth knowing",
    "actions": "Finding whom to act on",
}


@dataclass(frozen=True)
class UnderWay:
    """The banner of a run."""

    state: str
    """running, failed, new (another run is shown now than on this page) or empty."""
    title: str
    says: str
    done: int
    of: int
    since: str
    every: int
    """Seconds until the page asks again."""
    run_id: str


QUIET = UnderWay("", "", "", 0, 0, "", 15, "")


def under_way(request: Request, seen: str) -> UnderWay:
    """What a page that shows the run `seen` (empty: none) says of runs now."""
    state = request.app.state
    publisher = state.reader.publisher
    clock: Clock = state.clock
    found = read_progress(publisher.data_dir, clock)
    if found is not None and found["state"] == "running":
        return _running(found)
    now = publisher.current_id() or ""
    if now and now != seen and (seen or (found is not None and found["state"] == "published")):
        return UnderWay(
            "new", "A new run is published.", "This page shows the one before.", 0, 0, "", 15, now
        )
    if found is not None and found["state"] in ("failed", "crashed") and _is_news(found, now, clock):
        title = "The last run failed." if found["state"] == "failed" else "The last run stopped."
        return UnderWay("failed", title, str(found["says"]), 0, 0, "", 15, str(found["run_id"]))
    return QUIET


def stage(step: str) -> str:
    """A step as people say it: a table by what its stage does, all else as it is."""
    schema, dot, _ = step.partition(".")
    return STAGES[schema] if dot and " " not in step and schema in STAGES else step


def _running(found: dict[str, Any]) -> UnderWay:
    since = span(found["seconds"], whole=True)
    done, of = int(found["done"]), int(found["of"])
    return UnderWay(
        "running", "A run is under way.", stage(str(found["step"])), done, of, since, 2, str(found["run_id"])
    )


def _is_news(found: dict[str, Any], current: str, clock: Clock) -> bool:
    ended = dt.datetime.fromisoformat(found["ended_at"])
    return (not found["run_id"] or str(found["run_id"]) > current) and (
        clock.now() - ended
    ).total_seconds() < TOLD_SECONDS


def here_of(request: Request) -> str:
    """The address of the page, or of the page that a part of it was asked for by."""
    if request.url.path.endswith("/runs/progress"):
        return request.headers.get("referer", "") or "."
    return to(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
