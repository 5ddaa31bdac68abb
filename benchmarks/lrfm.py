"""LRFM scores and tiers of 10 M order lines and 1 M customers, beside what people write by hand."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

from benchmarks import data
from benchmarks.measure import Result, fresh
from evervalue.warehouse.duckdb import connect, literal

OURS = {
    "polars": "evervalue-polars",
    "duckdb-windows": "evervalue-duckdb",
    "pandas": "evervalue-pandas",
    "lifetimes": "evervalue-pandas",
}
"""Each peer beside ours from the same kind of frame."""
SAYS = {
    "evervalue-polars": "`ev.lrfm` on a Polars DataFrame",
    "evervalue-arrow": "`ev.lrfm` on an Arrow table",
    "evervalue-duckdb": "the same tables over a DuckDB table",
    "evervalue-pandas": "`ev.lrfm` on a pandas DataFrame (float money)",
    "polars": "hand-written Polars",
    "duckdb-windows": "hand-written DuckDB, four window ranks",
    "pandas": "hand-written pandas (float money)",
    "lifetimes": "lifetimes' summary alone (no scores)",
}
BARS = {
    "polars": ("level with hand-written Polars", 1.0),
    "duckdb-windows": ("faster than hand-written DuckDB", 1.0),
    "pandas": ("5x faster than pandas", 5.0),
    "lifetimes": ("7x faster than lifetimes' summary", 7.0),
}
ABOUT = """\
Every run is a process of its own, in turn with the others; the frame is in memory when the clock starts, and one row a
customer when it stops. Seconds are those of the best run, in brackets the median; CPU seconds are those of all threads
together, whoever else used the machine."""
COMPARED = ("l_score", "r_score", "f_score", "m_score", "lrfm_score", "customer_value")


def section(folder: Path, say: Callable[[str], None], *, quick: bool) -> str:
    """The section of the report: every peer in fresh processes, in turn, and their scores compared."""
    return "\n".join(_part(folder, say, quick=quick, text=text) for text in (False, True))


def _part(folder: Path, say: Callable[[str], None], *, quick: bool, text: bool) -> str:
    lines, customers, rounds = (100_000, 10_000, 1) if quick else (10_000_000, 1_000_000, 3)
    path = data.parquet(folder, lines, customers, text=text)
    few = data.parquet(folder, 1_000, 100, text=text)
    results: dict[str, list[Result]] = {name: [] for name in SAYS}
    for turn in range(rounds):
        for name, found in results.items():
            if name == "lifetimes" and turn:
                continue  # far off, and slow: once is enough
            found.append(
                fresh("benchmarks.peers", name, str(path), str(few), str(folder / f"scores_{name}.parquet"))
            )
            say(f"{name}: {found[-1].seconds:.2f} s, {found[-1].peak_mb:,.0f} MB")
    return "\n".join(
        [
            f"## LRFM and tiers, {lines:,} order lines, {customers:,} customers, {'text' if text else 'number'} keys",
            "",
            ABOUT,
            "",
            "| who | seconds | CPU seconds | peak memory of the process | scores |",
            "| --- | ---: | ---: | ---: | --- |",
            *[_row(folder, name, found) for name, found in results.items()],
            "",
            "| bar | beside ours from the same frame | ratio of seconds | of CPU seconds | met |",
            "| --- | --- | ---: | ---: | --- |",
            *[_bar(name, results) for name in BARS],
            "",
        ]
    )


def _row(folder: Path, name: str, found: list[Result]) -> str:
    seconds = [r.seconds for r in found]
    cpu, memory = min(r.cpu_seconds for r in found), max(r.peak_mb for r in found)
    return (
        f"| {SAYS[name]} | {min(seconds):.2f} ({statistics.median(seconds):.2f}) | {cpu:.2f} | {memory:,.0f} MB "
        f"| {_compared(folder, name)} |"
    )


def _bar(name: str, results: dict[str, list[Result]]) -> str:
    says, wanted = BARS[name]
    theirs, ours = results[name], results[OURS[name]]
    ratio = min(r.seconds for r in theirs) / min(r.seconds for r in ours)
    cpu = min(r.cpu_seconds for r in theirs) / min(r.cpu_seconds for r in ours)
    met = "yes" if ratio >= wanted else "no"
    return f"| {says} | {SAYS[name]} against {SAYS[OURS[name]]} | {ratio:.2f} | {cpu:.2f} | {met} |"


def _compared(folder: Path, name: str) -> str:
    if name == "evervalue-polars":
        return "the measure for the others"
    if name == "lifetimes":
        return "none"
    con = connect()
    differs = " or ".join(f"a.{c}::text is distinct from b.{c}::text" for c in COMPARED)
    ours, theirs = (literal(str(folder / f"scores_{n}.parquet")) for n in ("evervalue-polars", name))
    rows, different = con.execute(
        f"select count(*), count(*) filter (where {differs}) "
        f"from read_parquet({ours}) as a full join read_parquet({theirs}) as b on a.customer = b.customer"
    ).fetchone() or (0, 0)
    con.close()
    return (
        "the same"
        if not different
        else f"{different:,} of {rows:,} customers differ (float money ties otherwise)"
    )
