"""ConnectorX and dlt, in their own environment: `python -m benchmarks.full_load_peers connectorx|dlt DSN FOLDER`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks.measure import tell, timed

QUERY = "select * from orders"


def connectorx(dsn: str) -> Any:
    """The table as Arrow, read by four partitions of its key as the manual shows it."""
    import connectorx as cx

    return cx.read_sql(dsn, QUERY, partition_on="id", partition_num=4, return_type="arrow")


def dlt(dsn: str, folder: str) -> Any:
    """The table in a DuckDB file; what dlt's own source does with the backend that it calls fastest."""
    os.environ.update(DLT_DATA_DIR=f"{folder}/dlt", RUNTIME__DLTHUB_TELEMETRY="false")
    import connectorx as cx
    import dlt as it

    @it.resource(name="orders")
    def orders() -> Iterator[Any]:
        yield cx.read_sql(dsn, QUERY, return_type="arrow")

    pipeline = it.pipeline(
        "bench",
        pipelines_dir=f"{folder}/dlt",
        destination=it.destinations.duckdb(f"{folder}/dlt.duckdb"),
        dataset_name="raw",
    )
    return pipeline.run(orders())


def main() -> None:
    name, dsn, folder = sys.argv[1:]
    if name == "connectorx":
        _, took = timed(lambda: connectorx(dsn))
    else:
        _, took = timed(lambda: dlt(dsn, folder))
    tell(took)


if __name__ == "__main__":
    main()
