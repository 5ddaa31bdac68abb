"""A keyed table is the same whatever order, split or repetition its changes come in; a dict says what it must be."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evervalue.core.errors import InputError
from evervalue.sources import raw_zone
from evervalue.sources.applied import Applied
from evervalue.sources.changes.apply import TEMPORARY
from evervalue.sources.keyed import KeyedTable
from evervalue.sources.wider import wider_type
from evervalue.warehouse.duckdb import connect, literal, value

COLUMNS = [("a", "INTEGER"), ("b", "VARCHAR"), ("n", "INTEGER"), ("long", "VARCHAR")]
KEY = ["a", "b"]
EXAMPLES = 300 if os.environ.get("EVERVALUE_PROOF") == "full" else 6
"""Each applies a dozen batches."""


@dataclass(frozen=True)
class Change:
    op: str
    lsn: int
    ordinal: int
    a: int | None = None
    b: str | None = None
    n: int | None = None
    long: str | None = None
    was: tuple[int, str] | None = None
    unchanged: tuple[str, ...] = ()


def table() -> KeyedTable:
    con = connect(threads=1)
    raw_zone.ensure(con)
    return KeyedTable(con, "shop.orders", KEY, COLUMNS)


def send(table: KeyedTable, changes: Iterable[Change], run_id: str = "r") -> Applied:
    con = table.con
    con.execute(
        "create or replace temp table staged (_op text, _lsn ubigint, _ordinal bigint, _unchanged text[], "
        '"_old a" integer, "_old b" text, a integer, b text, n integer, long text)'
    )
    for c in changes:
        old = c.was or (None, None)
        unchanged = "[" + ", ".join(literal(u) for u in c.unchanged) + "]"
        con.execute(
            f"insert into staged values ({literal(c.op)}, {c.lsn}, {c.ordinal}, {unchanged}, "
            + ", ".join(map(value, [*old, c.a, c.b, c.n, c.long]))
            + ")"
        )
    applied = table.apply("staged", run_id=run_id)
    assert applied.read == applied.parts, applied
    left = {r[0] for r in con.execute("select table_name from duckdb_tables() where temporary").fetchall()}
    assert not left & set(TEMPORARY)
    return applied


def live(table: KeyedTable) -> list[tuple[object, ...]]:
    return table.con.execute(
        f"select _lsn, _ordinal, a, b, n, long from {table.live} order by all"
    ).fetchall()


def past(table: KeyedTable) -> list[tuple[object, ...]]:
    return table.con.execute(
        f"select _lsn, _ordinal, _op, a, b, n, long from {table.past} order by all"
    ).fetchall()


def consistent(table: KeyedTable) -> None:
    """Live is what a rebuild from all versions gives, and the counted rows are those that are there."""
    rebuilt = table.con.execute(
        f"select _lsn, _ordinal, a, b, n, long from ({table.rebuilt()}) order by all"
    ).fetchall()
    assert rebuilt == live(table)
    lines = [r[0] for r in table.con.execute(f"select _line from {table.live}").fetchall()]
    assert len(lines) == len(set(lines)) == table.state()["live_rows"]
    assert all(1 <= line <= table.state()["last_line"] for line in lines)


Row = tuple[int | None, str | None]


def model(changes: Sequence[Change]) -> dict[tuple[object, object], tuple[int, int, int | None, str | None]]:
    """What the source holds after its changes, in their own order."""
    held: dict[tuple[object, object], tuple[int, int, int | None, str | None]] = {}
    for c in sorted(changes, key=lambda c: (c.lsn, c.ordinal)):
        key = (c.a, c.b)
        if c.op == "t":
            held.clear()
        elif c.op == "d":
            held.pop(key, None)
        else:
            before = held.pop(c.was, None) if c.was else held.get(key)
            n, long = c.n, c.long
            if "n" in c.unchanged:
                assert before
                n = before[2]
            if "long" in c.unchanged:
                assert before
                long = before[3]
            held[key] = (c.lsn, c.ordinal, n, long)
    return held


def history(seed: int, size: int, *, moves: bool, heirs: bool) -> list[Change]:
    """Changes as a source could have made them: updates only of rows that are there."""
    rng = random.Random(seed)
    there: set[tuple[int, str]] = set()
    keys = [(a, b) for a in range(4) for b in "xy"]
    out: list[Change] = []
    lsn, ordinal = 10, 0
    for _ in range(size):
        if rng.random() < 0.3:
            lsn, ordinal = lsn + rng.randint(1, 5), 0
        ordinal += 1
        what = rng.random()
        absent = [k for k in keys if k not in there]
        new = {
            "n": rng.choice([None, rng.randint(0, 9)]),
            "long": rng.choice([None, "L" * rng.randint(1, 3)]),
        }
        if what < 0.03:
            there.clear()
            out.append(Change("t", lsn, ordinal))
        elif (what < 0.35 or not there) and absent:
            k = rng.choice(absent)
            there.add(k)
            out.append(Change("i", lsn, ordinal, *k, **new))  # type: ignore[arg-type]
        elif what < 0.55:
            k = rng.choice(sorted(there))
            there.discard(k)
            out.append(Change("d", lsn, ordinal, *k))
        else:
            k = rng.choice(sorted(there))
            unchanged = tuple(c for c in ("n", "long") if heirs and rng.random() < 0.5)
            for c in unchanged:
                new[c] = None
            was = None
            if moves and absent and rng.random() < 0.4:
                was, k = k, rng.choice(absent)
                there.discard(was)
                there.add(k)
            out.append(Change("u", lsn, ordinal, *k, **new, was=was, unchanged=unchanged))  # type: ignore[arg-type]
    return out


def split(rng: random.Random, changes: list[Change]) -> list[list[Change]]:
    batches, at = [], 0
    while at < len(changes):
        size = rng.randint(1, 12)
        batches.append(changes[at : at + size])
        at += size
    return batches


def check(table: KeyedTable, changes: list[Change]) -> None:
    consistent(table)
    expected = sorted(((*v[:2], *k, *v[2:]) for k, v in model(changes).items()), key=repr)
    assert sorted(live(table), key=repr) == expected


@settings(max_examples=EXAMPLES)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 50))
def test_in_order_with_moves_and_unchanged_values_it_is_the_source(seed: int, size: int) -> None:
    changes = history(seed, size, moves=True, heirs=True)
    held = table()
    for batch in split(random.Random(seed), changes):
        applied = send(held, batch)
        assert (applied.refused, applied.late, applied.repeated) == (0, 0, 0)
    check(held, changes)


@settings(max_examples=EXAMPLES)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 40), moves=st.booleans())
def test_shuffled_repeated_and_split_otherwise_it_is_the_same_table(
    seed: int, size: int, moves: bool
) -> None:
    # Values taken over from another key need that key's changes first, which streams give and shuffling does not.
    changes = history(seed, size, moves=moves, heirs=not moves)
    ordered, shuffled = table(), table()
    send(ordered, changes)
    rng = random.Random(seed)
    mixed = [*changes, *rng.choices(changes, k=size // 2)]
    rng.shuffle(mixed)
    total = Applied()
    for batch in split(rng, mixed):
        total.add(send(shuffled, batch))
    check(ordered, changes)
    check(shuffled, changes)
    assert live(shuffled) == live(ordered)
    assert past(shuffled) == past(ordered)
    assert total.repeated == len(mixed) - len(changes)
    assert shuffled.state()["incomplete"] == 0


@settings(max_examples=EXAMPLES)
@given(seed=st.integers(0, 10**6))
def test_everything_twice_changes_nothing(seed: int) -> None:
    changes = history(seed, 30, moves=True, heirs=True)
    held = table()
    send(held, changes)
    before = (live(held), past(held), held.state())
    again = send(held, changes)
    assert again.repeated == again.read == len(changes)
    assert not again.changed
    assert (live(held), past(held), held.state()) == before


def test_counts_and_lines() -> None:
    held = table()
    one = send(
        held, [Change("i", 1, 1, 1, "x", 5), Change("i", 1, 2, 2, "x", 6), Change("u", 1, 3, 1, "x", 7)]
    )
    assert (one.inserted, one.superseded, one.rows_come) == (2, 1, 2)
    lines = dict(held.con.execute(f"select a, _line from {held.live}").fetchall())
    two = send(
        held, [Change("u", 2, 1, 1, "x", 8), Change("d", 2, 2, 2, "x"), Change("i", 3, 1, 3, "x")], "r2"
    )
    assert (two.updated, two.deleted, two.inserted, two.rows_gone) == (1, 1, 1, 1)
    after = dict(held.con.execute(f"select a, _line from {held.live}").fetchall())
    assert after == {1: lines[1], 3: 3}
    touched = held.con.execute(f"select distinct line from {two.touched} order by 1").fetchall()
    assert touched == [(1,), (2,), (3,)]
    gone = held.con.execute(
        f"select a, n, _op, _until_run_id from {held.past} where _lsn > 1 or a = 2 order by all"
    )
    assert gone.fetchall() == [(2, 6, "i", "r2"), (2, None, "d", "r2")]


def test_a_delete_blocks_what_is_older_and_not_what_is_newer() -> None:
    held = table()
    send(held, [Change("d", 5, 1, 1, "x")])
    assert send(held, [Change("u", 4, 1, 1, "x", 9)]).late == 1
    assert live(held) == []
    assert send(held, [Change("i", 6, 1, 1, "x", 9)]).inserted == 1
    assert live(held) == [(6, 1, 1, "x", 9, None)]


def test_a_truncate_blocks_what_is_older() -> None:
    held = table()
    send(held, [Change("i", 1, 1, 1, "x"), Change("i", 1, 2, 2, "x")])
    emptied = send(held, [Change("t", 5, 1), Change("i", 5, 2, 2, "x", 1)])
    assert (emptied.truncated, emptied.rows_gone, emptied.updated) == (1, 1, 1)
    assert send(held, [Change("i", 4, 1, 9, "x")]).late == 1
    assert live(held) == [(5, 2, 2, "x", 1, None)]
    consistent(held)


def test_values_that_are_not_known_are_not_invented() -> None:
    held = table()
    heir = Change("u", 7, 1, 1, "x", 3, None, unchanged=("long",))
    applied = send(held, [heir])
    assert (applied.refused, applied.example) == (1, "a=1, b=x")
    assert (live(held), held.state()["incomplete"]) == ([], 1)
    # Its predecessor comes late: now it is known.
    assert send(held, [Change("i", 5, 1, 1, "x", 1, "text")]).superseded == 1
    assert live(held) == [(7, 1, 1, "x", 3, "text")]
    assert held.state()["incomplete"] == 0
    # And one that comes between corrects what was taken over.
    send(held, [Change("u", 6, 1, 1, "x", 2, "newer")])
    assert live(held) == [(7, 1, 1, "x", 3, "newer")]
    consistent(held)


def test_a_row_that_moves_through_keys_takes_its_long_value_along() -> None:
    held = table()
    send(held, [Change("i", 1, 1, 1, "x", 1, "text")])
    moves = [
        Change("u", 2, n, a + 1, "x", 1, None, was=(a, "x"), unchanged=("long",))
        for n, a in enumerate(range(1, 6), start=1)
    ]
    send(held, moves)
    assert live(held) == [(2, 5, 6, "x", 1, "text")]
    send(held, [Change("u", 3, 1, 6, "x", 2, None, unchanged=("long",))])
    assert live(held) == [(3, 1, 6, "x", 2, "text")]
    consistent(held)


def test_all_rows_anew_are_only_what_differs() -> None:
    held = table()
    con = held.con
    con.execute(
        "create temp table snapshot as select range::int as a, 'x' as b, 1 as n, 'l' as long from range(5)"
    )
    assert held.replace("snapshot", lsn=10, run_id="r").inserted == 5
    con.execute("update snapshot set n = 2 where a = 1")
    con.execute("delete from snapshot where a = 2")
    con.execute("insert into snapshot values (7, 'x', 1, 'l')")
    again = held.replace("snapshot", lsn=20, run_id="r")
    assert (again.read, again.inserted, again.updated, again.deleted) == (3, 1, 1, 1)
    assert send(held, [Change("i", 15, 1, 2, "x")]).late == 1
    consistent(held)
    assert sorted(int(str(r[2])) for r in live(held)) == [0, 1, 3, 4, 7]


def test_columns_widen_and_what_does_not_fit_becomes_text() -> None:
    held = table()
    send(held, [Change("i", 1, 1, 1, "x", 5)])
    wider = KeyedTable(
        held.con, held.feed, KEY, [*COLUMNS[:2], ("n", "BIGINT"), ("long", "DATE"), ("more", "DATE")]
    )
    assert wider.types == {"a": "INTEGER", "b": "VARCHAR", "n": "BIGINT", "long": "VARCHAR", "more": "DATE"}
    assert live(wider) == [(1, 1, 1, "x", 5, None)]
    consistent(wider)


def test_a_change_without_a_key_is_refused() -> None:
    held = table()
    with pytest.raises(InputError, match="no value in their key"):
        send(held, [Change("i", 1, 1, None, "x")])
    with pytest.raises(InputError, match="key column 'z' is not among"):
        KeyedTable(held.con, "other", ["z"], COLUMNS)
    with pytest.raises(InputError, match="under the key"):
        KeyedTable(held.con, held.feed, ["a"], COLUMNS)


def test_rows_that_share_a_key_are_not_taken_for_one() -> None:
    held = table()
    held.con.execute(
        "create temp table twice as select 1 as a, 'x' as b, n::int as n, '' as long from range(2) t(n)"
    )
    with pytest.raises(InputError, match="a=1, b=x"):
        held.replace("twice", lsn=1, run_id="r")


@pytest.mark.parametrize(
    ("held", "wanted", "wider"),
    [
        ("DECIMAL(38,0)", "DECIMAL(38,10)", "VARCHAR"),
        ("BIGINT", "SMALLINT", "BIGINT"),
        ("DATE", "TIMESTAMP", "VARCHAR"),
    ],
)
def test_wider_types(held: str, wanted: str, wider: str) -> None:
    assert wider_type(held, wanted) == wider
