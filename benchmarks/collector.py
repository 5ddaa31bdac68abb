"""Events a second that the collector acknowledges after fsync, and how long senders wait; all on the same machine.

`python -m benchmarks.collector` prints the table.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SINGLES, BATCHES = (1, 64), (100, 16)
"""Events in a request, connections."""
SHARE = 0.7

TEXT = """\
## Collecting events

`evervalue collect` with its defaults: one process, SQLite in WAL mode with `synchronous=FULL`, so that an answer comes
after fsync. The load generator (`benchmarks/collector_load.py`, one process that costs {cost:.0f} us a request) runs on
the same {cores} cores. Each row is the best of {times} runs of {seconds:.0f} s, with the load average of the machine
before it, for others use processors and disk as well (priority of this run: nice {nice}). An event has about 600 bytes.
What a request costs is the collector's own CPU time, all its threads and the kernel on its behalf: where it is far
below what one processor has between two answers, disk and turns were waited for.

| what | requests/s | events/s | p50 | p99 | CPU a request | machine's load |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

| goal | found | met |
| --- | ---: | --- |
{goals}

A write of 4 KB and its fsync take {fsync_p50:.2f} ms here at the median and {fsync_p99:.2f} ms at the 99th percentile.
What comes meanwhile is written with the next commit, so that the disk bounds how long one waits and hardly how many are
served.

Beside it: RudderStack publishes 1,700 requests a second for its server on two cores. It was not run here: it needs
PostgreSQL and containers, and acknowledges once its own queue has the event.
"""


@dataclass(frozen=True)
class Row:
    """One load and what came of it."""

    events: int
    rate: float
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    load: float
    generator_us: float

    @property
    def events_per_second(self) -> float:
        """Events that were acknowledged in a second."""
        return self.requests_per_second * self.events


class Serving:
    """A collector in a process of its own, over a fresh log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "evervalue.toml").write_text(
            '[project]\nname = "Measured"\n[sources.web]\nkind = "events"\n'
        )
        made = subprocess.run(
            [*EVERVALUE, "keys", "create", "web"], cwd=folder, capture_output=True, text=True, check=True
        )
        self.key = made.stdout.strip()
        self.process = subprocess.Popen(
            [*EVERVALUE, "collect", ".", "--port", "0"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        found = re.search(r":(\d+)/", self.process.stdout.readline())
        assert found is not None
        self.port = int(found[1])

    def cpu_seconds(self) -> float:
        """What it has taken of the processors until now."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Memory that it holds now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def stop(self) -> None:
        """End it as a service manager does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


EVERVALUE = [sys.executable, "-u", "-c", "from evervalue.cli import main; main()"]


@contextmanager
def serving(folder: Path) -> Iterator[Serving]:
    """A collector that runs until the end of the block."""
    server = Serving(folder)
    try:
        yield server
    finally:
        server.stop()


def loaded(server: Serving, shape: tuple[int, int], seconds: float, rate: float = 0) -> Row:
    """One run of the load generator."""
    events, connections = shape
    tag = f"{time.monotonic_ns():x}"
    arguments = [server.port, server.key, events, connections, seconds, rate, tag]
    load, cpu = os.getloadavg()[0], server.cpu_seconds()
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.collector_load", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    if set(found["statuses"]) != {"200"}:
        raise RuntimeError(f"Not every request was acknowledged: {found['statuses']}.")
    return Row(
        events=events,
        rate=rate,
        requests_per_second=found["requests"] / found["seconds"],
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
        cpu_us=1e6 * (server.cpu_seconds() - cpu) / found["sent"],
        load=load,
        generator_us=1e6 * found["cpu_seconds"] / found["requests"],
    )


def fsync_ms(folder: Path, times: int = 300) -> list[float]:
    """How long a write of 4 KB and its fsync take, sorted."""
    took = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(times):
            start = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            took.append(1000 * (time.perf_counter() - start))
    return sorted(took)


def section(folder: Path, say: Callable[[str], None], *, quick: bool = False) -> str:
    """The section of the report."""
    times, seconds = (1, 2.0) if quick else (3, 6.0)
    with tempfile.TemporaryDirectory(prefix="collector-", dir=folder) as made:
        disk = fsync_ms(Path(made))
        with serving(Path(made) / "project") as server:
            best: list[Row] = []
            for shape in (SINGLES, BATCHES):
                say(f"{shape[0]} events a request")
                full = max(
                    (loaded(server, shape, seconds) for _ in range(times)),
                    key=lambda row: row.requests_per_second,
                )
                say(f"at {SHARE:.0%} of {full.requests_per_second:,.0f} requests a second")
                rate = SHARE * full.requests_per_second
                steady = min(
                    (loaded(server, shape, seconds, rate) for _ in range(times)), key=lambda row: row.p99_ms
                )
                best += [full, steady]
    return TEXT.format(
        cost=best[0].generator_us,
        nice=os.nice(0),
        cores=os.cpu_count(),
        times=times,
        seconds=seconds,
        rows="\n".join(_row(row) for row in best),
        goals="\n".join(_goals(*best)),
        fsync_p50=disk[len(disk) // 2],
        fsync_p99=disk[int(len(disk) * 0.99)],
    )


def _row(row: Row) -> str:
    what = "single events" if row.events == 1 else f"batches of {row.events}"
    how = f"{SHARE:.0%} of that, at a steady rate" if row.rate else "as many as are answered"
    return (
        f"| {what}, {how} | {row.requests_per_second:,.0f} | {row.events_per_second:,.0f} | {row.p50_ms:.1f} ms | "
        f"{row.p99_ms:.1f} ms | {row.cpu_us:,.0f} us | {row.load:.1f} |"
    )


def _goals(single: Row, single_steady: Row, batch: Row, batch_steady: Row) -> Iterator[str]:
    for goal, found, met in (
        ("4,000 single requests/s", f"{single.requests_per_second:,.0f}", single.requests_per_second >= 4000),
        ("30,000 batched events/s", f"{batch.events_per_second:,.0f}", batch.events_per_second >= 30_000),
        (f"p99 under 100 ms at {SHARE:.0%} load, single", f"{single_steady.p99_ms:.1f} ms", single_steady.p99_ms < 100),
        (f"p99 under 100 ms at {SHARE:.0%} load, batched", f"{batch_steady.p99_ms:.1f} ms", batch_steady.p99_ms < 100),
    ):  # fmt: skip
        yield f"| {goal} | {found} | {'yes' if met else 'no'} |"


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as temporary:
        print(section(Path(temporary), print, quick=options.parse_args().quick))
