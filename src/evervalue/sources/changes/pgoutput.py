"""Messages of PostgreSQL's logical replication protocol (plugin pgoutput, versions 1 and 2), decoded from bytes.

Source: PostgreSQL documentation, "Logical Replication Message Formats". Pure: bytes in, values out. Values of columns
stay the text that the server wrote, as bytes; what a type means is decided where rows are stored.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from evervalue.core.errors import InputError

UNCHANGED: Final = object()
"""Stands for a value that was stored out of line (TOAST), did not change and was not sent."""

Values = list["bytes | object | None"]
"""A value a column: bytes, None, or UNCHANGED."""

_u16 = struct.Struct(">H").unpack_from
_u32 = struct.Struct(">I").unpack_from
_i32 = struct.Struct(">i").unpack_from
_begin = struct.Struct(">QqI").unpack_from
_commit = struct.Struct(">BQQq").unpack_from
_stream_commit = struct.Struct(">IBQQq").unpack_from


class Begin(NamedTuple):
    """A transaction begins."""

    final_lsn: int
    """Position of its commit, by which transactions are ordered."""
    committed_at: int
    """Microseconds since 2000-01-01, UTC."""
    xid: int


class Commit(NamedTuple):
    """A transaction ends."""

    lsn: int
    end_lsn: int
    """Where the next one may begin: what is acknowledged."""
    committed_at: int


class Column(NamedTuple):
    """A column as a relation message describes it."""

    is_key: bool
    name: str
    type_id: int
    modifier: int


class Relation(NamedTuple):
    """The shape of a table from here on, until it is described anew."""

    id: int
    schema: str
    name: str
    identity: str
    """d: primary key, i: an index, f: all columns, n: none."""
    columns: tuple[Column, ...]


class Insert(NamedTuple):
    """A row came."""

    relation: int
    new: Values


class Update(NamedTuple):
    """A row changed; `old` is its key (kind K) where that changed, all of it (O) under identity FULL, or None."""

    relation: int
    kind: str
    old: Values | None
    new: Values


class Delete(NamedTuple):
    """A row went; `old` is its key (kind K) or all of it (O)."""

    relation: int
    kind: str
    old: Values


class Truncate(NamedTuple):
    """Tables were emptied."""

    relations: tuple[int, ...]
    cascade: bool
    restart: bool


class Type(NamedTuple):
    """The name of a type that is not built in."""

    id: int
    schema: str
    name: str


class Origin(NamedTuple):
    """The transaction came here by replication."""

    lsn: int
    name: str


class Message(NamedTuple):
    """Something a program wrote into the stream; not ours."""

    transactional: bool
    lsn: int
    prefix: str
    content: bytes


class StreamStart(NamedTuple):
    """A piece of a transaction that is not committed yet begins."""

    xid: int
    first: bool


class StreamStop(NamedTuple):
    """The piece ends."""


class StreamCommit(NamedTuple):
    """A transaction that came in pieces is committed."""

    xid: int
    lsn: int
    end_lsn: int
    committed_at: int


class StreamAbort(NamedTuple):
    """A transaction that came in pieces, or a part of one (subxid), is taken back."""

    xid: int
    subxid: int


Decoded = (
    Begin | Commit | Relation | Insert | Update | Delete | Truncate | Type | Origin | Message
    | StreamStart | StreamStop | StreamCommit | StreamAbort
)  # fmt: skip


def decode(data: bytes, *, in_stream: bool = False) -> tuple[Decoded, int | None]:
    """The message, and the transaction it belongs to where it came between StreamStart and StreamStop.

    Raises
    ------
    InputError
        The bytes are not a whole message of the protocol.
    """
    try:
        return _decode(data, in_stream)
    except (struct.error, IndexError, ValueError) as error:
        raise InputError(
            f"A message of the replication stream cannot be read ({len(data):,} bytes, "
            f"kind {data[:1]!r}): {error}. The server may speak a newer protocol; nothing of its transaction was taken."
        ) from None


def _decode(data: bytes, in_stream: bool) -> tuple[Decoded, int | None]:
    kind = data[:1]
    at, xid = 1, None
    if in_stream and kind in b"RYIUDTM":
        xid, at = _u32(data, 1)[0], 5
    end = at
    message: Decoded
    if kind == b"I":
        new, end = _tuple(data, _expect(data, at + 4, b"N"))
        message = Insert(_u32(data, at)[0], new)
    elif kind == b"U":
        relation, mark = _u32(data, at)[0], data[at + 4 : at + 5]
        old: Values | None = None
        end = at + 4
        if mark in (b"K", b"O"):
            old, end = _tuple(data, at + 5)
        new, end = _tuple(data, _expect(data, end, b"N"))
        message = Update(relation, mark.decode() if old is not None else "", old, new)
    elif kind == b"D":
        mark = data[at + 4 : at + 5]
        if mark not in (b"K", b"O"):
            raise ValueError(f"a deleted row is marked {mark!r}")
        gone, end = _tuple(data, at + 5)
        message = Delete(_u32(data, at)[0], mark.decode(), gone)
    elif kind == b"B":
        message, end = Begin(*_begin(data, at)), at + 20
    elif kind == b"C":
        message, end = Commit(*_commit(data, at)[1:]), at + 25
    elif kind == b"R":
        message, end = _relation(data, at)
    elif kind == b"T":
        n, options = _u32(data, at)[0], data[at + 4]
        end = at + 5 + 4 * n
        message = Truncate(struct.unpack_from(f">{n}I", data, at + 5), bool(options & 1), bool(options & 2))
    elif kind == b"Y":
        schema, end = _text(data, at + 4)
        name, end = _text(data, end)
        message = Type(_u32(data, at)[0], schema, name)
    elif kind == b"O":
        name, end = _text(data, at + 8)
        message = Origin(struct.unpack_from(">Q", data, at)[0], name)
    elif kind == b"M":
        flags, lsn = struct.unpack_from(">BQ", data, at)
        prefix, end = _text(data, at + 9)
        (size,) = _u32(data, end)
        message, end = Message(bool(flags & 1), lsn, prefix, data[end + 4 : end + 4 + size]), end + 4 + size
    elif kind == b"S":
        message, end = StreamStart(_u32(data, at)[0], data[at + 4] == 1), at + 5
    elif kind == b"E":
        message = StreamStop()
    elif kind == b"c":
        owner, _, lsn, end_lsn, time = _stream_commit(data, at)
        message, end = StreamCommit(owner, lsn, end_lsn, time), at + 29
    elif kind == b"A":
        message, end = StreamAbort(*struct.unpack_from(">II", data, at)), at + 8
    else:
        raise ValueError("no such kind of message is known")
    if end != len(data):
        raise ValueError(f"it has {end:,} bytes by its own account")
    return message, xid


def _relation(data: bytes, at: int) -> tuple[Relation, int]:
    (id,) = _u32(data, at)
    schema, at = _text(data, at + 4)
    name, at = _text(data, at)
    identity = chr(data[at])
    (n,) = _u16(data, at + 1)
    at += 3
    columns = []
    for _ in range(n):
        flags = data[at]
        column, at = _text(data, at + 1)
        columns.append(Column(bool(flags & 1), column, _u32(data, at)[0], _i32(data, at + 4)[0]))
        at += 8
    # The schema pg_catalog is sent as an empty name.
    return Relation(id, schema or "pg_catalog", name, identity, tuple(columns)), at


def _tuple(data: bytes, at: int) -> tuple[Values, int]:
    (n,) = _u16(data, at)
    at += 2
    values: Values = []
    add = values.append
    for _ in range(n):
        kind = data[at]
        at += 1
        if kind == 116:  # t: text
            (size,) = _u32(data, at)
            at += 4 + size
            if at > len(data):
                raise ValueError("a value is cut off")
            add(data[at - size : at])
        elif kind == 110:  # n
            add(None)
        elif kind == 117:  # u
            add(UNCHANGED)
        else:
            raise ValueError(f"a value is of kind {chr(kind)!r}, which was not asked for")
    return values, at


def _expect(data: bytes, at: int, mark: bytes) -> int:
    if data[at : at + 1] != mark:
        raise ValueError(f"{mark!r} should stand at {at}")
    return at + 1


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode("utf-8"), end + 1
