"""A table is read by ranges; only what changed is read again, and only rows that changed go and come."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evervalue.core.errors import InputError, MissingColumns
from evervalue.sources import raw_zone
from tests.support.table_feeds import Loads, loading, reader_of

if TYPE_CHECKING:
    from tests.support.mariadb import MariaDB
    from tests.support.postgres import Postgres

ORDERS = """
create table orders (id bigint primary key, customer text, placed timestamptz, amount numeric(12, 2), note text);
insert into orders select g, 'c' || g % 50, timestamptz '2025-01-01 00:00+00' + g * interval '1 hour', g / 100.0,
    case g % 5 when 0 then null when 1 then '' when 2 then E'two\\nlines, "quoted"' else 'note ' || g end
from generate_series(1, 5000) as g;
"""


def shop(postgres: Postgres, tmp_path: Path, statement: str = ORDERS) -> str:
    dsn = postgres.fresh_database("shop")
    postgres.execute(statement, "shop")
    return dsn


def equal(loads: Loads, postgres: Postgres, columns: str = "id, customer, placed, amount, note") -> None:
    """Both hold the same rows: every cell as PostgreSQL writes it."""
    there = postgres.psql(f"select {columns} from {loads.table} order by 1", "shop")
    names = columns.split(", ")
    found = loads.rows(", ".join(f'"{name}"::varchar' for name in names), names[0])
    here = [["<null>" if cell is None else str(cell) for cell in row] for row in found]
    assert len(here) == len(there)
    assert here == there


def test_ranges_that_did_not_change_are_not_read_again(postgres: Postgres, tmp_path: Path) -> None:
    with loading(tmp_path, shop(postgres, tmp_path), "public.orders") as loads:
        first = loads.load()
        assert len(first.report.files_new) == 6
        assert first.brought.changed
        equal(loads, postgres)
        again = loads.load()
        assert (again.brought.changed, again.touched) == (False, [])
        assert len(again.report.files_unchanged) == 6
        postgres.execute(
            "update orders set note = 'changed' where id = 1500; delete from orders where id = 3;"
            "insert into orders values (-7, 'c1', null, null, null), (9000, 'c2', now(), 1, 'x')",
            "shop",
        )
        third = loads.load()
        assert (len(third.report.files_replaced), len(third.report.files_unchanged)) == (3, 3)
        assert len(third.touched) == 4
        equal(loads, postgres)
        assert loads.past("id, note, _run_id, _until_run_id") == [
            (3, "note 3", "run1", "run3"),
            (1500, None, "run1", "run3"),
        ]


def test_a_row_keeps_its_number_and_numbers_are_never_given_twice(postgres: Postgres, tmp_path: Path) -> None:
    few = "create table few (id int primary key, v text); insert into few values (1,'a'),(2,'b'),(3,'c')"
    with loading(tmp_path, shop(postgres, tmp_path, few), "few") as loads:
        loads.load()
        postgres.execute("delete from few where id = 3; update few set v = 'B' where id = 2", "shop")
        loads.load()
        postgres.execute("insert into few values (0, 'z'), (3, 'c again')", "shop")
        loads.load()
        assert loads.rows("id, _line, v, _run_id") == [
            (0, 4, "z", "run3"),
            (1, 1, "a", "run1"),
            (2, 2, "B", "run2"),
            (3, 5, "c again", "run3"),
        ]
        files = loads.con.execute("select rows_read, status, format from raw.files").fetchall()
        assert files == [(4, "loaded", "table")]


def test_the_last_range_is_parted_when_it_has_grown(postgres: Postgres, tmp_path: Path) -> None:
    with loading(tmp_path, shop(postgres, tmp_path), "orders") as loads:
        loads.load()
        postgres.execute("insert into orders select g from generate_series(5001, 8500) as g", "shop")
        loads.load()
        equal(loads, postgres)
        assert loads.parts()[-4:] == [
            ("shop/public.orders[id > 5000]", 1000),
            ("shop/public.orders[id > 6000]", 1000),
            ("shop/public.orders[id > 7000]", 1000),
            ("shop/public.orders[id > 8000]", 500),
        ]
        assert not loads.load().brought.changed


@pytest.mark.parametrize(
    ("made", "rows"),
    [
        (("create table it (a text, b int, v text, primary key (a, b)); "
         "insert into it select 'k' || g % 7, g, 'v' || g from generate_series(1, 2500) as g"), 2500),
        (("create table it (a uuid primary key, b int); "
         "insert into it select md5(g::text)::uuid, g from generate_series(1, 2500) as g"), 2500),
        (("create table it (a numeric primary key, b int); "
         "insert into it select g / 7.0, g from generate_series(1, 2500) as g"), 2500),
        (("create type size as enum ('s', 'm', 'l'); create table it (s size, n int not null, primary key (s, n)); "
         "insert into it select (array['l', 's', 'm'])[1 + g % 3]::size, g from generate_series(1, 2500) as g"), 2500),
        (("create table it (t char(9) primary key, b int); "
         "insert into it select 'x''\\' || g, g from generate_series(1, 2500) as g"), 2500),
        (("create table it (v text, n int); insert into it select 'v' || g % 3, g % 10 "
         "from generate_series(1, 2500) as g; analyze it"), 2500),
        (('create table "It is" ("Id" int primary key, "Two words" text); '
         "insert into \"It is\" select g, 'x' from generate_series(1, 2500) as g"), 2500),
    ],
    ids=["composite", "uuid", "numeric", "enum", "char", "none", "quoted"],
)  # fmt: skip
def test_any_key_will_do(postgres: Postgres, tmp_path: Path, made: str, rows: int) -> None:
    name = "It is" if "It is" in made else "it"
    with loading(tmp_path, shop(postgres, tmp_path, made), name) as loads:
        loads.load()
        assert len(loads.parts()) >= 3
        assert sum(n for _, n in loads.parts()) == rows == len(loads.rows("1"))
        quoted = f'"{name}"'
        where = "ctid in (select ctid from " + quoted + " order by ctid limit 3)"
        postgres.execute(f"delete from {quoted} where {where}", "shop")
        done = loads.load()
        assert len(loads.rows("1")) == rows - 3
        assert len(done.touched) == 3
        assert "@" not in str(loads.parts())
        assert not loads.load().brought.changed


def test_equal_rows_of_a_table_without_a_key_are_all_kept(postgres: Postgres, tmp_path: Path) -> None:
    made = "create table log (v text, n int); insert into log values ('a',1),('a',1),('a',1),(null,null),(null,null)"
    with loading(tmp_path, shop(postgres, tmp_path, made), "log") as loads:
        loads.load()
        postgres.execute(
            "delete from log where ctid = (select min(ctid) from log where v = 'a');"
            "insert into log values (null,null)",
            "shop",
        )
        done = loads.load()
        assert len(done.touched) == 2
        assert loads.rows("v, n", "1") == [("a", 1), ("a", 1), (None, None), (None, None), (None, None)]


def test_a_table_of_one_column(postgres: Postgres, mariadb: MariaDB, tmp_path: Path) -> None:
    made = "create table one (v varchar(5)); insert into one values (null), (''), (null), ('a,b')"
    for kind, server in (("pg", postgres), ("my", mariadb)):
        dsn = server.fresh_database("shop")
        server.execute(made, "shop")
        (tmp_path / kind).mkdir()
        with loading(tmp_path / kind, dsn, "one") as loads:
            loads.load()
            assert loads.rows("v", "v") == [("",), ("a,b",), (None,), (None,)]
    (tmp_path / "any").mkdir()
    with loading(tmp_path / "any", dsn.replace("mysql:", "mysql+pymysql:"), "one") as loads:
        loads.load()
        assert loads.rows("v", "v") == [("",), ("a,b",), (None,), (None,)]


def test_two_values_that_change_places_are_seen(postgres: Postgres, tmp_path: Path) -> None:
    """Sums of hashes of records would not see it, for such a hash is a sum over columns."""
    made = "create table it (id int primary key, v text); insert into it values (1, 'a'), (2, 'b')"
    with loading(tmp_path, shop(postgres, tmp_path, made), "it") as loads:
        loads.load()
        postgres.execute("update it set v = case v when 'a' then 'b' else 'a' end", "shop")
        assert len(loads.load().touched) == 2
        assert loads.rows("id, v") == [(1, "b"), (2, "a")]


def test_rows_that_wander_between_ranges(postgres: Postgres, tmp_path: Path) -> None:
    rng = random.Random(4)
    with loading(tmp_path, shop(postgres, tmp_path), "orders") as loads:
        loads.load()
        for _ in range(3):
            ids = ", ".join(str(rng.randint(1, 9000)) for _ in range(400))
            postgres.execute(
                f"update orders set id = id + 20000 where id in ({ids});"
                f"delete from orders where id % 97 = {rng.randint(0, 96)};"
                f"insert into orders select g, 'new' from generate_series({rng.randint(30000, 60000)}, 61000, 37) as g "
                "on conflict do nothing; update orders set amount = amount + 1 where id % 1013 = 5",
                "shop",
            )
            loads.load()
            equal(loads, postgres)
        live = loads.rows("_file_id, _line")
        assert len(set(live)) == len(live)
        assert sum(n for _, n in loads.parts()) == len(live)


def test_a_full_refresh_reads_everything_and_changes_nothing(postgres: Postgres, tmp_path: Path) -> None:
    with loading(tmp_path, shop(postgres, tmp_path), "orders") as loads:
        loads.load()
        done = loads.load(full_refresh=True)
        assert len(done.report.files_replaced) == 6
        assert (done.brought.changed, done.touched) == (False, [])


def test_a_column_is_added_dropped_widened_or_becomes_something_else(
    postgres: Postgres, tmp_path: Path
) -> None:
    made = (
        "create table it (id int primary key, n smallint, d date, v text); "
        "insert into it values (1, 1, '2025-01-01', 'a'), (2, 2, '2025-01-02', 'b')"
    )
    with loading(tmp_path, shop(postgres, tmp_path, made), "it", wanted={"columns.v": "v"}) as loads:
        loads.load()
        postgres.execute("alter table it add c numeric(10,2); alter table it alter n type bigint", "shop")
        done = loads.load()
        assert done.report.said == []
        assert loads.types() == {
            "id": "INTEGER",
            "n": "BIGINT",
            "d": "DATE",
            "v": "VARCHAR",
            "c": "DECIMAL(10,2)",
        }
        assert done.brought.touched is None  # a type changed, so that every cell may read otherwise
        assert loads.rows("count(*)", where="_run_id = 'run1'") == [(2,)]
        postgres.execute(
            "alter table it drop n; alter table it alter d type text using 'on ' || d;"
            "update it set c = 1.5 where id = 1",
            "shop",
        )
        done = loads.load()
        assert sorted(done.report.said) == [
            "sources.shop: public.it has no column 'n' any more; its cells are empty from this run on.",
            "sources.shop: the type of public.it.d changed from date to text; both are kept as text from this run on.",
        ]
        assert loads.rows("id, n, d, c::varchar") == [
            (1, None, "on 2025-01-01", "1.50"),
            (2, None, "on 2025-01-02", None),
        ]
        assert loads.past("id, n, d, _until_run_id", "id, _until_run_id") == [
            (1, 1, "2025-01-01", "run3"),
            (2, 2, "2025-01-02", "run3"),
        ]
        assert loads.load().report.said == []
        postgres.execute("alter table it rename v to w", "shop")
        with pytest.raises(MissingColumns, match=r"lacks the column 'v' \(columns.v\)"):
            loads.load()


def test_another_key_parts_the_table_anew(postgres: Postgres, tmp_path: Path) -> None:
    made = (
        "create table it (id int primary key, code text not null); "
        "insert into it select g, 'c' || g from generate_series(1, 2500) g"
    )
    with loading(tmp_path, shop(postgres, tmp_path, made), "it") as loads:
        loads.load()
        postgres.execute(
            "alter table it drop constraint it_pkey; alter table it add primary key (code)", "shop"
        )
        done = loads.load()
        assert "is now kept under the key code (before: id)" in done.report.said[0]
        assert len(loads.rows("1")) == 2500
        assert all("c1" not in path for path, _ in loads.parts())  # keys of text may be somebody's address


def test_a_key_of_the_settings_must_be_one(postgres: Postgres, tmp_path: Path) -> None:
    made = "create view it as select g % 10 as a, g as b, nullif(g, 7) as c from generate_series(1, 2500) g"
    dsn = shop(postgres, tmp_path, made)
    (tmp_path / "b").mkdir()
    with loading(tmp_path / "b", dsn, "it", key=("b",)) as loads:
        loads.load()
        assert len(loads.rows("1")) == 2500
    for key, message in [
        (("a",), r"public.it is not unique by its key a: .* too many, for example of 0"),
        (("c",), r"has 2,500 rows, of which the ranges of its key c hold 2,499"),
        (("d",), r"public.it has no column 'd'"),
    ]:
        folder = tmp_path / key[0]
        folder.mkdir(exist_ok=True)
        with loading(folder, dsn, "it", key=key) as loads, pytest.raises(InputError, match=message):
            loads.load()


def test_a_mended_row_stays_until_its_source_changes(postgres: Postgres, tmp_path: Path) -> None:
    made = "create table it (id int primary key, d text); insert into it values (1, '2025-13-01'), (2, '2025-14-02')"
    with loading(tmp_path, shop(postgres, tmp_path, made), "it") as loads:
        loads.load()
        con = loads.con
        for line, mended in ((1, "2025-12-01"), (2, "2025-12-02")):
            con.execute(
                f"insert into raw.mended select 'shop.it', _file_id, {line}, 'bad_date', "
                "json_object('id', id, 'd', d)::varchar, "
                f"json_object('id', id::varchar, 'd', '{mended}')::varchar, 'p', 'x' "
                f'from raw."shop.it" where _line = {line}'
            )
            con.execute(f"update raw.\"shop.it\" set d = '{mended}' where _line = {line}")
        postgres.execute(
            "insert into it values (3, '2025-01-03'); update it set d = '2025-02-02' where id = 2", "shop"
        )
        loads.load()
        assert loads.rows("id, d") == [(1, "2025-12-01"), (2, "2025-02-02"), (3, "2025-01-03")]
        assert con.execute("select line from raw.mended").fetchall() == [(1,)]


def test_copies_are_taken_away_once_the_load_is_committed(postgres: Postgres, tmp_path: Path) -> None:
    with loading(tmp_path, shop(postgres, tmp_path), "orders") as loads:
        loads.load(settle=False)
        staged = tmp_path / "staged" / "shop.it"
        assert len(list(staged.glob("*.csv.zst"))) == 6
        assert staged.stat().st_mode & 0o077 == 0
        loads.load()
        assert not staged.exists()


def test_the_reader_is_closed_behind_the_last_table(postgres: Postgres, tmp_path: Path) -> None:
    dsn = shop(postgres, tmp_path)
    with loading(tmp_path, dsn, "orders") as loads:
        reader = reader_of(dsn)
        loads.load(reader)
        busy = "select count(*) from pg_stat_activity where application_name = 'evervalue'"
        assert postgres.execute(busy) == [(0,)]
        loads.load(reader)
        assert raw_zone.key_of(loads.con, "shop.it") == ["id"]
