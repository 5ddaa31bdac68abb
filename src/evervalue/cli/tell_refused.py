"""Tells of events in quarantine: how many for which reason, what mends it, and the events themselves."""

from __future__ import annotations

import datetime as dt
import json

from evervalue.cli import show
from evervalue.collector.mends import MENDS, OTHERWISE
from evervalue.collector.records import Log, Refused
from evervalue.collector.stamps import written
from evervalue.core.text import count

SHOWN = 100
"""Characters of an event in the table."""


def tell_refused(log: Log, source: str | None, most: int, *, as_json: bool) -> None:
    """The refused events of one source or of all.

    Parameters
    ----------
    log
        The event log.
    most
        How many events to show, the newest first; all are counted.
    as_json
        One object a line, with the event as it came, and nothing besides.
    """
    if as_json:
        for event in log.refused(source, most):
            print(_object(event))
        return
    reasons, events = log.reasons(source), log.refused(source, most)
    if not reasons:
        of = f" of {source}" if source else ""
        show.say(f"No event{of} is in quarantine.")
        return
    show.grid(
        ["source", "code", "events", "mend"],
        [[name, code, n, MENDS.get(code, OTHERWISE)] for name, code, n in reasons],
    )
    if events:
        total = sum(n for _, _, n in reasons)
        show.say(f"\nThe newest {len(events):,} of {count(total, 'event')}:")
        show.grid(
            ["number", "came", "source", "code", "says", "event"],
            [
                [e.refused_id, written(e.received_us), e.source, e.code, plain(e.says), _short(e.body)]
                for e in events
            ],
        )
    show.say("Whole: --format json. Each is mended where it is sent, and sent again.")


def plain(text: str) -> str:
    r"""The text, with `?` for what would steer a terminal.

    >>> plain("a\x1b[2Jb\u202e")
    'a?[2Jb?'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _short(body: bytes) -> str:
    text = plain(body[: 4 * SHOWN].decode("utf-8", "replace"))
    return text if len(body) <= SHOWN else f"{text[:SHOWN]}..."


def _object(event: Refused) -> str:
    """A refused event as JSON in ASCII, which steers no terminal; a body that is no JSON stands as text."""
    try:
        body = json.loads(event.body)
    except ValueError:
        body = event.body.decode("utf-8", "replace")
    at = dt.datetime.fromtimestamp(event.received_us / 1_000_000, dt.UTC).isoformat()
    return json.dumps(
        {
            "number": event.refused_id, "source": event.source, "received_at": at, "code": event.code,
            "says": event.says, "event": body,
        }
    )  # fmt: skip
