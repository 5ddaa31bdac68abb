"""From the bytes of a request to what is stored of it: decoding, the key, the messages and their verdicts."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evervalue.collector.messages import (
    LARGEST_BATCH,
    LARGEST_EVENT,
    MOST_EVENTS,
    Event,
    Refusal,
    judged,
    kept,
    read_json,
)

ROUTES: Mapping[str, str | None] = {
    **{f"/v1/{type}": type for type in ("track", "identify", "page", "screen", "group", "alias")},
    **{f"/v1/{short}": type for short, type in zip("tipgas", ("track", "identify", "page", "group", "alias", "screen"),
                                                   strict=True)},
    "/v1/batch": None,
    "/v1/b": None,
    "/v1/import": None,
}  # fmt: skip
"""Path: the type of its event, None where a batch comes."""
LARGEST_MERGED = 8 * 1024 * 1024
"""What the context of a batch may come to once it is in each of its events, in bytes."""


class TooLarge(ValueError):
    """A body beyond the limit."""


class Unreadable(ValueError):
    """A body that is not what its headers say."""


@dataclass
class Judged:
    """What became of the messages of a request."""

    taken: list[Event] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    """For the answer: which message was refused and why."""


def decoded(body: bytes, encoding: str) -> bytes:
    """The body without its compression.

    Raises
    ------
    TooLarge
        It has more than the 500 KB of a batch.
    Unreadable
        It is not compressed as the header says, or in a way that we do not know.
    """
    if encoding in ("", "identity"):
        plain = body
    elif encoding in ("gzip", "x-gzip", "deflate"):
        opened = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # finds out itself whether it is gzip or zlib
        try:
            plain = opened.decompress(body, LARGEST_BATCH + 1)
        except zlib.error:
            raise Unreadable(f"The body is not {encoding}, as Content-Encoding says.") from None
        if len(plain) <= LARGEST_BATCH and not opened.eof:
            raise Unreadable(f"The {encoding} body breaks off.")
        if opened.unused_data:
            raise Unreadable(f"The {encoding} body goes on behind its end; send all of it as one.")
    else:
        raise Unreadable(f"Content-Encoding '{encoding[:40]}' is not known here; send gzip, or none.")
    if len(plain) > LARGEST_BATCH:
        raise TooLarge(f"A request may have at most {LARGEST_BATCH // 1024} KB.")
    return plain


def basic_key(header: str) -> str | None:
    """The write key of an Authorization header: the user name of Basic, or what follows Bearer."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return text.partition(":")[0] or None


def body_key(value: Any) -> str | None:
    """The write key that stands in the body, as browsers send it."""
    key = value.get("writeKey") if isinstance(value, dict) else None
    return key if isinstance(key, str) and key else None


def parsed(body: bytes) -> Any:
    """The JSON value of a body.

    Raises
    ------
    Unreadable
        It is none.
    """
    try:
        return read_json(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"The body is no JSON: {str(error)[:200]}.") from None


def judge(value: Any, type: str | None, received_us: int) -> Judged:
    """The messages of a request, each taken or refused.

    Raises
    ------
    Unreadable
        It is nested so deeply that it cannot be written again.
    """
    try:
        return _judged(value, type, received_us)
    except RecursionError:
        raise Unreadable("The body is nested too deeply.") from None


def _judged(value: Any, type: str | None, received_us: int) -> Judged:
    if type is not None:
        return _each([value], type, None, received_us)
    messages = value.get("batch") if isinstance(value, dict) else None
    if not isinstance(messages, list):
        return _whole(value, "no_batch", "A batch must be a JSON object with a list 'batch'.")
    if len(messages) > MOST_EVENTS:
        return _whole(value, "too_many", f"A batch may hold at most {MOST_EVENTS:,} events.")
    context = value.get("context")
    if isinstance(context, dict):
        weighs = len(kept(context))
        if weighs > LARGEST_EVENT:
            return _whole(
                value, "too_large", f"The 'context' of a batch may have at most {LARGEST_EVENT // 1024} KB."
            )
        if weighs * len(messages) > LARGEST_MERGED:
            says = (
                f"The 'context' of a batch is put into each of its events: {len(messages):,} times {weighs:,} bytes is "
                f"more than {LARGEST_MERGED // 1024**2} MB. Send fewer events at once."
            )
            return _whole(value, "too_large", says)
        messages = [_with_context(m, context) for m in messages]
    return _each(messages, None, value.get("sentAt"), received_us)


def _with_context(message: Any, context: dict[str, Any]) -> Any:
    """The message with the context of its batch below its own; as it is where its own is no object."""
    own = message.get("context") if isinstance(message, dict) else 0
    if own is None:
        return {**message, "context": context}
    return {**message, "context": {**context, **own}} if isinstance(own, dict) else message


def _each(messages: list[Any], type: str | None, sent: object, received_us: int) -> Judged:
    found = Judged()
    for index, message in enumerate(messages):
        verdict = judged(message, type, sent=sent, received_us=received_us)
        if isinstance(verdict, Event):
            found.taken.append(verdict)
            continue
        found.refused.append(verdict)
        message_id = message.get("messageId") if isinstance(message, dict) else None
        found.errors.append(
            {
                "index": index,
                "messageId": message_id if isinstance(message_id, str) else None,
                "code": verdict.code,
                "message": verdict.says,
            }
        )
    return found


def _whole(value: Any, code: str, says: str) -> Judged:
    error = {"index": None, "messageId": None, "code": code, "message": says}
    return Judged(refused=[Refusal(code, says, kept(value))], errors=[error])
