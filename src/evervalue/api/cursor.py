"""Keyset cursors: where a page of a sorted list begins, without counting the rows before it.

A cursor names the sort order, the last row's sort value and key, and the row's position (for display). It is
opaque to clients, checked when it comes back, and its value only ever becomes a bound parameter. Where names
or keys are so long that it would not fit in an address, it carries the key's digest alone, and the row is found by it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from evervalue.api.errors import BadRequest

LAST_POSITION = 2**53
LONGEST = 2000
"""Most characters of a cursor, given or taken."""


@dataclass(frozen=True)
class Cursor:
    """The row next to which a page lies."""

    sort: str
    value: str | None
    key: str
    position: int
    """Number of the row in the sorted list, from 1."""

    digested: bool = False
    """True where `key` is the digest of the row's key, and `value` is not known."""

    def encode(self) -> str:
        """The cursor as text that fits in a URL."""
        whole = _text([self.sort, self.value, self.key, self.position])
        if len(whole) <= LONGEST:
            return whole
        digest = hashlib.md5(self.key.encode(), usedforsecurity=False).hexdigest()
        return _text([self.sort, None, digest, self.position, True])


def _text(fields: list[object]) -> str:
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str, sort: str) -> Cursor:
    """The cursor that a client gave back, for the sort order it asks for.

    Raises
    ------
    BadRequest
        It is not one of ours, or belongs to another sort order.
    """
    try:
        found: Any = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text of ours
        of_sort, value, key, position, *digested = found
        cursor = Cursor(of_sort, value, key, position, bool(digested))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise BadRequest(
            "The cursor is not one that this server gave. Start again from the first page."
        ) from None
    good = (
        isinstance(of_sort, str)
        and isinstance(value, str | None)
        and isinstance(key, str)
        and isinstance(position, int)
        and 0 < position < LAST_POSITION
        and digested in ([], [True])
    )
    if not good or isinstance(position, bool):
        raise BadRequest("The cursor is not one that this server gave. Start again from the first page.")
    if of_sort != sort:
        raise BadRequest(
            f"The cursor belongs to the sort order '{of_sort}', not '{sort}'. Start from the first page."
        )
    return cursor
