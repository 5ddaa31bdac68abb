"""Fifty people at once on the dashboard and the API, while a run is published in the middle.

`python -m benchmarks.dashboard_load --data DIR` measures a published data directory: each person reads pages, searches,
filters, sorts, opens profiles and asks the API, with a pause between two requests. Half-way the same run is published
again under another name. Printed are requests a second, the latency of each interaction and every error.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from subprocess import DEVNULL, Popen
from sys import executable
from urllib.parse import quote, urlsplit

from evervalue.core.listening import listen
from evervalue.warehouse.publish import Publisher

SERVE = """
import sys
from pathlib import Path
from evervalue.dashboard.serve import serve
if __name__ == "__main__":
    serve(Path(sys.argv[1]), port=int(sys.argv[2]), workers=int(sys.argv[3]))
"""
GRID = {"HX-Request": "true", "HX-Target": "div#grid"}
WORDS = ("blue", "bakery 1", "c0001", "north", "9999", "swift", "zzz", "grand b", "energy 55", "old st")
LIMIT_MS = 300


@dataclass
class Found:
    """What the people met."""

    spent: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Interaction: milliseconds of each request."""
    late: list[float] = field(default_factory=list)
    """The same of all, within five seconds after the run was published."""
    errors: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    megabytes: float = 0.0

    def table(self) -> str:
        """As Markdown."""
        lines = ["| interaction | requests | p50 / p95 / p99 ms |", "|---|---|---|"]
        everything = sorted(ms for times in self.spent.values() for ms in times)
        for name, times in [
            *sorted(self.spent.items()),
            ("all", everything),
            ("all, 5 s after the swap", self.late),
        ]:
            if times:
                lines.append(f"| {name} | {len(times)} | {_quantiles(times)} |")
        rate = len(everything) / self.seconds
        told = ", ".join(f"{n} x {what}" for what, n in self.errors.items()) or "none"
        missed = "" if _at(everything, 0.95) < LIMIT_MS else " **missed**"
        lines += [
            "",
            (
                f"{rate:.0f} requests a second, {self.megabytes:.0f} MB, errors: {told}; "
                f"bar p95 {LIMIT_MS} ms{missed}; load average {os.getloadavg()[0]:.1f}."
            ),
        ]
        return "\n".join(lines)


def _at(times: list[float], share: float) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _quantiles(times: list[float]) -> str:
    return f"{statistics.median(times):.0f} / {_at(times, 0.95):.0f} / {_at(times, 0.99):.0f}"


def interactions(ids: list[str]) -> list[tuple[str, list[str], dict[str, str]]]:
    """Name, addresses and headers of what people do, in the shares in which they do it."""
    profiles = [f"/customers/{quote(i, safe='')}" for i in ids]
    tiers, regions = ("high", "mid", "low"), ("AMER", "EMEA", "APJ")
    sorts = ("customer", "revenue", "lrfm_score", "last_order_date", "monetary")
    return [
        ("Overview", ["/"], {}),
        ("Hidden gems", ["/gems"], {}),
        ("Segments", ["/segments"], {}),
        ("Customers", ["/customers"], {}),
        ("search", [f"/customers?q={quote(w)}" for w in WORDS], GRID),
        ("filter", [f"/customers?tier={t}&region={r}" for t in tiers for r in regions], GRID),
        ("sort", [f"/customers?sort={way}{s}" for s in sorts for way in ("", "-")], GRID),
        ("profile", profiles, {}),
        ("profile", profiles, {}),
        ("API list", ["/v1/customers?limit=100", "/v1/gems", "/v1/revenue", "/v1/headline"], {}),
        ("API profile", [f"/v1{p}" for p in profiles], {}),
    ]


