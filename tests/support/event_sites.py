"""The watched shop with a collector beside it: a web site that sends, and a till that has fallen silent."""

from __future__ import annotations

import atexit
import datetime as dt
import functools
import shutil
import tempfile
from pathlib import Path

from evervalue.collector import standing
from evervalue.collector.log import LOG, EventLog
from evervalue.collector.messages import Event, Refusal
from evervalue.collector.records import Delivery
from evervalue.collector.standing import SourceStanding, Standing
from tests.support.watched import LAST, watched_data

AT = LAST + dt.timedelta(hours=3)
"""When the pages are looked at."""


def event(name: str) -> Event:
    return Event(name, "page", 0, "u", b"{}")


@functools.cache
def events_data() -> Path:
    """The data directory: the till sent nothing for five hours, where two are usual."""
    folder = Path(tempfile.mkdtemp(prefix="evervalue-event-sites-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    data = folder / "data"
    shutil.copytree(watched_data(), data)
    log = EventLog(data / LOG)
    log.write([
        Delivery("web", 1, [event("a"), event("b"), event("a")], [Refusal("no_event", "It has no name.", b"{}")]),
        Delivery("till", 1, [event("a")]),
        Delivery("_canary", 1, [event("c")]),
    ])  # fmt: skip
    log.close()
    say(data, AT)
    return data


def say(data: Path, told: dt.datetime, fault: str = "", *, stopped: bool = False) -> None:
    """Write what the collector says of itself at the instant `told`."""

    def source(hours: float, alarm: float | None) -> SourceStanding:
        last = AT - dt.timedelta(hours=hours)
        return SourceStanding(last, 1, last, None, alarm, False, False)

    standing.write(data, Standing(
        told, AT - dt.timedelta(days=2), "http://127.0.0.1:8766/", stopped, told, 0.0123,
        told - dt.timedelta(seconds=10), fault, {"web": source(0.05, None), "till": source(5, 7200.0)},
    ))  # fmt: skip
