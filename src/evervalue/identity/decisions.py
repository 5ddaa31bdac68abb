"""What people decide about customers: merges and splits, kept in the warehouse, and taken back there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evervalue.core.clock import Clock
from evervalue.core.errors import InputError
from evervalue.core.text import did_you_mean, listing
from evervalue.identity.stage import MEMORY
from evervalue.warehouse.duckdb import Connection, insert, literal

RECORD = "namespace || ':' || customer_key"


@dataclass(frozen=True)
class Decision:
    """A merge or a split."""

    number: int
    kind: str
    records: tuple[str, ...]
    why: str | None
    is_undone: bool


def customer_of(con: Connection, name: str) -> str:
    """The customer id that a name means: an id, one that was retired, a record (namespace:key), or a key.

    Raises
    ------
    InputError
        Nobody is called so, or several are.
    """
    asked = literal(name)
    retired = (
        "select r.customer_id from identity.customer_ids as i "
        "join identity.registry as r using (namespace, customer_key) "
        f"where i.customer_id = {asked} and i.retired_run is not null"
    )
    for where in (
        f"select customer_id from identity.registry where customer_id = {asked}",
        f"select customer_id from identity.registry where {RECORD} = {asked}",
        retired,
        f"select customer_id from identity.registry where customer_key = {asked}",
    ):
        found = sorted({str(row[0]) for row in con.execute(where).fetchall()})
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(
                f"The key '{name}' means {len(found)} customers: {listing(found)}. Name one of them."
            )
    near = con.execute(
        f"select distinct customer_id from identity.registry order by levenshtein(customer_id, {asked}), 1 limit 3"
    ).fetchall()
    raise InputError(
        f"No customer is called '{name}'{did_you_mean(name, [str(row[0]) for row in near])}. Name a customer id, or a "
        "record as namespace:key."
    )


def records_of(con: Connection, customer_id: str) -> list[str]:
    """The records of a customer, namespace:key, in order."""
    rows = con.execute(
        f"select {RECORD} from identity.registry where customer_id = {literal(customer_id)} "
        "order by namespace, customer_key"
    ).fetchall()
    return [str(row[0]) for row in rows]


def merge(con: Connection, one: str, other: str, *, why: str, clock: Clock) -> Decision:
    """The decision that two customers are one, which the next run applies.

    Raises
    ------
    InputError
        One of them is nobody, or both are the same already.
    """
    _know_something(con)
    a, b = customer_of(con, one), customer_of(con, other)
    if a == b:
        raise InputError(f"'{one}' and '{other}' are one customer already: {a}.")
    named = [_naming_record(con, customer) for customer in (a, b)]
    return _decide(con, "merge", named, why, clock)


def split(
    con: Connection, customer: str, records: Sequence[str], *, why: str | None, clock: Clock
) -> Decision:
    """The decision that some records of a customer are another one, which the next run applies.

    Raises
    ------
    InputError
        The customer is nobody, or the records are not some of its own.
    """
    _know_something(con)
    customer_id = customer_of(con, customer)
    own = records_of(con, customer_id)
    strange = [record for record in records if record not in own]
    if strange or not records:
        hint = did_you_mean(strange[0], own) if strange else ""
        raise InputError(
            f"{listing(strange) or 'Nothing'} is no record of {customer_id}{hint}; its records are "
            f"{listing(own, 20)}. Name some of them after --records."
        )
    if len(set(records)) == len(own):
        raise InputError(
            f"{customer_id} has no other records than {listing(own, 20)}, so nothing would be left. Name some of them."
        )
    return _decide(con, "split", sorted(set(records)), why, clock)


def undo(con: Connection, number: int | None, *, clock: Clock) -> Decision:
    """The decision taken back: the one of that number, or the last that holds.

    Raises
    ------
    InputError
        There is none of that number that holds.
    """
    _know_something(con)
    holding = [d for d in decisions(con) if not d.is_undone]
    chosen = [d for d in holding if number in (None, d.number)]
    if not chosen:
        numbers = listing([d.number for d in holding], 20) or "none"
        raise InputError(
            f"There is no decision {'' if number is None else f'{number} '}to undo. Those that hold: {numbers}."
        )
    last = chosen[-1]
    at = literal(clock.now().replace(tzinfo=None).isoformat(" "))
    con.execute(f"update identity.decisions set undone_at = {at} where decision_id = {last.number}")
    return last


def decisions(con: Connection) -> list[Decision]:
    """Every decision, oldest first."""
    rows = con.execute(
        "select decision_id, any_value(kind), list(record order by record), any_value(why), "
        "bool_or(undone_at is not null) from identity.decisions group by decision_id order by decision_id"
    ).fetchall()
    return [Decision(n, kind, tuple(records), why, undone) for n, kind, records, why, undone in rows]


def _decide(con: Connection, kind: str, records: Iterable[str], why: str | None, clock: Clock) -> Decision:
    row = con.execute("select coalesce(max(decision_id), 0) + 1 from identity.decisions").fetchone()
    number = int(row[0]) if row else 1
    at = clock.now().replace(tzinfo=None).isoformat(" ")
    insert(con, "identity.decisions", [[number, kind, record, why, at, None] for record in records])
    return Decision(number, kind, tuple(records), why, False)


def _naming_record(con: Connection, customer_id: str) -> str:
    """The record that a customer id was given for."""
    row = con.execute(
        f"select {RECORD} from identity.customer_ids where customer_id = {literal(customer_id)}"
    ).fetchone()
    return str(row[0]) if row else records_of(con, customer_id)[0]


def _know_something(con: Connection) -> None:
    """Make what is needed to decide.

    Raises
    ------
    InputError
        No run has found out yet who the customers are.
    """
    row = con.execute(
        "select count(*) from duckdb_tables() where schema_name = 'identity' and table_name = 'registry'"
    ).fetchone()
    if not row or not row[0]:
        raise InputError(
            "No run has found out yet who the customers are. Run 'evervalue run' first, then decide."
        )
    con.execute(f"create table if not exists identity.decisions ({MEMORY['decisions']})")
