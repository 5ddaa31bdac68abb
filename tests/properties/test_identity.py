"""Whatever the graph: the engine's components are those of union-find."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from evervalue.identity.components import components
from evervalue.warehouse.duckdb import connect, insert
from tests.support.mapped import Mapped

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


@settings(max_examples=25)
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


KEYS = st.sampled_from(["a", "b", "c", "d", "e", "f"])
CARRIED = st.lists(
    st.tuples(
        st.sampled_from(["crm", "erp", "shop"]),
        KEYS,
        st.sampled_from(["email", "tax_number"]),
        st.integers(0, 6),
    ),
    max_size=25,
)
LIMITS = {"email": 2, "tax_number": 3}


def clusters(rows: list[tuple[str, str, str, int]]) -> dict[str, str]:
    """Record: least record of its cluster, by union-find over identifiers that few records of a namespace carry."""
    carriers: dict[tuple[str, int], set[tuple[str, str]]] = {}
    for space, key, type, value in rows:
        carriers.setdefault((type, value), set()).add((space, key))
    records = sorted({(space, key) for space, key, *_ in rows})
    number = {record: n for n, record in enumerate(records)}
    edges = []
    for (type, _), carrying in carriers.items():
        most = max(sum(1 for other, _ in carrying if other == space) for space, _ in carrying)
        if most <= LIMITS[type]:
            first = min(carrying)
            edges += [(number[first], number[record]) for record in carrying]
    found = union_find(edges)
    return {":".join(record): ":".join(records[found.get(n, n)]) for record, n in number.items()}


@settings(max_examples=6)
@given(rows=CARRIED, data=st.data())
def test_a_fresh_registry_depends_on_no_order_and_a_kept_one_stays(
    rows: list[tuple[str, str, str, int]], data: st.DataObject
) -> None:
    expected = clusters(rows)
    mixed = data.draw(st.permutations(rows))
    half = mixed[: len(mixed) // 2]
    for order in (rows, mixed):
        mapped = _carrying(order)
        found = _ids(mapped)
        several = len({record.split(":")[0] for record in found}) > 1
        assert found == {r: least if several else least.split(":")[1] for r, least in expected.items()}
        assert _ids(mapped) == found
        mapped.con.close()
    # Records that come in two runs end in the same clusters, whatever their ids; and no id means two customers.
    grown = _carrying(half)
    before = _ids(grown)
    _carry(grown, mixed[len(half) :])
    after = _ids(grown)
    assert {_together(after, r) for r in after} == {_together(expected, r) for r in expected}
    named = dict(grown.rows("select alias, customer_id from identity.aliases"))
    for record, was in before.items():
        assert after[record] in (was, named.get(was)) or was in after.values()
    ids = [i for (i,) in grown.rows("select customer_id from identity.customer_ids")]
    assert len(ids) == len(set(ids))
    grown.con.close()


def _together(of: dict[str, str], record: str) -> frozenset[str]:
    return frozenset(other for other, found in of.items() if found == of[record])


def _carrying(rows: list[tuple[str, str, str, int]]) -> Mapped:
    mapped = Mapped(
        warehouse=True, email_limit=LIMITS["email"], number_limit=LIMITS["tax_number"], max_records=99
    )
    for system in ("crm", "erp", "shop"):
        mapped.source(system, "identifiers", customer_keys=system)
    _carry(mapped, rows)
    return mapped


def _carry(mapped: Mapped, rows: list[tuple[str, str, str, int]]) -> None:
    written = {"email": "u{}@firm.de", "tax_number": "DE81252631{}"}
    for system, key, type, value in rows:
        row = {"customer_id": key, "type": type, "value": written[type].format(value)}
        mapped.add("identifiers", system, row)


def _ids(mapped: Mapped) -> dict[str, str]:
    mapped.build("curated.customer_keys", "identity.aliases")
    return dict(
        mapped.rows("select namespace || ':' || customer_key, customer_id from curated.customer_keys")
    )
