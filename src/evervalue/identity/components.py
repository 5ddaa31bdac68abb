"""Connected components of a graph, in the engine: exact, in a few rounds whatever the length of its chains.

Source: Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii (2014), "Connected Components in MapReduce and Beyond":
alternating large-star and small-star. Each round ties every node nearer to the least one it is joined with; when a
round changes nothing, every edge leads from a node to the least of its component.
"""

from __future__ import annotations

from evervalue.warehouse.duckdb import Connection

LARGE_STAR = """
    with both_ways as (select high as u, low as v from {edges} union all select low, high from {edges}),
    least as (select u, least(u, min(v)) as m from both_ways group by u)
    select distinct v as high, m as low from both_ways join least using (u) where v > u
"""
SMALL_STAR = """
    with least as (select high as u, min(low) as m from {edges} group by high)
    select distinct high, low from (
        select e.low as high, l.m as low from {edges} as e join least as l on l.u = e.high where e.low <> l.m
        union all
        select u, m from least
    )
"""


def components(con: Connection, edges: str, into: str) -> int:
    """The number of rounds it took to write (node, component) of every node with an edge into the temp table `into`.

    A component is named by its least node.

    Parameters
    ----------
    edges
        Table or query in brackets with the columns `a` and `b`, whole numbers.
    into
        Name of a temporary table, which is made.
    """
    con.execute(
        "create or replace temp table cc_edges as "
        f"select distinct greatest(a, b) as high, least(a, b) as low from {edges} where a <> b"
    )
    rounds = 0
    while True:
        rounds += 1
        con.execute(f"create or replace temp table cc_large as {LARGE_STAR.format(edges='cc_edges')}")
        con.execute(f"create or replace temp table cc_small as {SMALL_STAR.format(edges='cc_large')}")
        still = _same(con, "cc_edges", "cc_small")
        con.execute("create or replace temp table cc_edges as from cc_small")
        if still:
            break
    con.execute(
        f"create or replace temp table {into} as select high as node, low as component from cc_edges "
        "union all select distinct low, low from cc_edges"
    )
    for table in ("cc_edges", "cc_large", "cc_small"):
        con.execute(f"drop table {table}")
    return rounds


def _same(con: Connection, one: str, other: str) -> bool:
    """Whether two tables of distinct rows hold the same."""
    row = con.execute(
        f"select (select count(*) from {one}) = (select count(*) from {other}) "
        f"and not exists (select * from {one} as o anti join {other} as x on x.high = o.high and x.low = o.low)"
    ).fetchone()
    return bool(row and row[0])
