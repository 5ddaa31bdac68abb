"""Memory and files of the collector under ten minutes of steady load; every acknowledged event is in the log.

`python -m benchmarks.collector_soak` prints the section; `--minutes` makes it shorter.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.collector import ROOT, Serving, serving
from evervalue.collector.log import LOG, EventLog

MINUTES = 10.0
SINGLE_RATE, BATCH_RATE, BATCH = 400, 10, 100
"""Single requests a second, batches a second, events in a batch."""
EVERY_SECONDS = 2.0
WARM = 0.1
"""Part of the time after which memory is first looked at."""

TEXT = """\
## A soak of the collector

{minutes:.0f} minutes of {single:,} single requests and {batches:,} batches of {batch} events a second, on the machine
that collects: {requests:,} requests, all answered 200, {events:,} events, all in the log, none twice.

| | after {warm_minutes:.0f} min | at the end | at most |
| --- | ---: | ---: | ---: |
| resident memory | {rss[0]:.1f} MB | {rss[1]:.1f} MB | {rss[2]:.1f} MB |
| write-ahead log | {wal[0]:.1f} MB | {wal[1]:.1f} MB | {wal[2]:.1f} MB |
| event log, bytes an event | {log[0]:,.0f} | {log[1]:,.0f} | {log[2]:,.0f} |
"""


def section(
    folder: Path, say: Callable[[str], None], *, quick: bool = False, minutes: float = MINUTES
) -> str:
    """The section of the report."""
    minutes = 0.2 if quick else minutes
    with (
        tempfile.TemporaryDirectory(prefix="soak-", dir=folder) as made,
        serving(Path(made) / "project") as server,
    ):
        senders = [
            _sender(server, 1, 32, 60 * minutes, SINGLE_RATE),
            _sender(server, BATCH, 8, 60 * minutes, BATCH_RATE),
        ]
        samples, begun = [], time.monotonic()
        while any(sender.poll() is None for sender in senders):
            time.sleep(EVERY_SECONDS)
            if time.monotonic() - begun > 60 * minutes * WARM:
                samples.append(_sample(server))
                if len(samples) % 30 == 1:
                    say(f"{time.monotonic() - begun:.0f} s: {samples[-1][0]:.1f} MB")
        told = [json.loads(sender.communicate()[0].splitlines()[-1]) for sender in senders]
        statuses = {status for one in told for status in one["statuses"]}
        sent = told[0]["sent"] + BATCH * told[1]["sent"]
        log = EventLog(server.folder / "evervalue-data" / LOG)
        tally = next(found for found in log.tallies() if found.source == "web")
        log.close()
        if statuses != {"200"} or (tally.stored, tally.duplicate, tally.quarantined) != (sent, 0, 0):
            raise RuntimeError(f"{sent} events were sent and answered {statuses}, but the log has {tally}.")
    rss, wal, size = zip(*samples, strict=True)
    return TEXT.format(
        minutes=minutes, single=SINGLE_RATE, batches=BATCH_RATE, batch=BATCH, warm_minutes=minutes * WARM,
        requests=told[0]["sent"] + told[1]["sent"], events=sent,
        rss=(rss[0], rss[-1], max(rss)), wal=(wal[0], wal[-1], max(wal)), log=(size[0], size[-1], max(size)),
    )  # fmt: skip


def _sender(
    server: Serving, events: int, connections: int, seconds: float, rate: float
) -> subprocess.Popen[str]:
    arguments = [server.port, server.key, events, connections, seconds, rate, f"soak{events}"]
    command = [sys.executable, "-m", "benchmarks.collector_load", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _sample(server: Serving) -> tuple[float, float, float]:
    """Resident and write-ahead megabytes, and bytes of the log for each event in it."""
    path = server.folder / "evervalue-data" / LOG
    wal = path.with_name(f"{LOG}-wal")
    log = EventLog(path)
    stored = max(1, log.last())
    log.close()
    return (
        server.resident_mb(),
        wal.stat().st_size / 2**20 if wal.exists() else 0.0,
        path.stat().st_size / stored,
    )


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=MINUTES)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as temporary:
        print(section(Path(temporary), print, minutes=asked.minutes))
