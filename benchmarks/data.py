"""Made-up order lines, the same on every machine: five lines to two orders, four orders a customer, a long tail."""

from __future__ import annotations

from pathlib import Path

from evervalue.warehouse.duckdb import connect, literal

LINES = """
    with lines as (
        select
            line, 2 * (line // 5) + (line % 5) // 3 as place,
            hash(2 * (line // 5) + (line % 5) // 3) as chance, hash(7 * line + 1) as price
        from range({lines}) as lines(line)
    )
    select
        -- Every customer has an order; further orders fall to few. Keys have one length, so text and number sort alike.
        {key} (({base} + case when place < {customers} then (place * 7919) % {customers}
            else least({customers} - 1,
                cast({customers} * pow(cast(chance % 2147483647 as double) / 2147483647, 1.6) as bigint))
        end)::bigint) as customer_id,
        (10 * {base} + place)::bigint as order_id,
        date '2020-01-01' + cast((chance // 2147483647) % 1460 as integer) as order_date,
        (cast(cast(price % 400000 as bigint) - 60000 as decimal(18,4)) / 100)::decimal(18,4) as monetary
    from lines
"""


def parquet(folder: Path, lines: int, customers: int, *, text: bool = False) -> Path:
    """A Parquet file of that many order lines, written once; customers' keys are whole numbers or text."""
    name = f"lines_{lines}_{customers}{'_text' if text else ''}.parquet"
    return _written(folder / name, lines, customers, "format parquet", "'C-' ||" if text else "")


def csv(folder: Path, lines: int, customers: int) -> Path:
    """The same as CSV."""
    return _written(folder / f"lines_{lines}_{customers}.csv", lines, customers, "format csv, header")


def _written(path: Path, lines: int, customers: int, options: str, key: str = "") -> Path:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        con = connect(memory_limit="3GB", temp_directory=path.parent / "spill")
        con.execute("set preserve_insertion_order = false")
        query = LINES.format(lines=lines, customers=customers, base=10 ** len(str(customers)), key=key)
        partial = path.with_suffix(".partial")
        con.execute(f"copy ({query}) to {literal(str(partial))} ({options})")
        con.close()
        partial.rename(path)
    return path
