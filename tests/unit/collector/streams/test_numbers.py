"""A set kept as ranges is the set."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evervalue.collector.streams.numbers import Numbers

MOST = 40
steps = st.lists(st.tuples(st.booleans(), st.integers(1, MOST)), max_size=60)


@given(steps)
def test_ranges_hold_what_was_taken_in(taken: list[tuple[bool, int]]) -> None:
    ranges, plain = Numbers(), {0}
    for fills, n in taken:
        if fills and n < MOST // 2:
            ranges.fill(n)
            plain |= set(range(n + 1))
        else:
            ranges.add(n)
            plain.add(n)
        again = Numbers.of(str(ranges))
        assert {x for x in range(MOST + 2) if x in again} == plain
        assert again.last == max(plain)
        spans = sum(1 for x in plain if x - 1 not in plain)
        assert len(str(again).split()) == spans, "no two ranges touch"
