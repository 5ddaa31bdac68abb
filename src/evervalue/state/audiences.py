"""Audiences: filters of the customers list with a name and an owner, and what was exported of each.

The filter is kept, not the people, so that an audience is always as the newest run has it. Each export keeps the keys
as they were, squeezed, because only they can say later who joined and who left.
"""

from __future__ import annotations

import json
import secrets
import zlib
from dataclasses import dataclass
from typing import Any

from evervalue.core.clock import Clock
from evervalue.core.errors import EvervalueError
from evervalue.state.store import Row, Schema, Store, stamp

MOST_NAME = 120
KEPT_EXPORTS = 50
"""Of each audience; the keys of older ones are let go, their numbers stay."""
SCHEMA = Schema(
    "audiences",
    (
        """create table audience (
  id text primary key,
  name text not null,
  owner text not null,
  filter text not null,
  created_at text not null
) strict;
create unique index audience_name on audience (lower(name));
create table audience_export (
  audience_id text not null references audience (id) on delete cascade,
  number integer not null,
  run_id text not null,
  who text not null,
  at text not null,
  filter text not null,
  customers integer not null,
  joined integer not null,
  left_again integer not null,
  keys blob,
  primary key (audience_id, number)
) strict;""",
    ),
)
WITHOUT_KEYS = "number, run_id, who, at, customers, joined, left_again, keys is not null as has_keys"


class NameTaken(EvervalueError):
    """Another audience has that name."""


@dataclass(frozen=True)
class Audience:
    """A filter with a name."""

    id: str
    name: str
    owner: str
    filter: dict[str, Any]
    created_at: str


@dataclass(frozen=True)
class Export:
    """What was exported of an audience, without its keys."""

    number: int
    """1 for the first."""
    run_id: str
    who: str
    at: str
    customers: int
    joined: int
    """Who was not in the export before."""
    left: int
    """Who was in the export before and is no more."""
    has_keys: bool


class Audiences:
    """The audiences of a project."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def all(self) -> list[Audience]:
        """Every audience, by name."""
        with self._store.read() as asked:
            return [_audience(row) for row in asked.rows("select * from audience order by lower(name), id")]

    def one(self, audience_id: str) -> Audience | None:
        """An audience, or None."""
        with self._store.read() as asked:
            row = asked.row("select * from audience where id = ?", audience_id)
        return _audience(row) if row else None

    def save(self, name: str, owner: str, filters: dict[str, Any]) -> Audience:
        """Keeps a new audience.

        Raises
        ------
        NameTaken
            Another one is called that, in whatever case.
        """
        made = Audience(secrets.token_hex(6), name, owner, filters, stamp(self._clock.now()))
        with self._store.write() as change:
            if change.row("select 1 as found from audience where lower(name) = lower(?)", name):
                raise NameTaken(f"There is an audience called “{name}” already. Give this one another name.")
            change.run(
                "insert into audience (id, name, owner, filter, created_at) values (?, ?, ?, ?, ?)",
                made.id,
                made.name,
                made.owner,
                _text(filters),
                made.created_at,
            )
        return made

    def delete(self, audience_id: str) -> bool:
        """Forgets an audience with its exports; whether there was one."""
        with self._store.write() as change:
            return change.run("delete from audience where id = ?", audience_id) > 0

    def exports(self, audience_id: str) -> list[Export]:
        """What was exported of an audience, the newest first."""
        with self._store.read() as asked:
            sql = f"select {WITHOUT_KEYS} from audience_export where audience_id = ? order by number desc"
            return [_export(row) for row in asked.rows(sql, audience_id)]

    def last_exports(self) -> dict[str, Export]:
        """The newest export of every audience that has one."""
        with self._store.read() as asked:
            sql = f"""select audience_id, {WITHOUT_KEYS} from audience_export as e
where number = (select max(number) from audience_export where audience_id = e.audience_id)"""
            return {row.pop("audience_id"): _export(row) for row in asked.rows(sql)}

    def keys(self, audience_id: str, number: int) -> str | None:
        """The keys of an export as a JSON array; None where there is no such export or its keys were let go."""
        with self._store.read() as asked:
            row = asked.row(
                "select keys from audience_export where audience_id = ? and number = ?", audience_id, number
            )
        return zlib.decompress(row["keys"]).decode() if row and row["keys"] is not None else None

    def exported(
        self,
        audience: Audience,
        *,
        who: str,
        run_id: str,
        keys: list[str],
        after: int,
        joined: int,
        left: int,
    ) -> Export | None:
        """Keeps an export; None where somebody else exported since `after`, so that `joined` and `left` do not hold.

        Parameters
        ----------
        audience
            Of which.
        who, run_id
            Who exported, and from which run.
        keys
            The customers that it had then.
        after
            Number of the export before; 0 where there is none.
        joined, left
            How many came and went since that one.
        """
        packed = zlib.compress(json.dumps(keys, ensure_ascii=False, separators=(",", ":")).encode(), 6)
        made = Export(after + 1, run_id, who, stamp(self._clock.now()), len(keys), joined, left, True)
        with self._store.write() as change:
            last = change.row(
                "select coalesce(max(number), 0) as number from audience_export where audience_id = ?",
                audience.id,
            )
            if last is None or last["number"] != after:
                return None
            change.run(
                "insert into audience_export (audience_id, number, run_id, who, at, filter, customers, joined,"
                " left_again, keys) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                audience.id, made.number, run_id, who, made.at, _text(audience.filter), made.customers, joined,
                left, packed,
            )  # fmt: skip
            change.run(
                "update audience_export set keys = null where audience_id = ? and number <= ?",
                audience.id,
                made.number - KEPT_EXPORTS,
            )
        return made


def _audience(row: Row) -> Audience:
    return Audience(row["id"], row["name"], row["owner"], json.loads(row["filter"]), row["created_at"])


def _export(row: Row) -> Export:
    return Export(
        row["number"], row["run_id"], row["who"], row["at"], row["customers"], row["joined"], row["left_again"],
        bool(row["has_keys"]),
    )  # fmt: skip


def _text(filters: dict[str, Any]) -> str:
    return json.dumps(filters, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
