"""A MariaDB source that is written to at random, as `workload` does with PostgreSQL."""

from __future__ import annotations

import random
from typing import Any

SETUP = """
create table items (id bigint primary key, n decimal(12,2), note text, longer mediumtext, at datetime(3), flag boolean);
create table pairs (a int, b varchar(40), v double, tag char(6), primary key (b, a));
insert into items select seq, seq * 1.25, concat('note ', seq), if(seq % 50 = 0, repeat(md5(seq), 300), null),
    '2024-01-01' + interval seq hour, seq % 3 = 0 from seq_1_to_{rows};
insert into pairs select seq % 100, concat('b', seq), seq / 7.0, 'x' from seq_1_to_{rows};
"""
RESHAPED = (
    "alter table items add column extra{k} int",
    "alter table items add column given{k} varchar(20) default 'given {k}'",
    "alter table pairs add column more{k} decimal(20,4)",
    "alter table pairs change v w{k} double; alter table pairs change w{k} v double",
    (
        "alter table pairs add column gone{k} int default 3; update pairs set gone{k} = 4 where a < 3; "
        "alter table pairs drop column gone{k}"
    ),
    "alter table items modify n decimal({p},2)",
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
        made = 0
        back = rng.random() < 1 / 12
        self.run("begin")
        try:
            for _ in range(rng.randint(1, 4)):
                made += self._statement(max(1, int(rng.expovariate(1 / size))))
            if rng.random() < 0.3:
                self.run("savepoint part")
                kept = self._statement(size)
                if rng.random() < 0.7:  # a part of it is taken back
                    self.run("rollback to part")
                else:
                    made += kept
            self.run("rollback" if back else "commit")
        except BaseException:
            self.run("rollback")
            raise
        if not back:
            self.changes += made
        self.transactions += 1

    def reshape(self) -> None:
        """A change of columns."""
        k = self.reshaped
        self.reshaped += 1
        for statement in RESHAPED[k % len(RESHAPED)].format(k=k, p=12 + k).split(";"):
            self.run(statement)

    def truncate(self) -> None:
        """A table is emptied, and something comes behind it."""
        self.run("truncate pairs")
        self.run("insert into pairs (a, b, v, tag) select seq, 'again', seq, 'y' from seq_1_to_50")
        self.changes += 51
        self.emptied += 1

    def _statement(self, size: int) -> int:
        rng = self.rng
        top = self.next
        start = rng.randint(1, max(1, top - size))
        kind = rng.random()
        if kind < 0.25:
            self.next += size
            return self.run(
                f"insert into items (id, n, note, longer, at) select seq, rand() * 1000, md5(seq), "
                f"if(seq % 40 = 0, repeat(md5(rand()), 280), null), now(3) from seq_{top}_to_{top + size - 1}"
            )
        if kind < 0.50:
            return self.run(
                f"update items set n = n + 1, note = md5(rand()) where id between {start} and {start + size}"
            )
        if kind < 0.58:
            return self.run(f"delete from items where id between {start} and {start + size // 2}")
        if kind < 0.66:
            # Rows move to keys that are free.
            shift = top + size
            self.next = shift + size + 1
            return self.run(
                f"update items set id = id + {shift - start} where id between {start} and {start + size // 2}"
            )
        if kind < 0.80:
            return self.run(
                f"insert ignore into pairs (a, b, v, tag) select {rng.randint(0, 99)}, concat('n', seq), rand(), 'z' "
                f"from seq_{top}_to_{top + size}"
            )
        if kind < 0.94:
            return self.run(
                f"update pairs set v = v + 1, b = concat(b, if(a % 9 = 0, '\"', '')) "
                f"where a = {rng.randint(0, 99)} and length(b) < 12"
            )
        return self.run(f"delete from pairs where a = {rng.randint(0, 99)} and v < 20")

    def run(self, statement: str) -> int:
        """Rows that a statement changed."""
        with self.con.cursor() as cursor:
            return int(cursor.execute(statement))
