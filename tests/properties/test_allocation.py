"""Whatever the orders and the costs: every entry is shared out to the last digit, as exact fractions would."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.mapped import Mapped

UNIT = Decimal("0.0001")
MONEY = st.integers(-(10**9), 10**9).map(lambda n: n * UNIT)
SALES = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(1, 70), st.integers(0, 2), st.one_of(st.just(Decimal(0)), MONEY)
    ),
    max_size=12,
)
ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["line", "order", "customer", "period"]), st.integers(0, 4), st.integers(1, 70), MONEY
    ),
    max_size=8,
)
HUGE = Decimal("24999999999999.9999")


def day(n: int) -> dt.date:
    return dt.date(2024, 1, 1) + dt.timedelta(days=n)


def expected(sales: list[Any], entries: list[Any]) -> list[tuple[int, int, Decimal]]:
    """(entry, line, part) by exact fractions: floor, then a unit each to the largest remainders, ties by line."""
    found = []
    for number, (level, which, at, amount) in enumerate(entries, 1):
        month = day(at).replace(day=1)
        reached = [
            (line, order, value)
            for line, (order, on, customer, value) in enumerate(sales, 1)
            if {
                "line": line == which + 1,
                "order": order == which,
                "customer": customer == which and day(on).replace(day=1) == month,
                "period": day(on).replace(day=1) == month,
            }[level]
        ]
        sold = [row for row in reached if row[2] >= 0]
        bearing = sold or reached
        weights = [abs(value) for _, _, value in bearing]
        whole = sum(weights)
        units = int(abs(amount) / UNIT)
        exact = [
            Fraction(units) * Fraction(weight) / Fraction(whole) if whole else Fraction(units, len(bearing))
            for weight in weights
        ]
        parts = [int(share) for share in exact]
        order = sorted(
            range(len(bearing)),
            key=lambda n: (
                -(exact[n] - parts[n]) if whole else 0,
                str(bearing[n][1]),
                f"L{bearing[n][0]:02}",
            ),
        )
        for n in order[: units - sum(parts)]:
            parts[n] += 1
        sign = -1 if amount < 0 else 1
        found += [(number, row[0], sign * part * UNIT) for row, part in zip(bearing, parts, strict=True)]
    return sorted(found)


@settings(max_examples=12)
@example(sales=[(0, 1, 0, HUGE), (0, 2, 0, HUGE), (0, 3, 0, UNIT)], entries=[("order", 0, 1, -HUGE)])
@example(
    sales=[(0, 1, 0, Decimal(0))] * 3, entries=[("period", 0, 1, Decimal("0.01")), ("order", 0, 1, -UNIT)]
)
@given(sales=SALES, entries=ENTRIES)
def test_parts_are_those_of_exact_fractions(sales: list[Any], entries: list[Any]) -> None:
    mapped = Mapped()
    mapped.source("shop", "order_lines", customer_keys="company")
    mapped.source("erp", "cost_entries", customer_keys="company")
    for line, (order, on, customer, amount) in enumerate(sales, 1):
        kind = "sale" if amount >= 0 else "return"
        more = {"line_id": f"L{line:02}", "kind": kind, "cost": 0}
        mapped.sales("shop", (str(order), str(day(on)), f"c{customer}", amount, more))
    for level, which, at, amount in entries:
        names = {"line": {"line_id": f"L{which + 1:02}"}, "order": {"order_id": str(which)}}
        who = {"customer_id": f"c{which}"} if level == "customer" else {}
        named = {**names.get(level, {}), **who}
        mapped.add(
            "cost_entries", "erp", {"amount": amount, "currency": "EUR", "cost_date": day(at), **named}
        )
    mapped.con.execute(
        # An order of two customers is refused, which is another test's matter.
        "update mapped.order_lines set customer_id = (select min(o.customer_id) from mapped.order_lines as o "
        "where o.order_id = order_lines.order_id)"
    )
    first: dict[int, int] = {}
    for order, _, customer, _ in sales:
        first[order] = min(first.get(order, customer), customer)
    mapped.build("curated.cost_totals", "curated.order_lines", "curated.unallocated_costs")
    found = mapped.rows("select cost_line, line, amount from curated.cost_allocations order by all")
    assert found == expected([(o, d, first[o], a) for o, d, _, a in sales], entries)
    for amount, allocated, unallocated in mapped.rows(
        "select amount, allocated, unallocated from curated.cost_totals"
    ):
        assert amount == allocated + unallocated
    assert mapped.rows("select coalesce(sum(allocated_cost), 0) from curated.order_lines") == [
        (sum((part for *_, part in found), Decimal(0)),)
    ]
    assert len(mapped.rows("from curated.order_lines")) == len(sales)
