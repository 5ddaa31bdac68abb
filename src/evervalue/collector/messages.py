"""One message of the tracking API: what it must be, and what the log keeps of it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from evervalue.collector.stamps import corrected, parsed, written

TYPES = ("track", "identify", "page", "screen", "group", "alias")
HALF = re.compile("[\ud800-\udfff]")
LARGEST_EVENT = 32 * 1024
LARGEST_BATCH = 500 * 1024
MOST_EVENTS = 2500
LONGEST_ID = 100
OBJECTS = ("properties", "traits", "context", "integrations")
LARGEST_EXACT = 2**53
"""From here on neighbouring whole numbers are one double."""
FARTHEST = 253402300799_000000
"""The last second of the year 9999."""


@dataclass(frozen=True, slots=True)
class Event:
    """A message that is taken."""

    message_id: str
    type: str
    at_us: int
    """When it happened, corrected for the sender's clock; microseconds since 1970, UTC."""
    who: str | None
    """Whose it is: the userId, else the anonymousId, as a text; None where neither can be a key in a table."""
    body: bytes
    """The message as JSON, with its four instants."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that is not taken, and why; it is kept in quarantine."""

    code: str
    says: str
    body: bytes


def read_json(body: bytes) -> Any:
    """The JSON value of a body.

    Raises
    ------
    ValueError
        It is none. Halves of surrogate pairs, which browsers may send, are taken as the replacement character; in a
        messageId as they are written in JSON, so that two ids that differ in a half stay two.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if b"\\u" not in body:
            raise
    value = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    for message in _messages(value):
        if isinstance(message, dict) and isinstance(message.get("messageId"), str):
            message["messageId"] = HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", message["messageId"])
    text = json.dumps(value, ensure_ascii=False)
    return orjson.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _messages(value: Any) -> list[Any]:
    """What may be messages in a body: itself, and those of a batch."""
    if not isinstance(value, dict):
        return []
    batch = value.get("batch")
    return [value, *batch] if isinstance(batch, list) else [value]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def judged(message: Any, type: str | None, *, sent: object, received_us: int) -> Event | Refusal:
    """The event that a message is, or why it is none.

    Parameters
    ----------
    message
        What stood in the request.
    type
        What the route says that it is; None where the message says it itself (in a batch).
    sent
        `sentAt` of the batch, for messages without their own.
    received_us
        When it came, microseconds since 1970, UTC.
    """
    if not isinstance(message, dict):
        return _refused(message, "not_an_object", "An event must be a JSON object.")
    kind = type or message.get("type") or message.get("action")  # which it was called once
    if kind not in TYPES:
        return _refused(message, "unknown_type", f"'type' must be one of {', '.join(TYPES)}.")
    message_id = message.get("messageId")
    if message_id is None or message_id == "":
        message_id = f"ev-{uuid.uuid4()}"
    elif not isinstance(message_id, str) or len(message_id) > LONGEST_ID:
        return _refused(
            message, "bad_message_id", f"'messageId' must be a text of at most {LONGEST_ID} characters."
        )
    fault = _fault(message, kind)
    if fault is not None:
        return _refused(message, *fault)
    own_sent = message.get("sentAt") or sent
    original = message.get("originalTimestamp") or message.get("timestamp")
    original_us, sent_us = parsed(original), parsed(own_sent)
    if original is not None and original_us is None:
        return _refused(message, "bad_timestamp", "'timestamp' must be an instant as ISO 8601 writes it.")
    at_us = corrected(original_us, sent_us, received_us)
    if not 0 <= at_us <= FARTHEST:
        return _refused(
            message, "absurd_timestamp", "By 'timestamp' and 'sentAt' it happened before 1970 or after 9999."
        )
    stored = message.copy()
    stored.pop("writeKey", None)
    stored.update(
        type=kind, messageId=message_id, timestamp=written(at_us), receivedAt=written(received_us),
        originalTimestamp=original, sentAt=own_sent if sent_us is not None else None,
    )  # fmt: skip
    try:
        body = orjson.dumps(stored)
    except orjson.JSONEncodeError:
        return _refused(message, "not_json", "The event is nested too deeply.")
    if len(body) > LARGEST_EVENT:
        return Refusal("too_large", f"An event may have at most {LARGEST_EVENT // 1024} KB.", body)
    return Event(message_id, kind, at_us, who_of(message), body)


def who_of(message: Mapping[str, Any]) -> str | None:
    """Whose an event is, as the tables call them: the userId, else the anonymousId."""
    return id_of(message.get("userId")) or id_of(message.get("anonymousId"))


def id_of(value: object) -> str | None:
    """What names somebody, as a text: no yes or no, no list, and no number that is broken or too large to be exact."""
    if isinstance(value, str):
        return value.strip(" ") or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float):
        return str(int(value)) if abs(value) < LARGEST_EXACT and value == int(value) else None
    return str(value)


def _fault(message: dict[str, Any], kind: str) -> tuple[str, str] | None:
    """Code and sentence of what the message lacks, or holds in another form than the specification says."""
    if not _named(message.get("userId")) and not _named(message.get("anonymousId")):
        return "no_user_anon_id", "An event must say whose it is: 'userId' or 'anonymousId'."
    if kind == "track" and not (isinstance(message.get("event"), str) and message["event"]):
        return "no_event", "A track event must have a name: 'event'."
    if kind == "group" and not _named(message.get("groupId")):
        return "no_group_id", "A group event must say which group: 'groupId'."
    if kind == "alias" and not _named(message.get("previousId")):
        return "no_previous_id", "An alias must say who it was before: 'previousId'."
    for name in OBJECTS:
        value = message.get(name)
        if value is not None and not isinstance(value, dict):
            return "not_an_object", f"'{name}' must be a JSON object."
    return None


def _named(value: object) -> bool:
    """Whether a value can stand for somebody: a text that is not empty, or a number."""
    return (isinstance(value, str) and value != "") or (
        isinstance(value, int | float) and not isinstance(value, bool)
    )


def kept(value: object) -> bytes:
    """What quarantine keeps of a value.

    Raises
    ------
    RecursionError
        It is nested some thousand levels deep.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # more than 254 levels
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _refused(message: object, code: str, says: str) -> Refusal:
    return Refusal(code, says, kept(message))
