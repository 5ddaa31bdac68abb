"""From a record of a stream to events and refusals: as a request's body is judged, and never a stop.

A message without a messageId gets one made of the record's place in its stream, so that a second delivery of the record
is a duplicate. An event is placed by when the stream took it, not by when we came to read it; a message that carries a
`receivedAt` of its own, as what was collected elsewhere does, is placed by that.
"""

from __future__ import annotations

import hashlib
from typing import Any

from evervalue.collector.messages import LARGEST_BATCH, Refusal
from evervalue.collector.requests import Judged, TooLarge, Unreadable, decoded, judge, parsed
from evervalue.collector.stamps import parsed as instant
from evervalue.collector.streams.reader import Record

GZIP = b"\x1f\x8b"


def judged(record: Record) -> Judged:
    """What became of the messages of a record; a record that cannot be read at all is one refusal."""
    try:
        return _judged(parsed(_plain(record.body)), record)
    except TooLarge as error:
        return _refused("too_large", str(error), record)
    except Unreadable as error:
        return _refused("unreadable", str(error).replace("The body", "The record"), record)
    except Exception as error:  # whatever is in a record, the ones behind it are read
        return _refused("unreadable", f"The record cannot be read: {type(error).__name__}.", record)


def _plain(body: bytes) -> bytes:
    if not body:
        raise Unreadable("The body is empty.")
    if body[:2] == GZIP:
        return _decoded(body)
    if len(body) > LARGEST_BATCH:
        raise TooLarge(f"A record may have at most {LARGEST_BATCH // 1024} KB.")
    return body


def _decoded(body: bytes) -> bytes:
    try:
        return decoded(body, "gzip")
    except TooLarge:
        raise TooLarge(f"A record may have at most {LARGEST_BATCH // 1024} KB, unpacked.") from None
    except Unreadable:
        raise Unreadable("The body begins as gzip does and cannot be unpacked.") from None


def _judged(value: Any, record: Record) -> Judged:
    batch = value.get("batch") if isinstance(value, dict) else None
    if not isinstance(batch, list):
        named = _named(value, record, 0)
        return judge({"batch": [named]}, None, _received(named, record))
    messages = [_named(message, record, place) for place, message in enumerate(batch)]
    if not any(isinstance(m, dict) and "receivedAt" in m for m in messages):
        return judge({**value, "batch": messages}, None, _received(value, record))
    whole = Judged()
    for message in messages:
        one = judge({**value, "batch": [message]}, None, _received(message, record))
        whole.taken += one.taken
        whole.refused += one.refused
    return whole


def _named(message: Any, record: Record, place: int) -> Any:
    """The message, with a messageId that it has whenever the record is delivered."""
    if not isinstance(message, dict) or message.get("messageId") not in (None, ""):
        return message
    digest = hashlib.sha256(f"{record.name}|{place}".encode()).hexdigest()
    return {**message, "messageId": f"ev-{digest[:40]}"}


def _received(value: Any, record: Record) -> int:
    """When a message came: what it says itself, unless that is later than the stream took it."""
    own = instant(value.get("receivedAt")) if isinstance(value, dict) else None
    return own if own is not None and 0 <= own <= record.arrived_us else record.arrived_us


def _refused(code: str, says: str, record: Record) -> Judged:
    return Judged(refused=[Refusal(code, says, record.body)])
