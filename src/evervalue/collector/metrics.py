"""What the collector tells of itself to Prometheus: text format 0.0.4.

Written by hand: a scrape is a page of text, and counting a request must cost less than a microsecond. A test reads the
page with Prometheus' own parser.
"""

from __future__ import annotations

import platform
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import evervalue
from evervalue.collector.log import Tally
from evervalue.collector.messages import Refusal

CONTENT = b"text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
"""Upper bounds of durations, seconds."""
Labels = Mapping[str, str]


class Histogram:
    """How often something took how long, in seconds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = BOUNDS) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


@dataclass
class Meters:
    """What one process counts while it runs."""

    answers: Counter[int] = field(default_factory=Counter)
    """HTTP status: how often it was answered."""
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Source and code: how many events were refused."""
    requests: Histogram = field(default_factory=Histogram)
    """From a request's first byte read to its answer."""
    commits: Histogram = field(default_factory=Histogram)
    failed_commits: int = 0
    slowest_commit: float = 0.0
    """Since it was last asked for, seconds."""

    def refuse(self, source: str, refused: Iterable[Refusal]) -> None:
        """Count events that were refused."""
        self.refused.update((source, one.code) for one in refused)

    def committed(self, seconds: float, failed: bool) -> None:
        """Count a commit; called by the writer's thread."""
        self.commits.observe(seconds)
        self.failed_commits += failed
        self.slowest_commit = max(self.slowest_commit, seconds)


@dataclass(frozen=True)
class Watched:
    """What the watch of a collector knows, as Prometheus is told it."""

    success_at: float | None
    """Last success of the canary, seconds since 1970."""
    age_seconds: float | None
    ready: bool
    failures: int
    trips: Histogram
    silent: Mapping[str, float]
    """Source: seconds since its last event."""
    limits: Mapping[str, float]
    """Source: seconds after which that is an alarm."""
    alarms: Mapping[str, bool]


def rendered(
    meters: Meters, tallies: Sequence[Tally] | None, waiting: tuple[int, int], watched: Watched | None = None
) -> bytes:
    """The metrics as text.

    Parameters
    ----------
    meters
        What this process counted.
    tallies
        What became of what each source sent, as the log has it; None where it cannot be read.
    waiting
        Events and bytes that wait for the disk.
    watched
        What the watch knows; None where none runs.
    """
    page = _Page()
    page.add(
        "evervalue_build_info", "gauge", "Version of Evervalue and of Python; always 1.",
        [({"version": evervalue.__version__, "python": platform.python_version()}, 1)],
    )  # fmt: skip
    page.add(
        "evervalue_log_up", "gauge", "Whether the event log could be read for this page.",
        [({}, int(tallies is not None))],
    )  # fmt: skip
    page.add(
        "evervalue_events_total", "counter",
        "Events that came, by what became of them; accepted is the sum of the others.",
        [
            ({"source": t.source, "outcome": outcome}, getattr(t, outcome))
            for t in tallies or ()
            for outcome in ("accepted", "stored", "duplicate", "quarantined")
        ],
    )  # fmt: skip
    page.add(
        "evervalue_events_unaccounted", "gauge", "Events accepted that are neither stored, duplicate nor quarantined.",
        [({"source": t.source}, t.accepted - t.stored - t.duplicate - t.quarantined) for t in tallies or ()],
    )  # fmt: skip
    page.add(
        "evervalue_collector_refused_total", "counter", "Events that this process refused, by reason.",
        [({"source": source, "code": code}, n) for (source, code), n in sorted(dict(meters.refused).items())],
    )  # fmt: skip
    page.add(
        "evervalue_collector_answers_total", "counter", "Requests that this process answered, by HTTP status.",
        [({"status": str(status)}, n) for status, n in sorted(dict(meters.answers).items())],
    )  # fmt: skip
    page.histogram(
        "evervalue_collector_request_seconds",
        "Time until a request with events was answered.",
        meters.requests,
    )
    page.histogram("evervalue_collector_commit_seconds", "Time of a commit to the event log.", meters.commits)
    page.add(
        "evervalue_collector_failed_commits_total", "counter", "Commits that the disk refused.",
        [({}, meters.failed_commits)],
    )  # fmt: skip
    page.add(
        "evervalue_collector_waiting_events", "gauge", "Events that wait for the disk.", [({}, waiting[0])]
    )
    page.add(
        "evervalue_collector_waiting_bytes", "gauge", "Bytes that wait for the disk.", [({}, waiting[1])]
    )
    if watched is not None:
        _watched(page, watched)
    return page.text()


def _watched(page: _Page, watched: Watched) -> None:
    page.add(
        "evervalue_canary_ready", "gauge",
        "Whether an event of the collector to itself was stored within the last three periods.",
        [({}, int(watched.ready))],
    )  # fmt: skip
    for name, says, value in (
        ("success_timestamp_seconds", "When such an event was last stored, Unix time.", watched.success_at),
        ("age_seconds", "Time since such an event was last stored.", watched.age_seconds),
    ):
        page.add(f"evervalue_canary_{name}", "gauge", says, [] if value is None else [({}, round(value, 3))])
    page.add(
        "evervalue_canary_failures_total", "counter", "Such events that were not acknowledged or not found.",
        [({}, watched.failures)],
    )  # fmt: skip
    page.histogram(
        "evervalue_canary_seconds", "Time from sending such an event to reading it back.", watched.trips
    )
    page.add(
        "evervalue_source_silent_seconds", "gauge", "Time since a source last sent an event.",
        [({"source": name}, round(value, 1)) for name, value in sorted(watched.silent.items())],
    )  # fmt: skip
    page.add(
        "evervalue_source_silence_limit_seconds", "gauge", "Time without an event after which a source is in alarm.",
        [({"source": name}, round(value, 1)) for name, value in sorted(watched.limits.items())],
    )  # fmt: skip
    page.add(
        "evervalue_source_silent", "gauge", "Whether a source has been silent for longer than is usual.",
        [({"source": name}, int(value)) for name, value in sorted(watched.alarms.items())],
    )  # fmt: skip


class _Page:
    """The text, put together."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, name: str, kind: str, says: str, samples: Iterable[tuple[Labels, float]]) -> None:
        """One metric with its samples."""
        self.lines += [f"# HELP {name} {says}", f"# TYPE {name} {kind}"]
        self.lines += [f"{name}{_labels(labels)} {value}" for labels, value in samples]

    def histogram(self, name: str, says: str, of: Histogram) -> None:
        """One histogram."""
        counts = list(of.counts)
        sums = list(accumulate(counts))
        bounds = [*map(str, of.bounds), "+Inf"]
        self.lines += [f"# HELP {name} {says}", f"# TYPE {name} histogram"]
        self.lines += [f'{name}_bucket{{le="{le}"}} {n}' for le, n in zip(bounds, sums, strict=True)]
        self.lines += [f"{name}_sum {of.total:.6f}", f"{name}_count {sums[-1]}"]

    def text(self) -> bytes:
        """The page."""
        return ("\n".join(self.lines) + "\n").encode()


def _labels(labels: Labels) -> str:
    escaped = (
        (key, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
        for key, value in labels.items()
    )
    inside = ",".join(f'{key}="{value}"' for key, value in escaped)
    return f"{{{inside}}}" if inside else ""
