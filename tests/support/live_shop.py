"""A shop with sales in a file and a site that sends events, published, for tests of what is live."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.support.projects import project, run_project
from tests.support.sites import Site

TOML = """
[project]
name = "Corner shop"
currency = "USD"
[lrfm]
monetary = "revenue"
[value]
model = "bg-nbd"
spend = "gamma-gamma"
[sources.erp]
path = "sales.csv"
customer_keys = "shop"
[sources.erp.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
customer_name = "name"
amount = "amount"
[sources.web]
kind = "events"
customer_keys = "shop"
"""


@functools.cache
def _published(trust: str) -> Path:
    """The shop without events, published once a test session."""
    rows = ["order,date,customer,name,amount"]
    for customer in range(30):
        for n in range(1 + customer % 5):
            day, amount = 1 + (customer * 7 + n * 3) % 28, 10 + (customer * 13 + n * 7) % 50
            rows.append(
                f"S{customer}-{n},2023-{1 + n * 2:02}-{day:02},c{customer},Customer {customer},{amount}"
            )
    rows.append("last,2024-02-20,c29,Customer 29,40")
    folder = Path(tempfile.mkdtemp(prefix="evervalue-live-shop-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    files = {"sales.csv": "\n".join(rows) + "\n"}
    run_project(project(folder / "shop", files, f'{TOML}trust = "{trust}"\n'))
    return folder / "shop"


class LiveShop(Site):
    """Thirty customers with some orders each; events come when a test sends them."""

    def __init__(self, folder: Path, *, trust: str = "server") -> None:
        shutil.copytree(_published(trust), folder)
        super().__init__(folder, (folder / "evervalue.toml").read_text("utf-8"))
        self.data = folder / "evervalue-data"

    def send(self, *messages: dict[str, Any], source: str = "web") -> None:
        day = "2024-03-01T11"
        super().send(
            *({"timestamp": f"{day}:{self.n // 60:02}:{self.n % 60:02}Z", **one} for one in messages),
            source=source,
        )

    def buys(self, who: str, number: str, amount: Any, **more: Any) -> dict[str, Any]:
        """The event of an order."""
        properties = {"order_id": number, "currency": "USD", "subtotal": amount}
        return {"type": "track", "event": "Order Completed", "userId": who, "properties": properties, **more}
