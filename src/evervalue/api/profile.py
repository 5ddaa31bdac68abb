"""What a snapshot knows of one customer: in one look-up where the run wrote it down, else asked table by table."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from evervalue.api.queries import customer as one
from evervalue.api.queries import live as asked
from evervalue.api.queries.customers import COLUMNS
from evervalue.api.snapshots import Reading, Row, Statement
from evervalue.insight.profiles import TABLE, Told, read
from evervalue.live.figures import Day

ORDERS = 50
"""Newest orders that a profile lists."""


@dataclass(frozen=True)
class Profile:
    """A customer of a snapshot."""

    row: Row
    """Of the customer list."""
    reading: Reading
    told: Told | None = None
    """What was written down of it; None where it has to be asked for."""

    @property
    def customer_id(self) -> str:
        """Stable customer key."""
        return str(self.row["customer_id"])

    def keys(self) -> tuple[tuple[str, str], ...]:
        """Namespace and key in each system."""
        if self.told is None or self.told.keys is None:
            rows = self.reading.rows(asked.keys(self.customer_id))
        else:
            rows = self.told.keys
        return tuple((row["namespace"], row["customer_key"]) for row in rows)

    def attributes(self) -> list[Row]:
        """What is known about the customer, the newest first."""
        if self.told is None or self.told.attributes is None:
            return self.reading.rows(one.attributes(self.customer_id))
        return sorted(self.told.attributes, key=_newest_attribute)

    def orders(self) -> list[Row]:
        """The newest orders before the cutoff, the newest first."""
        as_of = self.reading.run.as_of
        if self.told is None or self.told.orders is None:
            return self.reading.rows(one.orders(self.customer_id, ORDERS, as_of=as_of))
        found = [row for row in self.told.orders if row["order_date"] < as_of]
        found.sort(key=lambda row: row["order_key"])
        found.sort(key=lambda row: row["order_date"], reverse=True)
        return [{name: row[name] for name in one.ORDER_COLUMNS} for row in found[:ORDERS]]

    def days(self) -> list[Day]:
        """What each day brought; a day may be told in parts."""
        if self.told is None or self.told.orders is None:
            return days(self.reading, [self.customer_id])
        return [
            Day(row["order_date"], row["kind"] == "sale", 1, row["revenue"], row["monetary"])
            for row in self.told.orders
        ]


def profile(reading: Reading, customer_id: str) -> Profile | None:
    """The customer; None where the snapshot does not know it."""
    if reading.once(_is_written_down):
        sql = f"select profile from {TABLE} where customer_id = $customer_id"
        found = reading.result(Statement(sql, {"customer_id": customer_id}), keep=False).rows
        if not found:
            return None
        told = read(found[0][0], customer_id)
        if told is not None:
            return Profile({name: told.row[name] for name in COLUMNS}, reading, told)
    known = reading.row(one.of_list(customer_id))
    return None if known is None else Profile(known, reading)


def days(reading: Reading, customer_ids: Collection[str]) -> list[Day]:
    """What each day brought to customers."""
    if not customer_ids:
        return []
    return [
        Day(row["order_date"], row["is_sale"], row["orders"], row["revenue"], row["monetary"])
        for row in reading.rows(asked.days(customer_ids))
    ]


def _is_written_down(reading: Reading) -> bool:
    """Whether the run wrote profiles down; those of earlier versions did not."""
    return reading.has(TABLE)


def _newest_attribute(row: Row) -> tuple[object, ...]:
    """The order of `queries.customer.attributes`."""
    from_, seen = row["valid_from"], row["last_seen"]
    return (
        row["attribute"],
        not row["is_latest"],
        _newest_first(from_),
        _newest_first(seen),
        row["value"],
    )


def _newest_first(day: date | None) -> int:
    """A number that puts the newest day first, and none at the end."""
    return 1 if day is None else -day.toordinal()
