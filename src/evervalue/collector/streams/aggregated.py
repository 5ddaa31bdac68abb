"""Records that the Kinesis Producer Library has put into one: taken apart again.

Its format is published (amazon-kinesis-producer, aggregation-format.md): four bytes, a Protocol Buffers message, and
the MD5 of that message. Of the message only the records' data is wanted: field 3, and in it field 3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

MAGIC = b"\xf3\x89\x9a\xc2"
DIGEST_BYTES = 16
RECORDS = DATA = 3
VARINT, BYTES = 0, 2
SKIPPED = {1: 8, 5: 4}
"""Wire types of a fixed length, which the format does not use."""


def records_in(body: bytes) -> list[bytes] | None:
    """The bodies that a record holds; None where it is no aggregate, or a damaged one."""
    if body[: len(MAGIC)] != MAGIC or len(body) < len(MAGIC) + DIGEST_BYTES:
        return None
    message = body[len(MAGIC) : -DIGEST_BYTES]
    if hashlib.md5(message, usedforsecurity=False).digest() != body[-DIGEST_BYTES:]:
        return None
    try:
        return [
            data
            for number, record in _fields(message)
            if number == RECORDS
            for field, data in _fields(record)
            if field == DATA
        ]
    except (IndexError, ValueError):
        return None


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each field that has a length; others are passed over.

    Raises
    ------
    ValueError
        It breaks off, or is of no known type.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == VARINT:
            _, at = _varint(message, at)
        elif kind == BYTES:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("a field breaks off")
            yield key >> 3, message[at : at + length]
            at += length
        elif kind in SKIPPED:
            at += SKIPPED[kind]
        else:
            raise ValueError(f"no wire type {kind}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
