"""Declared tables: their order, their constants, and what their checks catch."""

from __future__ import annotations

from decimal import Decimal

import pytest

from evervalue.core.errors import CheckFailed, CycleError, TableError
from evervalue.core.progress import Silent
from evervalue.warehouse.duckdb import Connection, connect
from evervalue.warehouse.head import split
from evervalue.warehouse.runner import build
from evervalue.warehouse.sql_model import SqlModel, in_order, upstream


def model(table: str, sql: str, columns: str = "n: {type: integer, says: a number}", **head: str) -> SqlModel:
    lines = [f"table: {table}", f"grain: {head.pop('grain', 'n')}", "says: A table of a test."]
    lines += [f"{name}: {text}" for name, text in head.items()]
    lines += ["columns:", *(f"  {line}" for line in columns.splitlines())]
    where = table.replace(".", "/") + ".sql"
    return SqlModel(*split("/* ---\n" + "\n".join(lines) + "\n--- */\n" + sql, where), where)


@pytest.fixture
def con() -> Connection:
    return connect()


def test_tables_are_built_behind_those_they_read(con: Connection) -> None:
    models = [
        model("b.last", "select n + 1 as n from a.middle"),
        model("a.middle", "select n + 1 as n from c.first"),
        model("c.first", "select 1 as n"),
    ]
    built = build(con, models, progress=Silent())
    assert [b.name for b in built] == ["c.first", "a.middle", "b.last"]
    assert con.execute("select n from b.last").fetchall() == [(3,)]
    assert upstream(models, "a.middle") == {"a.middle", "c.first"}


def test_equals_are_ordered_by_name() -> None:
    models = [model(f"x.{name}", "select 1 as n") for name in "cab"]
    assert [m.name for m in in_order(models)] == ["x.a", "x.b", "x.c"]


def test_a_circle_is_named() -> None:
    models = [
        model("x.a", "select n from x.c"),
        model("x.b", "select n from x.a"),
        model("x.c", "select n from x.b"),
    ]
    with pytest.raises(
        CycleError, match=r"x\.a reads x\.c reads x\.b reads x\.a|x\.b reads|x\.c reads"
    ) as error:
        in_order(models)
    assert all(name in str(error.value) for name in ("x.a", "x.b", "x.c"))


def test_a_constant_that_reads_closes_a_circle_too() -> None:
    models = [
        model("x.a", "select $most as n", constants="{most: select max(n) from x.b}"),
        model("x.b", "select n from x.a"),
    ]
    with pytest.raises(CycleError):
        in_order(models)


def test_an_unknown_table_is_told_with_the_nearest() -> None:
    models = [model("x.customers", "select 1 as n"), model("x.a", "select n from x.custmers")]
    with pytest.raises(TableError, match=r"x/a\.sql reads x\.custmers.*did you mean 'x\.customers'"):
        in_order(models)


def test_a_parameter_without_a_constant_is_refused() -> None:
    with pytest.raises(TableError, match=r"uses \$most"):
        in_order([model("x.a", "select $most as n")])


def test_constants_are_exact_and_may_use_one_another(con: Connection) -> None:
    constants = "{tenth: 'select 0.1::decimal(18,4)', list: 'select [$tenth, 2 * $tenth]'}"
    money = "n: {type: 'decimal(18,4)', says: money}"
    build(
        con,
        [model("x.a", "select unnest($list)::decimal(18,4) as n", money, constants=constants)],
        progress=Silent(),
    )
    assert con.execute("select n from x.a order by n").fetchall() == [
        (Decimal("0.1000"),),
        (Decimal("0.2000"),),
    ]


