"""The file that says what a run is doing: true while it goes on, true when it ends, and told from one left behind."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from evervalue.core.clock import FixedClock
from evervalue.core.errors import EvervalueError, InputError
from evervalue.core.progress import Silent
from evervalue.dashboard.app import create_app
from evervalue.pipeline.failed_runs import failed_runs
from evervalue.pipeline.progress_file import NAME, SILENT_SECONDS, read_progress, under_way
from tests.support.projects import NOON, project, run_project
from tests.support.site import LOOPBACK
from tests.support.two_runs import own_two_runs

CLOCK = FixedClock(NOON)
LATER = "20240303T120000Z"


def begun(folder: Path, **changed: object) -> None:
    """A file of a run that is under way, with something of it changed."""
    with under_way(folder, Silent(), CLOCK, run_id=LATER, tables=["a.b"]):
        found = json.loads((folder / NAME).read_text("utf-8"))
    (folder / NAME).write_text(json.dumps({**found, **changed}), "utf-8")


def test_steps_are_written_while_they_are_done(tmp_path: Path) -> None:
    inner = Silent()
    with under_way(tmp_path, inner, CLOCK, run_id=LATER, tables=["raw.x", "customers.lrfm"]) as told:
        first = read_progress(tmp_path, CLOCK)
        assert first is not None
        assert (first["state"], first["done"], first["of"]) == ("running", 0, 2)
        told.doing("customers.lrfm")
        told.doing("Reading sales: part 2")
        told.warn("careful")
        deadline = time.monotonic() + 5
        while (now := read_progress(tmp_path, CLOCK)) and now["warnings"] == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert now is not None
        assert (now["step"], now["done"]) == ("Reading sales: part 2", 1)
    end = read_progress(tmp_path, CLOCK)
    assert end is not None
    assert (end["state"], end["ended_at"]) == ("published", NOON.isoformat())
    assert inner.warnings == ["careful"]


def test_a_run_that_fails_says_why_and_is_remembered(tmp_path: Path) -> None:
    def run() -> None:
        with under_way(tmp_path, Silent(), CLOCK, run_id=LATER, tables=["a.b"]) as told:
            told.doing("a.b")
            raise InputError("sales.csv: zoe@example.org is no day. Set date_format.")

    with pytest.raises(InputError):
        run()
    found = read_progress(tmp_path, CLOCK)
    assert found is not None
    assert (found["state"], found["kind"]) == ("failed", "InputError")
    (row,) = failed_runs(tmp_path)
    assert (row["run_id"], row["step"]) == (LATER, "a.b")
    assert row["says"] == found["says"] == "sales.csv: (address) is no day. Set date_format."


def test_a_disk_that_refuses_the_file_does_not_stop_the_run(tmp_path: Path) -> None:
    with under_way(tmp_path / "gone", Silent(), CLOCK, run_id=LATER, tables=[]) as told:
        told.step("goes on")
    assert read_progress(tmp_path / "gone", CLOCK) is None


def test_the_file_of_a_process_that_is_gone_is_told_as_such(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from evervalue.core.clock import SystemClock
from evervalue.core.progress import Silent
from evervalue.pipeline.progress_file import under_way
with under_way(Path(sys.argv[1]), Silent(), SystemClock(), run_id="r", tables=["a.b"]) as told:
    print("here", flush=True)
    sys.stdin.read(1)
    os._exit(9)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "here\n"
        running = read_progress(tmp_path, CLOCK)
        assert running is not None
        assert running["state"] == "running"
        process.stdin.close()
        process.wait()
    found = read_progress(tmp_path, CLOCK)
    assert found is not None
    assert (found["state"], found["kind"]) == ("crashed", "Crashed")


def test_a_process_number_that_was_given_again_is_not_taken_for_the_run(tmp_path: Path) -> None:
    begun(tmp_path, state="running", born="1")
    found = read_progress(tmp_path, CLOCK)
    assert found is not None
    assert found["state"] == "crashed"


@pytest.mark.parametrize(("silent", "state"), [(5, "running"), (SILENT_SECONDS + 5, "crashed")])
def test_a_run_on_another_machine_is_judged_by_its_beat(tmp_path: Path, silent: float, state: str) -> None:
    begun(tmp_path, state="running", host="elsewhere")
    found = read_progress(tmp_path, FixedClock(NOON + dt.timedelta(seconds=silent)))
    assert found is not None
    assert found["state"] == state


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"run_id": 1}', '{"begun_at": "x", "beat_at": 3}'])
def test_a_file_that_says_nothing_is_no_run(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text, "utf-8")
    assert read_progress(tmp_path, CLOCK) is None


def test_a_real_run_that_fails_is_told_by_pages_and_changes_nothing(tmp_path: Path) -> None:
    rows = "order,date,customer,amount\n1,2024-01-01,a,5\n2,2024-01-02,b,6\n"
    folder = project(tmp_path / "p", {"sales.csv": rows})
    first = run_project(folder).snapshot.run_id
    data = tmp_path / "p" / "evervalue-data"
    assert json.loads((data / NAME).read_text("utf-8"))["state"] == "published"
    (folder / "sales.csv").write_text("order,when,customer,amount\n1,2024-01-01,a,5\n", "utf-8")
    with pytest.raises(EvervalueError, match="date"):
        run_project(folder)
    with TestClient(create_app(data, clock=CLOCK), base_url=LOOPBACK) as client:
        told = client.get("/v1/runs/progress").json()
        assert (told["data"]["state"], told["meta"]["run_id"]) == ("failed", first)
        assert "'date'" in told["data"]["says"]
        (row,) = client.get("/v1/runs?part=failed").json()["data"]
        assert row["says"] == told["data"]["says"]
        for path in ("/", "/gems", "/runs"):
            page = client.get(path)
            assert page.status_code == 200
            assert "The last run failed." in page.text
        assert client.get("/v1/headline").json()["meta"]["run_id"] == first
    later = FixedClock(NOON + dt.timedelta(hours=2))
    with TestClient(create_app(data, clock=later), base_url=LOOPBACK) as client:
        assert "The last run failed." not in client.get("/gems").text, "old news"
        assert "1 run failed" in client.get("/runs").text


def test_pages_say_that_a_run_is_under_way_and_that_a_new_one_is_published(tmp_path: Path) -> None:
    own = own_two_runs(tmp_path)
    with TestClient(create_app(own, clock=CLOCK), base_url=LOOPBACK) as client:
        assert "A run is under way" not in client.get("/").text
        with under_way(own, Silent(), CLOCK, run_id=LATER, tables=["models.backtest", "a.b"]) as told:
            told.doing("models.backtest")
            told._write()
            page = client.get("/").text
            assert "A run is under way." in page
            assert "Fitting and testing models, table 1 of 2" in page
        part = client.get("/runs/progress?seen=20240301T120000Z").text
        assert "A new run is published." in part
        assert "A new run is published." not in client.get("/runs/progress?seen=20240302T120000Z").text
        assert "<script>" not in client.get("/runs/progress?seen=<script>&then=https://x.example").text
        assert "x.example" not in client.get("/runs/progress?seen=a&then=https://x.example").text
