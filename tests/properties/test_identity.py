"""Whatever the graph: the engine's components are those of union-find."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from evervalue.identity.components import components
from evervalue.warehouse.duckdb import connect, insert

EDGES = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=60)


def union_find(edges: list[tuple[int, int]]) -> dict[int, int]:
    """Node: least node of its component, for nodes with an edge to another."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    for a, b in edges:
        if a != b:
            low, high = sorted((root(a), root(b)))
            parent[high] = low
    return {node: root(node) for node in parent}


@settings(max_examples=60)
@example(edges=[])
@example(edges=[(7, 7)])
@example(edges=[(n, n + 1) for n in range(1, 40)])
@example(edges=[(n, 41 - n) for n in range(1, 21)] + [(20, 40)])
@given(edges=EDGES)
def test_components_are_those_of_union_find(edges: list[tuple[int, int]]) -> None:
    con = connect()
    try:
        con.execute("create table edges (a bigint, b bigint)")
        insert(con, "edges", edges)
        components(con, "edges", "found")
        assert dict(con.execute("select node, component from found").fetchall()) == union_find(edges)
    finally:
        con.close()
