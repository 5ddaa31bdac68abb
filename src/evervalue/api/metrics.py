"""What the server tells of itself to Prometheus: text format 0.0.4, added up over its processes.

Requests are counted by the template of their route ('/v1/customers/{customer_id}'), never by what was asked: no key of
a customer comes into a label. Counting costs a few microseconds and is done in the event loop, without a lock.
"""

from __future__ import annotations

import platform
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import evervalue
from evervalue.api.workers import Told

CONTENT = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of durations, seconds; 0.3 is what no interaction should pass."""
NOWHERE = "(none)"
"""The route of a request that fits none, or that was refused before one was looked for."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
Labels = Mapping[str, str]
Times = dict[tuple[str, str], list[float]]


class Meters:
    """What one process counts while it runs."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, str, str]] = Counter()
        """Route, method, status: how often it was answered so."""
        self.times: Times = {}
        """Route, method: how many answers took as long as each bound, and at the end the sum in seconds."""
        self.limited: Counter[str] = Counter()
        """Kind of limit: how many requests it turned away."""
        self.in_flight = 0

    def answered(self, route: str, method: str, status: int, seconds: float | None) -> None:
        """Counts one answer; one that has no end of its own takes no time."""
        self.answers[route, method, str(status)] += 1
        if seconds is None:
            return
        found = self.times.get((route, method))
        if found is None:
            found = self.times[route, method] = [0] * (len(BOUNDS) + 1) + [0.0]
        found[bisect_left(BOUNDS, seconds)] += 1
        found[-1] += seconds

    def told(self) -> Told:
        """The counts, as JSON knows them."""
        return {
            "answers": [[*key, n] for key, n in self.answers.items()],
            "times": [[*key, *values] for key, values in self.times.items()],
            "limited": dict(self.limited),
            "in_flight": self.in_flight,
        }


class Metered:
    """Counts every request with its answer and how long it took."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self.app = app
        self.meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and counts it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, meters, status, is_stream = time.perf_counter(), self.meters, 500, False

        async def watched(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                kind = Headers(raw=message["headers"]).get("content-type", "")
                is_stream = kind.startswith("text/event-stream")
            await send(message)

        meters.in_flight += 1
        try:
            await self.app(scope, receive, watched)
        finally:
            meters.in_flight -= 1
            method = scope["method"] if scope["method"] in METHODS else "other"
            spent = None if is_stream else time.perf_counter() - begun
            meters.answered(route_of(scope), method, status, spent)


def route_of(scope: Scope) -> str:
    """The template of the route that answered."""
    return str(getattr(scope.get("route"), "path", NOWHERE))


def resident_bytes() -> int:
    """The memory that this process holds; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 — read for every scrape
            return int(file.read().split()[1]) * 4096
    except (OSError, ValueError, IndexError):
        return 0


def rendered(workers: list[tuple[Told, bool]], now: float) -> str:
    """The page for Prometheus.

    Parameters
    ----------
    workers
        What each process told, and whether it is there still.
    now
        The present instant, seconds since 1970.
    """
    page = _Page()
    everybody = [told for told, _ in workers]
    there = [told for told, is_there in workers if is_there]
    page.add(
        "evervalue_build_info", "gauge", "Version of Evervalue and of Python; always 1.",
        [({"version": evervalue.__version__, "python": platform.python_version()}, 1)],
    )  # fmt: skip
    page.add(
        "evervalue_workers", "gauge", "Processes that answer; all counts are their sums.", [({}, len(there))]
    )
    answers: Counter[tuple[str, ...]] = Counter()
    times: dict[tuple[str, str], list[float]] = {}
    for told in everybody:
        for *key, n in told["answers"]:
            answers[tuple(key)] += n
        for route, method, *values in told["times"]:
            before = times.setdefault((route, method), [0] * len(values))
            times[route, method] = [a + b for a, b in zip(before, values, strict=True)]
    page.add(
        "evervalue_http_requests_total", "counter", "Requests answered, by template of the route.",
        [({"route": r, "method": m, "status": s}, n) for (r, m, s), n in sorted(answers.items())],
    )  # fmt: skip
    page.histograms(
        "evervalue_http_request_seconds", "Time until a request was answered; streams are left out.", times
    )
    page.add(
        "evervalue_http_in_flight", "gauge", "Requests that are being answered, this one included.",
        [({}, _sum(there, "in_flight"))],
    )  # fmt: skip
    limited: Counter[str] = Counter()
    for told in everybody:
        limited.update(told["limited"])
    page.add(
        "evervalue_http_rate_limited_total", "counter", "Requests turned away because too many came, by limit.",
        [({"limit": kind}, n) for kind, n in sorted(limited.items())],
    )  # fmt: skip
    for name, says in (
        ("hits", "Questions to a snapshot that were answered from kept results."),
        ("misses", "Questions to a snapshot that were executed."),
    ):
        page.add(f"evervalue_result_cache_{name}_total", "counter", says, [({}, _sum(everybody, name))])
    page.add(
        "evervalue_live_streams", "gauge", "Open streams of live profiles.", [({}, _sum(there, "streams"))]
    )
    _snapshots(page, there, now)
    page.add(
        "evervalue_resident_memory_bytes", "gauge", "Memory of all processes together.",
        [({}, _sum(there, "resident_bytes"))],
    )  # fmt: skip
    return page.text()


def _snapshots(page: _Page, there: list[Told], now: float) -> None:
    runs = Counter(str(told["run_id"]) for told in there if told["run_id"])
    page.add(
        "evervalue_snapshot_workers", "gauge", "Processes that show the run; two runs only while one is published.",
        [({"run_id": run_id}, n) for run_id, n in sorted(runs.items())],
    )  # fmt: skip
    page.add(
        "evervalue_snapshots_open", "gauge", "Snapshots held open, old ones whose last request has not ended included.",
        [({}, _sum(there, "snapshots"))],
    )  # fmt: skip
    published = [float(told["published_at"]) for told in there if told["published_at"]]
    at = min(published) if published else None
    page.add(
        "evervalue_snapshot_published_timestamp_seconds", "gauge", "When the oldest run that is shown was published.",
        [] if at is None else [({}, round(at, 3))],
    )  # fmt: skip
    page.add(
        "evervalue_snapshot_age_seconds", "gauge", "Time since then.",
        [] if at is None else [({}, round(now - at, 3))],
    )  # fmt: skip


def _sum(told: Iterable[Told], name: str) -> float:
    return sum(float(each[name]) for each in told)


class _Page:
    """The text, put together."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, name: str, kind: str, says: str, samples: Iterable[tuple[Labels, float]]) -> None:
        """One metric with its samples."""
        self.lines += [f"# HELP {name} {says}", f"# TYPE {name} {kind}"]
        self.lines += [f"{name}{_labels(labels)} {value}" for labels, value in samples]

    def histograms(self, name: str, says: str, of: Mapping[tuple[str, str], list[float]]) -> None:
        """One histogram a route and method."""
        self.lines += [f"# HELP {name} {says}", f"# TYPE {name} histogram"]
        for (route, method), values in sorted(of.items()):
            self.lines += _histogram(name, {"route": route, "method": method}, values)

    def text(self) -> str:
        """The page."""
        return "\n".join(self.lines) + "\n"


def _histogram(name: str, labels: dict[str, str], values: list[float]) -> Iterator[str]:
    sums = list(accumulate(values[:-1]))
    for le, n in zip([*map(str, BOUNDS), "+Inf"], sums, strict=True):
        yield f"{name}_bucket{_labels({**labels, 'le': le})} {n}"
    yield f"{name}_sum{_labels(labels)} {values[-1]:.6f}"
    yield f"{name}_count{_labels(labels)} {sums[-1]}"


def _labels(labels: Labels) -> str:
    escaped = (
        (key, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
        for key, value in labels.items()
    )
    inside = ",".join(f'{key}="{value}"' for key, value in escaped)
    return f"{{{inside}}}" if inside else ""
