"""How fast the dashboard is over a million customers: `python -m benchmarks.dashboard`.

Makes a company (one line an order, five orders a customer), takes it through the real pipeline, starts the
real server, and measures every interaction over HTTP and in Chromium. Prints a table in Markdown; the bars
are those of the design. `--customers 100000` is a quick look; `--data DIR` measures a data directory that
exists.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from subprocess import DEVNULL, Popen
from sys import executable
from urllib.parse import quote, urlsplit

from evervalue.core.clock import FixedClock
from evervalue.core.progress import Silent
from evervalue.dashboard.serve import listen
from evervalue.pipeline.run import run
from evervalue.pipeline.settings import read_project
from evervalue.warehouse.duckdb import connect, literal

TOML = """
[project]
name = "A million customers"
currency = "EUR"
[sources.sales]
path = "sales.parquet"
[sources.sales.columns]
order_id = "order_id"
ordered_at = "ordered_at"
customer_id = "customer_id"
customer_name = "customer"
amount = "amount"
margin = "margin"
region = "region"
[lrfm]
ties = "share"
"""
SERVE = """
import sys
from pathlib import Path
from evervalue.dashboard.serve import serve
serve(Path(sys.argv[1]), port=int(sys.argv[2]))
"""
SLOW = " (4x slower CPU, 10 Mbit/s, 40 ms)"
GRID = {"HX-Request": "true", "HX-Target": "div#grid"}


@dataclass(frozen=True)
class Measure:
    """One row of the table."""

    what: str
    limit: str
    found: str
    good: bool

    def __str__(self) -> str:
        return f"| {self.what} | {self.limit} | {self.found}{'' if self.good else ' **missed**'} |"


def company(folder: Path, customers: int) -> Path:
    """The data directory of a made-up company, published by the real pipeline."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evervalue.toml").write_text(TOML, "utf-8")
    con = connect()
    con.execute("select setseed(0.5)")
    con.execute(
        f"""copy (
            select 'O' || i as order_id,
              date '2022-01-01' + cast(floor(random() * 730) as integer) as ordered_at,
              'C' || lpad(cast(c as varchar), 8, '0') as customer_id,
              (['Blue','North','Bright','Old','Grand','Swift','Silver','Green'])[1 + c % 8] || ' '
                || (['Bakery','Motors','Foods','Energy','Bank','Works'])[1 + c % 6] || ' ' || c as customer,
              cast(10 + random() * 400 as decimal(18,2)) as amount,
              cast(random() * 90 - 15 as decimal(18,2)) as margin,
              (['AMER','EMEA','APJ'])[1 + c % 3] as region
            from (select range as i, cast(hash(range) % {customers} as bigint) as c from range({5 * customers}))
        ) to {literal(str(folder / "sales.parquet"))} (format parquet)"""
    )
    con.close()
    begun = time.perf_counter()
    run(read_project(folder), clock=FixedClock(dt.datetime(2024, 2, 1, tzinfo=dt.UTC)), progress=Silent())
    print(
        f"Published {customers:,} customers, {5 * customers:,} lines in {time.perf_counter() - begun:.0f} s.\n"
    )
    return read_project(folder).data_dir


@contextmanager
def server(data: Path) -> Iterator[tuple[str, int]]:
    """Address and process id of the server over a data directory, in a process of its own."""
    free = listen("127.0.0.1", 0)
    port = free.getsockname()[1]
    free.close()
    process = Popen([executable, "-c", SERVE, str(data), str(port)], stderr=DEVNULL)
    try:
        for _ in range(600):
            try:
                HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/theme")
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(20)


def over_http(base: str) -> list[Measure]:
    """The server's own time for each interaction, 95th percentile, from the first request on."""
    place = urlsplit(base)
    line = HTTPConnection(place.hostname or "", place.port, timeout=30)

    def get(path: str, headers: dict[str, str] | None = None) -> tuple[float, bytes]:
        begun = time.perf_counter()
        line.request("GET", path, headers=headers or {})
        answer = line.getresponse()
        body = answer.read()
        spent = (time.perf_counter() - begun) * 1000
        assert answer.status == 200, (path, answer.status, body[:300])
        return spent, body

    def measured(
        what: str, paths: list[str], headers: dict[str, str] | None = None, limit: float = 300
    ) -> Measure:
        spent = sorted(get(path, headers)[0] for path in paths)
        late = spent[max(0, round(len(spent) * 0.95) - 1)]
        return Measure(
            what, f"p95 {limit:.0f} ms", f"{statistics.median(spent):.0f} / {late:.0f} ms", late < limit
        )

    import json

    rows = json.loads(get("/v1/customers?limit=200&sort=customer")[1])
    ids = [row["customer_id"] for row in rows["data"]]
    cursors = []
    after = rows["meta"]["next_cursor"]
    for _ in range(20):
        cursors.append(after)
        after = json.loads(get(f"/v1/customers?limit=1000&sort=customer&after={after}")[1])["meta"][
            "next_cursor"
        ]
    sorts = [
        "customer",
        "revenue",
        "lrfm_score",
        "frequency",
        "last_order_date",
        "region",
        "recency_days",
        "length_days",
        "monetary",
    ]
    filters = [
        f"/customers?tier={t}&region={r}" for t in ("high", "mid", "low") for r in ("AMER", "EMEA", "APJ")
    ]
    words = [
        "blue",
        "bakery 1",
        "c0001",
        "north motors",
        "9999",
        "swift",
        "zzz",
        "grand b",
        "energy 55",
        "old st",
    ]
    found = [
        measured(f"open {name}", [path] * 20)
        for name, path in (
            ("Overview", "/"),
            ("Hidden gems", "/gems"),
            ("Segments", "/segments"),
            ("Customers", "/customers"),
        )
    ]
    found += [
        measured("search", [f"/customers?q={quote(w)}" for w in words + [w[:3] for w in words]], GRID),
        measured("filter", filters, GRID),
        measured("sort", [f"/customers?sort={way}{s}" for s in sorts for way in ("", "-")], GRID),
        measured(
            "page, anywhere in the list", [f"/customers?sort=customer&after={c}" for c in cursors], GRID
        ),
        measured("open a profile", [f"/customers/{quote(i, safe='')}" for i in ids]),
    ]
    begun = time.perf_counter()
    for _ in range(3):
        for path in ("/", "/gems", "/segments", "/customers", f"/customers/{quote(ids[0], safe='')}") * 4:
            get(path)
    rate = 60 / (time.perf_counter() - begun)
    found.append(Measure("page views a second, one process, one reader", "60 at 100 k", f"{rate:.0f}", True))
    line.close()
    return found


