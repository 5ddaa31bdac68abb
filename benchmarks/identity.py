"""Who is who at a million records: identifiers brought into one form, links, clusters, ids; a first run and a next one.

`python -m benchmarks.identity` prints the section; `--work ROWS KIND` is one process of it. Another way to the same
clusters stands beside: union-find in plain Python over the same links.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Took, fresh, tell, timed
from evervalue.core.progress import Silent
from evervalue.identity.components import components
from evervalue.identity.settings import IdentitySettings
from evervalue.identity.stage import IdentityStage
from evervalue.warehouse.duckdb import Connection, connect
from evervalue.warehouse.runner import build
from tests.support.mapped import Mapped

TABLES = ("records", "decisions", "identifiers", "links", "registry", "customer_ids")


def section(_folder: Path, say: Callable[[str], None], *, quick: bool = False) -> str:
    """The section of the report."""
    rows = 20_000 if quick else 1_000_000
    says = (
        f"{rows:,} records of two systems, an e-mail address and a telephone number each; every address of one system "
        "is carried by two records of it and one of the other."
    )
    lines = [
        "## Who is who",
        "",
        says,
        "",
        "| what | seconds | processor seconds | peak memory |",
        "| --- | ---: | ---: | ---: |",
    ]
    for kind, what in (
        ("first", "a first run: forms, links, clusters, ids"),
        ("next", "the next run, with its registry"),
        ("stars", "clusters alone, in the engine"),
        ("union-find", "clusters alone, union-find in Python over the same links"),
        ("chain", "clusters of one chain of all records, in the engine"),
    ):
        say(f"identity: {kind}")
        found = fresh("benchmarks.identity", "--work", str(rows), kind)
        lines.append(f"| {what} | {found.seconds:.1f} | {found.cpu_seconds:.1f} | {found.peak_mb:,.0f} MB |")
    return "\n".join(lines) + "\n"


def company(rows: int) -> Mapped:
    """Records and identifiers of two systems."""
    mapped = Mapped(warehouse=True, country="DE")
    half = rows // 2
    for system, key in (("crm", "A"), ("shop", "c")):
        mapped.source(system, "identifiers", customer_keys=system)
        each = "i // 2" if system == "crm" else "i"
        mapped.con.execute(
            "insert into mapped.identifiers (source, file_id, line, customer_id, type, value) "
            f"select '{system}', 'f', i * 2 + 1, '{key}' || i, 'email', 'Person' || ({each}) || '@Firm.DE' "
            f"from range({half}) as t(i) union all "
            f"select '{system}', 'f', i * 2 + 2, '{key}' || i, 'phone', '0' || (8900000 + i * 7 + {len(key)}) "
            f"from range({half}) as t(i)"
        )
    return mapped


def run(mapped: Mapped, number: int) -> None:
    """Who is who, as a run finds out."""
    mapped.con.execute("drop schema if exists memory.identity cascade")
    stage = IdentityStage(IdentitySettings(country="DE"), run_id=f"r{number}", warehouse="remembering")
    models = [mapped.models[f"identity.{name}"] for name in TABLES]
    given = [name for name in mapped.models if name.split(".")[0] in ("mapped", "run")]
    build(mapped.con, models, given=given, fillers=stage.fillers(), progress=Silent())
    stage.keep(mapped.con, "memory")


def edges(con: Connection, rows: int, kind: str) -> None:
    """The table `edges`: stars of three records, or one chain."""
    pairs = "i, i + 1" if kind == "chain" else "i - i % 3, i"
    a, b = pairs.split(", ")
    con.execute(f"create table edges as select {a} as a, {b} as b from range({rows}) as t(i)")


def union_find(con: Connection) -> int:
    """The number of clusters, the plain way."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while (above := parent.setdefault(node, node)) != node:
            parent[node] = parent[above]
            node = above
        return node

    for a, b in con.execute("select a, b from edges where a <> b").fetchall():
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return len({root(node) for node in parent})


def work(rows: int, kind: str) -> Took:
    """How long one piece takes, without making its data."""
    if kind in ("first", "next"):
        mapped = company(rows)
        if kind == "next":
            run(mapped, 1)
        return timed(lambda: run(mapped, 2))[1]
    con = connect()
    edges(con, rows, kind)
    if kind == "union-find":
        return timed(lambda: union_find(con))[1]
    return timed(lambda: components(con, "edges", "found"))[1]


def main() -> None:
    """One piece, or the section."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", nargs=2, metavar=("ROWS", "KIND"))
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    if asked.work:
        tell(work(int(asked.work[0]), asked.work[1]))
    else:
        print(section(Path(), lambda text: print(text, file=sys.stderr), quick=asked.quick))


if __name__ == "__main__":
    main()