BROKEN = {
    "type": ("select 1::bigint as n", "n: {type: integer, says: s}", "Column n is bigint, declared integer"),
    "extra": ("select 1 as n, 2 as m", "n: {type: integer, says: s}", r"not declared: \['m'\]"),
    "missing": ("select 1 as n", "n: {type: integer, says: s}\nm: {type: integer, says: s}", r"missing: \['m'\]"),
    "null": ("select null::integer as n", "n: {type: integer, says: s}", "1 row where n is null"),
    "grain": ("select unnest([7, 7, 8]) as n", "n: {type: integer, says: s}", "1 value of n stand.*: n=7"),
    "range": ("select unnest([1, -2]) as n", "n: {type: integer, says: s, check: '>= 0'}", "n is not >= 0: n=-2"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_promise_shows_the_bad_rows(con: Connection, what: str) -> None:
    sql, columns, says = BROKEN[what]
    with pytest.raises(CheckFailed, match=says):
        build(con, [model("x.a", sql, columns)], progress=Silent())


def test_relations_rules_and_every_fault_at_once(con: Connection) -> None:
    columns = "n: {type: integer, references: x.known.n, says: s}\nm: {type: integer, says: s, check: '< 5'}"
    models = [
        model("x.known", "select 1 as n"),
        model("x.a", "select unnest([1, 2]) as n, 9 as m", columns, checks="{m follows n: m > 10 * n}"),
    ]
    with pytest.raises(CheckFailed) as error:
        build(con, models, progress=Silent())
    said = str(error.value)
    assert "2 rows where m is not < 5" in said
    assert "2 rows where not so: m follows n" in said
    assert "1 row where n is not in x.known.n: n=2" in said


def test_personal_values_are_never_shown(con: Connection) -> None:
    columns = "name: {type: text, sensitivity: personal, says: s, check: \"<> 'Ann'\"}"
    with pytest.raises(CheckFailed) as error:
        build(con, [model("x.a", "select 'Ann' as name", columns, grain="name")], progress=Silent())
    assert "Ann'" in str(error.value)  # the rule itself
    assert "name=***" in str(error.value)


def test_one_row_tables(con: Connection) -> None:
    with pytest.raises(CheckFailed, match="must have one row and has 2"):
        build(con, [model("x.a", "select unnest([1, 2]) as n", grain="[]")], progress=Silent())


def test_a_head_that_says_something_unknown_is_refused() -> None:
    with pytest.raises(TableError, match=r"head of x/a\.sql"):
        model("x.a", "select 1 as n", "n: {type: integer, sayz: s}")
    with pytest.raises(TableError, match="does not begin with a head"):
        split("select 1", "x/a.sql")


def counted(con: Connection) -> None:
    con.execute("create table m.counted as select count(*)::integer as n from a.first")


def test_code_fills_a_table_in_the_middle_of_a_run(con: Connection) -> None:
    models = [
        model("z.last", "select n + 1 as n from m.counted"),
        model("m.counted", "", filled_by="a test", reads="[a.first]"),
        model("a.first", "select unnest([1, 2, 3]) as n"),
    ]
    built = build(con, models, fillers={"m.counted": counted}, progress=Silent())
    assert [(b.name, b.rows) for b in built] == [("a.first", 3), ("m.counted", 1), ("z.last", 1)]
    assert con.execute("select n from z.last").fetchall() == [(4,)]
    assert upstream(models, "z.last") == {"a.first", "m.counted", "z.last"}


def test_what_code_fills_is_held_to_its_head(con: Connection) -> None:
    models = [
        model("a.first", "select unnest([1, 2, 3]) as n"),
        model("m.counted", "", "n: {type: integer, says: s, check: '< 3'}", filled_by="t", reads="a.first"),
    ]
    with pytest.raises(CheckFailed, match=r"m\.counted .*n is not < 3: n=3"):
        build(con, models, fillers={"m.counted": counted}, progress=Silent())


def test_a_table_without_its_filler_and_reads_beside_a_select_are_refused(con: Connection) -> None:
    models = [
        model("a.first", "select 1 as n"),
        model("m.counted", "", filled_by="a test", reads="[a.first]"),
    ]
    with pytest.raises(TableError, match=r"m\.counted .* no filler"):
        build(con, models, progress=Silent())
    with pytest.raises(TableError, match=r"m/x\.sql reads a\.furst.*did you mean 'a\.first'"):
        in_order([models[0], model("m.x", "", filled_by="a test", reads="a.furst")])
    with pytest.raises(TableError, match="'reads' is for a table that is filled by code"):
        model("m.x", "select 1 as n", reads="[a.first]")
