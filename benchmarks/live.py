"""Live profiles a second at a million customers while events come, and how soon a page is told of an order.

`python -m benchmarks --only live` writes the table.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evervalue.core.clock import SystemClock

ROOT = Path(__file__).parents[1]
EVERVALUE = [sys.executable, "-u", "-c", "from evervalue.cli import main; main()"]
PROFILES, ORDERS = (25, 50, 100, 200, 300), 100
SETTINGS = """
[project]
currency = "USD"
[lrfm]
monetary = "revenue"
ties = "share"
[value]
model = "bg-nbd"
spend = "gamma-gamma"
[sources.erp]
path = "sales.csv"
customer_keys = "shop"
columns = { order_id = "order", ordered_at = "date", customer_id = "customer", amount = "amount" }
[sources.web]
kind = "events"
customer_keys = "shop"
"""
TEXT = """\
## Live profiles

`evervalue serve --workers 2` over a published run of {customers:,} customers and {orders:,} orders, with the collector
beside it: {sent} orders a second come as events while profiles (`GET /v1/customers/ID`, random customers) are asked for
at a steady rate. Server, collector and load generator share {cores} cores; the load average before was {load:.1f}.

| profiles a second | p50 | p99 | p50, scored anew | p99, scored anew | orders acknowledged, p99 |
| ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

The goal is a p99 under 20 ms at 300 profiles a second: {goal}. The first two figures are of a run of the same day, in
which who has nothing new stands as in the run; once the newest event is of a later day, each customer that is asked for
is scored anew, which the next two tell. Both after a minute in which the server was asked already: what it has not read
yet comes from the disk.

From the acknowledgement of an order to the stream that tells the new profile: p50 {stream_p50:.0f} ms, p99
{stream_p99:.0f} ms ({times} orders, one after the other; the goal is 50 ms).
"""


def made(folder: Path, customers: int) -> int:
    """The number of orders in the project that is made in the folder, and published."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    each = random.geometric(0.33, customers)
    who = np.repeat(np.arange(customers), each)
    first = random.integers(0, 700, customers)[who]
    ago = np.maximum(1000 - first - random.integers(0, 400, len(who)), 0)
    day = np.datetime64(SystemClock().now().date()) - ago
    amount = np.round(random.gamma(2, 20, len(who)) + 1, 2)
    with (folder / "sales.csv").open("w") as file:
        file.write("order,date,customer,amount\n")
        rows = zip(day.astype(str), who, amount, strict=True)
        file.writelines(f"o{n},{when},u{one},{money}\n" for n, (when, one, money) in enumerate(rows))
    (folder / "evervalue.toml").write_text(SETTINGS)
    subprocess.run([*EVERVALUE, "run", "."], cwd=folder, capture_output=True, check=True)
    return len(who)


class Serving:
    """Pages and collector over the project."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [*EVERVALUE, "serve", ".", "--workers", "2", "--port", "0", "--collect-port", "0", "--open"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            said += self.process.stdout.readline()
        self.pages, self.events = (int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", said)[:2])
        made = subprocess.run(
            [*EVERVALUE, "keys", "create", "web"], cwd=folder, capture_output=True, text=True, check=True
        )
        self.key = made.stdout.strip()

    def load(self, customers: int, *arguments: object) -> dict[str, Any]:
        """What the load generator tells."""
        given = [self.pages, self.events, self.key, customers, *arguments]
        ran = subprocess.run(
            [sys.executable, "-m", "benchmarks.live_load", *map(str, given)],
            cwd=ROOT, capture_output=True, text=True, check=True, timeout=600,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
        return found

    def stop(self) -> None:
        """End both."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


def measured(
    server: Serving, customers: int, rate: int, seconds: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """What the load generator tells of one rate."""
    say(f"{rate} profiles a second")
    found = server.load(customers, rate, ORDERS, seconds)
    bad = {name: of["bad"] for name, of in found.items() if of["bad"]}
    if bad:
        say(f"not answered well: {bad}")
    return found


def cells(asked: dict[str, Any]) -> str:
    """Median and 99th percentile; with how many were refused."""
    refused = f" ({asked['bad']} refused)" if asked["bad"] else ""
    return f"{asked['p50_ms']:.0f} ms | {asked['p99_ms']:.0f} ms{refused}"


def section(folder: Path, say: Callable[[str], None], *, quick: bool = False) -> str:
    """The section of the report."""
    customers, seconds, times = (2_000, 2, 20) if quick else (1_000_000, 10, 200)
    rates = PROFILES[:2] if quick else PROFILES
    say(f"{customers:,} customers")
    orders = made(folder / "live", customers)
    load = os.getloadavg()[0]
    server = Serving(folder / "live")
    try:
        server.load(customers, 100, 10, 10 if quick else 60)  # what is read stays in memory
        say("order to stream")
        stream = server.load(customers, "stream", times)
        found = {rate: measured(server, customers, rate, seconds, say) for rate in rates}
        say("the same a day later")
        today = str(SystemClock().now().date())
        subprocess.run(
            [*EVERVALUE, "run", ".", "--as-of", today], cwd=folder / "live", capture_output=True, check=True
        )
        server.load(customers, 100, 10, 10 if quick else 60)
        later = {rate: measured(server, customers, rate, seconds, say) for rate in rates}
    finally:
        server.stop()
    rows = [
        f"| {rate} | {cells(found[rate]['profiles'])} | {cells(later[rate]['profiles'])} | "
        f"{found[rate]['orders']['p99_ms']:.0f} ms |"
        for rate in rates
    ]
    last = found[max(rates)]["profiles"]["p99_ms"]
    met = "met" if last < 20 and max(rates) == PROFILES[-1] else f"missed, {last:,.0f} ms at {max(rates)}"
    return TEXT.format(
        customers=customers, orders=orders, sent=ORDERS, cores=os.cpu_count(), load=load, rows="\n".join(rows),
        goal=met, stream_p50=stream["p50_ms"], stream_p99=stream["p99_ms"], times=times,
    )  # fmt: skip
