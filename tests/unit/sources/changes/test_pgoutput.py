"""What an encoder written from the protocol's description puts in comes out; cut or lengthened bytes are refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evervalue.core.errors import InputError
from evervalue.sources.changes import pgoutput as pg

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
i64 = st.integers(-(2**63), 2**63 - 1)
row = st.lists(st.one_of(st.none(), st.just(pg.UNCHANGED), st.binary(max_size=20)), max_size=6)
columns = st.lists(
    st.builds(pg.Column, st.booleans(), text, u32, st.integers(-(2**31), 2**31 - 1)), max_size=4
).map(tuple)
messages = st.one_of(
    st.builds(pg.Begin, u64, i64, u32),
    st.builds(pg.Commit, u64, u64, i64),
    st.builds(pg.Relation, u32, text.filter(bool), text, st.sampled_from("dinf"), columns),
    st.builds(pg.Insert, u32, row),
    st.builds(pg.Update, u32, st.just(""), st.none(), row),
    st.builds(pg.Update, u32, st.sampled_from("KO"), row, row),
    st.builds(pg.Delete, u32, st.sampled_from("KO"), row),
    st.builds(pg.Truncate, st.lists(u32, max_size=4).map(tuple), st.booleans(), st.booleans()),
    st.builds(pg.Type, u32, text, text),
    st.builds(pg.Origin, u64, text),
    st.builds(pg.Message, st.booleans(), u64, text, st.binary(max_size=20)),
    st.builds(pg.StreamStart, u32, st.booleans()),
    st.just(pg.StreamStop()),
    st.builds(pg.StreamCommit, u32, u64, u64, i64),
    st.builds(pg.StreamAbort, u32, u32),
)


def c_string(value: str) -> bytes:
    return value.encode() + b"\0"


def encoded_row(values: pg.Values) -> bytes:
    out = struct.pack(">H", len(values))
    for value in values:
        if value is None:
            out += b"n"
        elif value is pg.UNCHANGED:
            out += b"u"
        else:
            assert isinstance(value, bytes)
            out += b"t" + struct.pack(">I", len(value)) + value
    return out


def encoded(message: pg.Decoded, xid: int | None = None) -> bytes:
    """The bytes of a message; with `xid` as it comes inside a streamed transaction."""
    own = b"" if xid is None else struct.pack(">I", xid)
    match message:
        case pg.Begin(lsn, time, owner):
            return b"B" + struct.pack(">QqI", lsn, time, owner)
        case pg.Commit(lsn, end, time):
            return b"C" + struct.pack(">BQQq", 0, lsn, end, time)
        case pg.Relation(id, schema, name, identity, columns):
            out = b"R" + own + struct.pack(">I", id) + c_string(schema) + c_string(name) + identity.encode()
            out += struct.pack(">H", len(columns))
            for column in columns:
                out += bytes([column.is_key]) + c_string(column.name)
                out += struct.pack(">Ii", column.type_id, column.modifier)
            return out
        case pg.Insert(relation, new):
            return b"I" + own + struct.pack(">I", relation) + b"N" + encoded_row(new)
        case pg.Update(relation, kind, old, new):
            before = b"" if old is None else kind.encode() + encoded_row(old)
            return b"U" + own + struct.pack(">I", relation) + before + b"N" + encoded_row(new)
        case pg.Delete(relation, kind, gone):
            return b"D" + own + struct.pack(">I", relation) + kind.encode() + encoded_row(gone)
        case pg.Truncate(relations, cascade, restart):
            flags = cascade + 2 * restart
            return b"T" + own + struct.pack(f">IB{len(relations)}I", len(relations), flags, *relations)
        case pg.Type(id, schema, name):
            return b"Y" + own + struct.pack(">I", id) + c_string(schema) + c_string(name)
        case pg.Origin(lsn, name):
            return b"O" + struct.pack(">Q", lsn) + c_string(name)
        case pg.Message(transactional, lsn, prefix, content):
            head = struct.pack(">BQ", transactional, lsn)
            return b"M" + own + head + c_string(prefix) + struct.pack(">I", len(content)) + content
        case pg.StreamStart(owner, first):
            return b"S" + struct.pack(">IB", owner, first)
        case pg.StreamStop():
            return b"E"
        case pg.StreamCommit(owner, lsn, end, time):
            return b"c" + struct.pack(">IBQQq", owner, 0, lsn, end, time)
        case pg.StreamAbort(owner, part):
            return b"A" + struct.pack(">II", owner, part)


@given(messages)
def test_what_is_encoded_is_decoded(message: pg.Decoded) -> None:
    assert pg.decode(encoded(message)) == (message, None)


@given(messages, u32)
def test_within_a_streamed_transaction_messages_name_it(message: pg.Decoded, xid: int) -> None:
    named = isinstance(
        message,
        pg.Relation | pg.Insert | pg.Update | pg.Delete | pg.Truncate | pg.Type | pg.Message,
    )
    assert pg.decode(encoded(message, xid), in_stream=True) == (message, xid if named else None)


@given(messages, st.data())
def test_cut_or_lengthened_it_is_refused(message: pg.Decoded, data: st.DataObject) -> None:
    whole = encoded(message)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(InputError, match="cannot be read"):
        pg.decode(cut)
    with pytest.raises(InputError, match="cannot be read"):
        pg.decode(whole + b"\0")


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    try:
        message, _ = pg.decode(data)
    except InputError:
        return
    assert isinstance(message, tuple)