def mixed(
    data: Path,
    *,
    people: int = 50,
    seconds: float = 30,
    pause: float = 1.0,
    workers: int = 2,
    swap: bool = True,
) -> Found:
    """What many people meet at the same time."""
    with serving(data, workers) as (host, port, pid):
        ids = _ids(host, port)
        asked, found, lock, done = interactions(ids), Found(), threading.Lock(), threading.Event()
        swapped = threading.Event()

        def person(n: int) -> None:
            chance = random.Random(n)
            line = HTTPConnection(host, port, timeout=30)
            done.wait(chance.random() * pause)
            while not done.is_set():
                name, paths, headers = chance.choice(asked)
                path = chance.choice(paths)
                begun = time.perf_counter()
                try:
                    line.request("GET", path, headers=headers)
                    answer = line.getresponse()
                    answer.read()
                    fault = "" if answer.status == 200 else f"{name}: {answer.status}"
                except (OSError, HTTPException) as error:
                    line.close()
                    fault = f"{name}: {type(error).__name__}"
                spent = (time.perf_counter() - begun) * 1000
                with lock:
                    if fault:
                        found.errors[fault] += 1
                    else:
                        found.spent[name].append(spent)
                        if swapped.is_set() and time.perf_counter() - swapped_at[0] < 5:
                            found.late.append(spent)
                done.wait(chance.expovariate(1 / pause) if pause else 0)
            line.close()

        swapped_at = [0.0]
        threads = [threading.Thread(target=person, args=(n,)) for n in range(people)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        time.sleep(seconds / 2)
        if swap:
            with _published_again(data):
                swapped_at[0] = time.perf_counter()
                swapped.set()
                time.sleep(seconds / 2)
                done.set()
        else:
            time.sleep(seconds / 2)
            done.set()
        for thread in threads:
            thread.join()
        found.seconds = time.perf_counter() - begun
        found.megabytes = sum(_resident(each) for each in _family(pid))
    return found


def flat_out(data: Path, seconds: float = 8) -> float:
    """Requests a second that one worker answers, with four readers who never pause."""
    found = mixed(data, people=4, seconds=seconds, pause=0, workers=1, swap=False)
    return sum(map(len, found.spent.values())) / found.seconds


@contextmanager
def serving(data: Path, workers: int) -> Iterator[tuple[str, int, int]]:
    """Host, port and process id of a server over a data directory."""
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="evervalue-bench-") as folder:
        script = Path(folder) / "serve.py"
        script.write_text(SERVE, "utf-8")
        process = Popen([executable, str(script), str(data), str(port), str(workers)], stderr=DEVNULL)
        try:
            for _ in range(1200):
                try:
                    line = HTTPConnection("127.0.0.1", port, timeout=5)
                    line.request("GET", "/readyz")
                    if line.getresponse().status == 200:
                        break
                except OSError:
                    pass
                time.sleep(0.1)
            yield "127.0.0.1", port, process.pid
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def _published_again(data: Path) -> Iterator[None]:
    """The current run under another name; taken back at the end."""
    publisher = Publisher(data)
    now = publisher.current()
    name = f"{now.run_id}-again"
    folder = publisher.runs_dir / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in now.path.parent.rglob("*"):
        if file.is_file():
            there = folder / file.relative_to(now.path.parent)
            there.parent.mkdir(parents=True, exist_ok=True)
            if file.name == "manifest.json":
                there.write_text(file.read_text("utf-8"), "utf-8")
            else:
                os.link(file, there)  # nothing is copied, so that the disk is no part of what is measured
    before = publisher.pointer.read_text("utf-8")
    _point(publisher.pointer, name + "\n")
    try:
        yield
    finally:
        _point(publisher.pointer, before)
        shutil.rmtree(folder, ignore_errors=True)


def _point(pointer: Path, text: str) -> None:
    new = pointer.with_suffix(".bench")
    new.write_text(text, "utf-8")
    new.replace(pointer)


def _ids(host: str, port: int) -> list[str]:
    line = HTTPConnection(host, port, timeout=60)
    line.request("GET", "/v1/customers?limit=200&sort=customer")
    rows = json.loads(line.getresponse().read())["data"]
    line.close()
    return [str(row["customer_id"]) for row in rows]


def _family(pid: int) -> list[int]:
    """A process and those that it started."""
    found = [pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
        except (OSError, ValueError):
            continue
    return found


def _resident(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
    except (OSError, ValueError):
        return 0.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True, help="a published data directory")
    options.add_argument("--people", type=int, default=50)
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument(
        "--pause", type=float, default=5.0, help="mean seconds between two requests of a person"
    )
    options.add_argument("--workers", type=int, default=2)
    asked = options.parse_args()
    place = urlsplit(asked.data.resolve().as_uri()).path
    found = mixed(
        Path(place), people=asked.people, seconds=asked.seconds, pause=asked.pause, workers=asked.workers
    )
    print(found.table())
    print(f"\nOne worker, four readers without a pause: {flat_out(Path(place)):.0f} requests a second.")


if __name__ == "__main__":
    main()
