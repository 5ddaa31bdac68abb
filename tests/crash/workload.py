"""A source that is written to at random: rows come, change, move to other keys, go; tables are emptied and reshaped."""

from __future__ import annotations

import random
from typing import Any

SETUP = """
create table items (id bigint primary key, n numeric(12,2), note text, long text, at timestamptz, flag boolean);
alter table items alter column long set storage external;
create table pairs (a int, b text, v double precision, tag char(6), primary key (b, a));
insert into items select g, g * 1.25, 'note ' || g, case when g % 50 = 0 then repeat(md5(g::text), 300) end,
    timestamptz '2024-01-01' + g * interval '1 hour', g % 3 = 0 from generate_series(1, {rows}) as g;
insert into pairs select g % 100, 'b' || g, g / 7.0, 'x' from generate_series(1, {rows}) as g;
"""
RESHAPED = (
    "alter table items add column extra{k} int",
    "alter table items add column given{k} text default 'given {k}'",
    "alter table pairs add column more{k} numeric(20,4)",
    "alter table pairs rename column v to w{k}; alter table pairs rename column w{k} to v",
    (
        "alter table pairs add column gone{k} int default 3; update pairs set gone{k} = 4 where a < 3; "
        "alter table pairs drop column gone{k}"
    ),
    "alter table items alter column n type numeric({p},2)",
)


class Workload:
    """Random transactions over one connection; `changes` counts the rows that committed ones changed."""

    def __init__(self, con: Any, seed: int, rows: int) -> None:
        self.con = con
        self.rng = random.Random(seed)
        self.next = rows + 1
        self.changes = 0
        self.reshaped = 0
        self.transactions = 0
        self.emptied = 0

    def transaction(self, size: int = 200) -> None:
        """One transaction of about `size` changes; one in twelve is rolled back."""
        rng = self.rng
        con = self.con
        made = 0
        back = rng.random() < 1 / 12
        con.execute("begin")
        try:
            for _ in range(rng.randint(1, 4)):
                made += self._statement(max(1, int(rng.expovariate(1 / size))))
            if rng.random() < 0.2:  # a part of it is taken back
                con.execute("savepoint part")
                self._statement(size)
                con.execute("rollback to savepoint part")
            con.execute("rollback" if back else "commit")
        except BaseException:
            con.execute("rollback")
            raise
        if not back:
            self.changes += made
        self.transactions += 1

    def reshape(self) -> None:
        """A change of columns."""
        k = self.reshaped
        self.reshaped += 1
        for statement in RESHAPED[k % len(RESHAPED)].format(k=k, p=12 + k).split(";"):
            self.con.execute(statement)

    def truncate(self) -> None:
        """A table is emptied, and something comes in the same transaction."""
        self.con.execute("begin")
        self.con.execute("truncate pairs")
        self.con.execute("insert into pairs select g, 'again', g, 'y' from generate_series(1, 50) as g")
        self.con.execute("commit")
        self.changes += 51
        self.emptied += 1

    def _statement(self, size: int) -> int:
        rng = self.rng
        top = self.next
        start = rng.randint(1, max(1, top - size))
        kind = rng.random()
        if kind < 0.25:
            self.next += size
            return self._run(
                f"insert into items select g, random() * 1000, md5(g::text), "
                f"case when g % 40 = 0 then repeat(md5(random()::text), 280) end, now(), null "
                f"from generate_series({top}, {top + size - 1}) as g"
            )
        if kind < 0.45:
            return self._run(
                f"update items set n = n + 1, note = md5(random()::text) where id between {start} and {start + size}"
            )
        if kind < 0.50:
            return self._run(
                f"update items set long = repeat(md5(random()::text), 290) where id between {start} and {start + size} "
                "and id % 40 = 0"
            )
        if kind < 0.58:
            return self._run(f"delete from items where id between {start} and {start + size // 2}")
        if kind < 0.66:
            # Rows move to keys that are free, long values unchanged with them.
            shift = top + size
            self.next = shift + size + 1
            return self._run(
                f"update items set id = id + {shift - start} where id between {start} and {start + size // 2}"
            )
        if kind < 0.80:
            return self._run(
                f"insert into pairs select {rng.randint(0, 99)}, 'n' || g, random(), 'z' "
                f"from generate_series({top}, {top + size}) as g on conflict do nothing"
            )
        if kind < 0.94:
            return self._run(
                f"update pairs set v = v + 1, b = b || case when a % 9 = 0 then '\"' else '' end "
                f"where a = {rng.randint(0, 99)} and length(b) < 12"
            )
        return self._run(f"delete from pairs where a = {rng.randint(0, 99)} and v < 20")

    def _run(self, statement: str) -> int:
        return int(self.con.execute(statement).rowcount)
