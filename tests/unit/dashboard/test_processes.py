"""The server under load while runs are published, processes end, die and are replaced, and after its own death."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from evervalue.warehouse.publish import Publisher
from tests.support.site import saas_data

SERVE = """
import sys
from pathlib import Path
from evervalue.dashboard.serve import serve

if __name__ == "__main__":
    serve(
        Path(sys.argv[1]), port=0, workers=int(sys.argv[2]),
        ready=lambda address: print(address, flush=True), **eval(sys.argv[3]),
    )
"""
PATHS = ("/v1/headline", "/v1/customers?limit=5", "/v1/customers/1093", "/gems", "/")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the published example that a test may publish into."""
    shutil.copytree(saas_data() / "runs", tmp_path / "data" / "runs")
    shutil.copy(saas_data() / "current", tmp_path / "data" / "current")
    return tmp_path / "data"


@contextmanager
def started(
    data: Path, workers: int, **options: object
) -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
    """A server in a process of its own, and where it listens."""
    script = data.parent / "start.py"
    script.write_text(SERVE, "utf-8")
    command = [sys.executable, str(script), str(data), str(workers), repr(options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        place = urlsplit(process.stdout.readline().strip())
        yield process, (place.hostname or "", place.port or 0)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=40)


def ask(place: tuple[str, int], path: str, line: HTTPConnection | None = None) -> tuple[int, bytes]:
    """Status and body, on a new connection unless one is given."""
    own = line or HTTPConnection(*place, timeout=30)
    try:
        own.request("GET", path)
        answer = own.getresponse()
        return answer.status, answer.read()
    finally:
        if line is None:
            own.close()


class Readers:
    """Threads that read without a pause and note what they were answered."""

    def __init__(self, place: tuple[str, int], number: int, paths: tuple[str, ...] = PATHS) -> None:
        self.place, self.paths = place, paths
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []
        self.runs: set[str] = set()
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(n,)) for n in range(number)]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(60)

    def _read(self, n: int) -> None:
        while not self._done.is_set():
            path = self.paths[n % len(self.paths)]
            n += 1
            try:
                status, body = ask(self.place, path)
            except (OSError, HTTPException) as error:
                self.faults.append(f"{path}: {error!r}")
                continue
            self.statuses[status] += 1
            if status != 200:
                self.faults.append(f"{path}: {status} {body[:200]!r}")
            elif path == "/v1/headline":
                self.runs.add(json.loads(body)["meta"]["run_id"])


def republish(data: Path, name: str) -> None:
    """The current run once more, under another name."""
    publisher = Publisher(data)
    now = publisher.current()
    file = publisher.begin(name)
    shutil.copytree(now.path.parent, file.parent, dirs_exist_ok=True)
    (file.parent / "manifest.json").unlink()
    publisher.publish(name, {k: v for k, v in now.manifest.items() if k not in ("sha256", "files", "run_id")})


def children(pid: int) -> list[int]:
    """Processes that one started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z" and _serves(status.parent):
            found.append(int(status.parent.name))
    return sorted(found)


def _serves(process: Path) -> bool:
    try:
        return b"resource_tracker" not in (process / "cmdline").read_bytes()
    except OSError:
        return False


def until(happened: Callable[[], bool], seconds: float = 120) -> bool:
    """Whether it happened in time."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def workers_of(place: tuple[str, int]) -> str:
    found = re.search(rb"evervalue_workers (\d+)", ask(place, "/metrics")[1])
    assert found
    return found[1].decode()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_ten_runs_are_published_while_twenty_read_and_nobody_notices(data: Path, workers: int) -> None:
    with started(data, workers) as (_, place), Readers(place, 20) as readers:
        for n in range(10):
            republish(data, f"20990101T00000{n}Z-again")
            time.sleep(0.25)
        assert until(lambda: any("000009Z" in run for run in readers.runs))
    assert readers.faults == []
    assert readers.statuses[200] > 50
    assert len(readers.runs) > 2