def in_browser(base: str, chromium: str) -> list[Measure]:
    """What a reader waits for, in Chromium."""
    from playwright.sync_api import sync_playwright

    found: list[Measure] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, slow, paint_limit, ready_limit in (
            ("", False, 800, 800),
            (" (4x slower CPU, 10 Mbit/s, 40 ms)", True, 1000, 2500),
        ):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            page = context.new_page()
            session = context.new_cdp_session(page)
            if slow:
                session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
                session.send("Network.enable")
                speed = 10_000_000 / 8
                session.send(
                    "Network.emulateNetworkConditions",
                    {"offline": False, "latency": 40, "downloadThroughput": speed, "uploadThroughput": speed},
                )
            page.goto(base + "/gems")
            page.wait_for_function("document.documentElement.dataset.ready === 'true'")
            page.wait_for_function("document.querySelectorAll('.chart svg').length === 2")
            ready = page.evaluate("performance.now()")
            paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            size = page.evaluate(
                "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
                ".reduce((sum, entry) => sum + entry.transferSize, 0)"
            )
            found.append(
                Measure(f"first paint{name}", f"{paint_limit} ms", f"{paint:.0f} ms", paint < paint_limit)
            )
            found.append(
                Measure(
                    f"ready with charts{name}", f"{ready_limit} ms", f"{ready:.0f} ms", ready < ready_limit
                )
            )
            if not slow:
                found.append(Measure("first visit", "400 KB", f"{size / 1000:.0f} KB", size < 400_000))
                page.goto(base + "/customers")
                found += _interactions(page.evaluate, base)
            context.close()
        browser.close()
    return found


def _interactions(evaluate: Callable[[str], object], base: str) -> list[Measure]:
    """Sort, page, filter and search as a reader does them, until the table has changed."""
    script = """async (act) => {
      const before = document.querySelector('#grid'), begun = performance.now();
      act();
      while (document.querySelector('#grid') === before) await new Promise(requestAnimationFrame);
      await new Promise(requestAnimationFrame);
      return performance.now() - begun;
    }"""
    change = "new Event('{}', {{bubbles: true}})"
    tier = f"const t = document.querySelector('#tier'); t.value = 'mid'; t.dispatchEvent({change.format('change')})"
    typed = (
        f"const q = document.querySelector('#q'); q.value = 'no'; q.dispatchEvent({change.format('input')})"
    )
    acts = (
        ("sort", 150, "() => document.querySelector('#sort-revenue').click()"),
        ("page", 150, "() => document.querySelector('#page-next').click()"),
        ("filter", 350, f"() => {{ {tier} }}"),
        ("search, typing rest of 160 ms included", 410, f"() => {{ {typed} }}"),
    )
    found = []
    for name, limit, act in acts:
        spent = evaluate(f"({script})({act})")
        assert isinstance(spent, int | float)
        found.append(Measure(f"{name}, in the browser", f"{limit} ms", f"{spent:.0f} ms", spent < limit))
    return found


def memory(pid: int) -> Measure:
    """The server's memory after all that."""
    status = Path(f"/proc/{pid}/status").read_text()
    used = int(next(part for part in status.splitlines() if part.startswith("VmRSS")).split()[1]) / 1000
    return Measure("memory of the server", "300 MB", f"{used:.0f} MB", used < 300)


def table(data: Path) -> str:
    """All measures as Markdown."""
    chromium = os.environ.get("EVERVALUE_CHROMIUM", "/usr/bin/chromium")
    with server(data) as (base, pid):
        found = over_http(base)
        if os.access(chromium, os.X_OK):
            found += in_browser(base, chromium)
        found.append(memory(pid))
    return "\n".join(["| interaction | limit | found (median / p95) |", "|---|---|---|", *map(str, found)])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--customers", type=int, default=1_000_000)
    options.add_argument("--data", type=Path, help="measure this data directory instead of making one")
    asked = options.parse_args()
    if asked.data:
        print(table(asked.data))
        return
    with tempfile.TemporaryDirectory(prefix="evervalue-bench-") as folder:
        print(table(company(Path(folder), asked.customers)))


if __name__ == "__main__":
    main()
