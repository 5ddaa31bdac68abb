"""Lists that trust the order in which a table lies, and that the table really lies so."""

from __future__ import annotations

from importlib.resources import files

import pytest

from evervalue.api.queries import customers, gems
from evervalue.api.queries.base import ListQuery, Page
from evervalue.api.snapshots import SnapshotReader, Statement
from evervalue.warehouse.duckdb import connect
from tests.support.site import saas_data

LISTS = [
    (customers.CustomerFilters().query(), "customer_list.sql"),
    (gems.GemFilters().query(), "hidden_gems.sql"),
]


@pytest.mark.parametrize(("query", "file"), LISTS)
def test_the_head_declares_the_order_that_a_list_trusts(query: ListQuery, file: str) -> None:
    head = (files("evervalue.insight") / file).read_text("utf-8")
    stored = [key.expression for key in query.sorts.values() if key.stored]
    assert stored
    for expression in stored:
        assert f"\norder_by: {expression}\n" in head


@pytest.mark.parametrize(("query", "file"), LISTS)
def test_the_published_table_lies_in_that_order(query: ListQuery, file: str) -> None:
    reader = SnapshotReader(saas_data())
    with reader.lease() as reading:
        for key in (k.expression for k in query.sorts.values() if k.stored):
            rows = reading.result(Statement(f"select {key} from {query.table}", {})).rows
            assert [r[0] for r in rows] == sorted(r[0] for r in rows)
    reader.close()


def test_a_scan_that_stops_early_gives_the_first_rows_of_a_large_table() -> None:
    con = connect(threads=4)
    con.execute("create table big as select range as place, hash(range) % 97 as pick from range(1500000)")
    sql = "from big where pick = 5 and place > $after limit 51"
    ordered = "from big where pick = 5 and place > $after order by place limit 51"
    for after in (-1, 700_000, 1_499_000, 1_499_999):
        for _ in range(5):
            assert (
                con.execute(sql, {"after": after}).fetchall()
                == con.execute(ordered, {"after": after}).fetchall()
            )
    con.close()


def test_only_upward_pages_go_without_sorting() -> None:
    reader = SnapshotReader(saas_data())
    query = customers.CustomerFilters().query()
    with reader.lease() as reading:
        first = query.page(reading, Page("-monetary", limit=10))
        assert "order by" not in first.statement.sql
        second = query.page(reading, Page("-monetary", after=first.next, limit=10))
        assert "order by" not in second.statement.sql
        back = query.page(reading, Page("-monetary", before=second.previous, limit=10))
        assert "order by list_position desc" in back.statement.sql
        assert back.rows == first.rows
        assert "order by" in query.page(reading, Page("monetary", limit=10)).statement.sql
    reader.close()
