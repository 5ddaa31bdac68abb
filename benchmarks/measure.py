"""Runs one thing in a fresh process and tells its seconds and its peak memory."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Result:
    """What one process took."""

    seconds: float
    cpu_seconds: float
    """Of all threads and processes together: what the work costs, whoever else is using the machine."""
    peak_mb: float
    more: dict[str, Any]


def fresh(
    module: str,
    *arguments: str,
    environment: dict[str, str] | None = None,
    python: str | Path = sys.executable,
    timeout: float | None = None,
) -> Result:
    """The result of `python -m module arguments` in a process of its own.

    Raises
    ------
    RuntimeError
        It failed; with the end of what it said.
    """
    started = subprocess.Popen(
        [str(python), "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    try:
        out, errors = started.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)  # its own processes too
        started.communicate()
        raise
    if started.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} failed:\n{errors[-2000:]}")
    told = json.loads(out.splitlines()[-1])
    return Result(told.pop("seconds"), told.pop("cpu_seconds"), told.pop("peak_mb"), told)


@dataclass(frozen=True)
class Took:
    """How long some work took."""

    seconds: float
    cpu_seconds: float


def timed(work: Callable[[], Any]) -> tuple[Any, Took]:
    """What `work` returns, and how long it took."""
    start, cpu = time.perf_counter(), sum(os.times()[:4])
    result = work()
    return result, Took(time.perf_counter() - start, sum(os.times()[:4]) - cpu)


def tell(took: Took, **more: Any) -> None:
    """Prints the result of this process, for `fresh`."""
    print(json.dumps({**asdict(took), "peak_mb": peak_mb(), **more}))


def peak_mb() -> float:
    """Most memory that this process has held, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def spill_watched(folder: Path) -> Any:
    """Yields a function that tells how many megabytes the spill in `folder` has reached."""
    import threading

    most = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.25):
            most = max(most, sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: most / 1e6
    finally:
        done.set()
        thread.join()