@pytest.mark.slow
def test_processes_are_replaced_without_a_request_refused_and_count_together(data: Path) -> None:
    with started(data, 2) as (process, place):
        assert until(lambda: workers_of(place) == "2")
        before = children(process.pid)
        assert len(before) == 2
        with Readers(place, 8, ("/v1/headline", "/v1/customers?limit=5")) as readers:
            time.sleep(1)
            process.send_signal(signal.SIGHUP)
            assert until(lambda: not set(before) & set(children(process.pid)))
            time.sleep(0.5)
        assert readers.faults == []
        assert readers.statuses[200] > 20

        assert until(lambda: len(children(process.pid)) == 2)
        counted = sum(readers.statuses.values())
        assert until(lambda: _headlines(place) >= counted), "what processes counted that ended is kept"

        killed, other = children(process.pid)
        os.kill(killed, signal.SIGKILL)
        assert until(lambda: len(now := children(process.pid)) == 2 and killed not in now and other in now)
        assert ask(place, "/v1/headline")[0] == 200


def _headlines(place: tuple[str, int]) -> int:
    page = ask(place, "/metrics")[1].decode()
    pattern = (
        r'evervalue_http_requests_total\{route="/v1/(?:headline|customers)",method="GET",status="200"\} (\d+)'
    )
    return sum(int(n) for n in re.findall(pattern, page))


@pytest.mark.slow
def test_a_server_that_is_killed_leaves_nobody_behind(data: Path) -> None:
    with started(data, 2) as (process, place):
        assert until(lambda: workers_of(place) == "2")
        left = children(process.pid)
        process.kill()
        process.wait(10)
        assert until(lambda: not [pid for pid in left if Path(f"/proc/{pid}").exists()], 20)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_being_answered_is_finished_and_the_end_is_no_error(data: Path, workers: int) -> None:
    with started(data, workers) as (process, place):
        line = HTTPConnection(*place, timeout=30)
        line.connect()
        assert ask(place, "/v1/headline", line)[0] == 200
        late = socket.create_connection(place, timeout=30)
        late.sendall(b"GET /v1/customers?format=xlsx HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        answer = HTTPResponse(late)
        answer.begin()
        assert answer.status == 200
        assert answer.read()[:2] == b"PK"
        answer.close()
        late.close()
        line.close()
        _, complaints = process.communicate(timeout=40)
        assert process.returncode == 0
        assert "Traceback" not in complaints


def test_too_long_an_address_and_too_many_headers_are_told_so(data: Path) -> None:
    megabyte, flood = b"a" * 1_000_000, b"X-A: b\r\n" * 20_000
    with started(data, 1) as (_, place):
        for asked, status, code in (
            (b"GET /v1/customers?q=%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % megabyte, 414, "address-too-long"),
            (b"GET /v1/customers HTTP/1.1\r\nHost: localhost\r\nX-A: %s\r\n\r\n" % megabyte, 431, "headers-too-large"),
            (b"GET /v1/customers HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % flood, 431, "headers-too-large"),
        ):  # fmt: skip
            with socket.create_connection(place, timeout=20) as connection:
                connection.sendall(asked)
                answer = HTTPResponse(connection)
                answer.begin()
                told = json.loads(answer.read())
                answer.close()
            assert answer.status == told["status"] == status
            assert told["type"] == f"urn:evervalue:problem:{code}"
            assert told["instance"] == "/v1/customers"
            assert len(json.dumps(told)) < 1000, "what was sent is not sent back"
        kept = HTTPConnection(*place, timeout=20)
        assert ask(place, "/v1/customers?q=" + "a" * 50_000, kept)[0] == 422
        assert ask(place, "/v1/headline", kept)[0] == 200
        kept.close()


def test_a_run_that_is_deleted_under_the_server_is_told_and_the_next_one_heals_it(data: Path) -> None:
    run = Publisher(data).current().path.parent
    kept = data.parent / "kept"
    shutil.copytree(run, kept)
    with started(data, 1) as (_, place):
        assert ask(place, "/v1/headline")[0] == 200
        shutil.rmtree(run)
        (data / "current").unlink()
        assert ask(place, "/v1/customers?sort=customer&limit=7")[0] == 200, "what is open stays readable"
        with started(data, 1) as (_, other):
            status, told = ask(other, "/v1/headline")
            assert (status, json.loads(told)["type"]) == (503, "urn:evervalue:problem:nothing-published")
            assert ask(other, "/readyz")[0] == 503
            shutil.copytree(kept, run)
            (data / "current").write_text(run.name + "\n")
            assert until(lambda: ask(other, "/readyz")[0] == 200)
            assert ask(other, "/v1/headline")[0] == 200
        assert ask(place, "/readyz")[0] == 200
