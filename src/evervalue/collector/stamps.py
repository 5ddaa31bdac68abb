"""Instants of an event: four are kept, one is corrected for the sender's clock.

`originalTimestamp` is when it happened and `sentAt` when it was sent, both by the sender's clock; `receivedAt` is when
it came, by ours. `timestamp`, by which an event is placed, is receivedAt - (sentAt - originalTimestamp): how long ago
it was when it was sent, counted back from when it came (Segment spec, "Common fields", timestamps).
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def parsed(text: object) -> int | None:
    """Microseconds since 1970, UTC, of an ISO 8601 text; None where it is none. Without a zone it is UTC.

    >>> parsed("2024-03-01T12:00:00.5+01:00")
    1709290800500000
    >>> parsed("yesterday") is None
    True
    """
    if not isinstance(text, str):
        return None
    try:
        at = dt.datetime.fromisoformat(text)
        aware = at if at.tzinfo is not None else at.replace(tzinfo=dt.UTC)
        since = aware - EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    except (ValueError, OverflowError):
        return None


def corrected(original: int | None, sent: int | None, received: int) -> int:
    """When an event happened by our clock, microseconds since 1970.

    Without the instant of sending there is nothing to correct by; without an instant of its own an event happened when
    it was sent, which by our clock is when it came.

    >>> corrected(original=100, sent=130, received=1000)
    970
    """
    if original is None:
        return received
    if sent is None:
        return original
    return received - (sent - original)


def written(microseconds: int) -> str:
    """An instant as the log writes it: ISO 8601, UTC, to the millisecond.

    >>> written(1709290800500000)
    '2024-03-01T11:00:00.500Z'
    """
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_second(seconds)}.{rest // 1000:03}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """The second of an instant; events come in few different ones, and writing one takes as long as reading two."""
    return (EPOCH + dt.timedelta(seconds=seconds)).isoformat(timespec="seconds")[:19]
