"""A project whose events come from a site, without a server between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evervalue.collector.log import LOG, Delivery, EventLog
from evervalue.collector.messages import Event, judged
from evervalue.core.progress import Silent
from evervalue.pipeline.event_files import write_event_files
from evervalue.warehouse import duckdb
from tests.support.projects import project, published

TOML = """
[project]
currency = "USD"
[sources.web]
kind = "events"
"""
NOW = 1_709_290_800_000_000


class Site:
    """A project whose events come from a site."""

    def __init__(
        self, folder: Path, toml: str = TOML, *, now: int = NOW, files: dict[str, str] | None = None
    ) -> None:
        self.folder = project(folder, files or {}, toml)
        self.n = 0
        self.now = now

    def send(self, *messages: dict[str, Any], source: str = "web") -> None:
        taken = []
        for message in messages:
            self.n += 1
            event = judged(
                {"messageId": f"m{self.n}", **message}, None, sent=None, received_us=self.now + self.n
            )
            assert isinstance(event, Event), event
            taken.append(event)
        (self.folder / "evervalue-data").mkdir(exist_ok=True)
        log = EventLog(self.folder / "evervalue-data" / LOG)
        log.write([Delivery(source, self.now + self.n, taken)])
        log.close()

    def lines(self) -> list[tuple[Any, ...]]:
        """The lines of orders that were published."""
        return published(
            self.folder,
            "select order_id, customer_id, kind, product_id, amount::double from curated.order_lines order by all",
        )

    def write(self, source: str = "web") -> None:
        """Write the files of what came, as a run does first."""
        data = self.folder / "evervalue-data"
        write_event_files(data, EventLog(data / LOG), [source], Silent())

    def written(self, sql: str, kind: str = "order_lines", source: str = "web") -> list[tuple[Any, ...]]:
        """Rows of the files of one kind, as `written` in the SQL."""
        pattern = self.folder / "evervalue-data" / "events" / source / kind / "*.parquet"
        con = duckdb.connect(temp_directory=self.folder)
        try:
            con.execute(f"create temp view written as from read_parquet('{pattern}')")
            return con.execute(sql).fetchall()
        finally:
            con.close()

    def counted(self) -> dict[tuple[str, str], float]:
        """What each order of each customer comes to, of what was written and neither refused nor set aside."""
        self.write()
        rows = self.written(
            "select order_id, customer_id, sum(case when (event = 'Order Completed' and part <> 'discount') or "
            "(event <> 'Order Completed' and part in ('discount', 'beyond')) then money else -money end)::double "
            "from (select *, coalesce(amount, quantity * unit_price) as money from written) "
            "where not is_again and fault is null group by all"
        )
        return {(number, who): money for number, who, money in rows}

    def faults(self) -> list[tuple[Any, ...]]:
        """Order, product and reason of each line that goes to quarantine."""
        return self.written(
            "select order_told, product_id, split_part(fault, ':', 1) from written "
            "where fault is not null and not is_again order by seq, part, place"
        )


def order(number: Any, day: str, *products: tuple[str, Any, Any], event: str = "Order Completed",
          user: str | None = "u1", **more: Any) -> dict[str, Any]:  # fmt: skip
    """An event of an order: (product, price, quantity) each, and what else its properties say."""
    sold = [{"product_id": p, "price": price, "quantity": n} for p, price, n in products]
    who = {"userId": user} if user else {}
    properties = {"order_id": number, "currency": "USD", **({"products": sold} if sold else {})}
    extra = {key: more.pop(key) for key in ("anonymousId",) if key in more}
    return {"type": "track", "event": event, "timestamp": f"{day}T12:00:00Z", **who, **extra,
            "properties": {**properties, **more}}  # fmt: skip
