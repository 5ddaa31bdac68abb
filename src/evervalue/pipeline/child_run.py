"""A run in a process of its own, for a page that starts one: `python -m evervalue.pipeline.child_run FOLDER`."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from evervalue.core.clock import Clock, SystemClock
from evervalue.core.errors import Busy, EvervalueError
from evervalue.core.progress import Silent
from evervalue.pipeline.progress_file import announce, not_begun, read_progress
from evervalue.pipeline.run import run
from evervalue.pipeline.settings import read_project


def start_run(folder: Path, clock: Clock) -> int:
    """The process number of a run that was started; how it goes on stands in its progress file.

    Raises
    ------
    SettingsError
        The settings cannot be read, or are impossible.
    Busy
        A run of the project is under way.
    """
    data_dir = read_project(folder).data_dir
    now = read_progress(data_dir, clock)
    if now is not None and now["state"] == "running":
        raise Busy("A run of this project is under way already. Wait for it to end.")
    # -P: a file of the project's folder is never taken for a module
    command = [sys.executable, "-P", "-m", "evervalue.pipeline.child_run", str(folder.resolve())]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    announce(data_dir, clock, pid=process.pid)
    threading.Thread(target=process.wait, daemon=True, name="run").start()
    return process.pid


def main() -> int:
    """0 where the run was published, else 1; the reason stands in the progress file."""
    project = read_project(Path(sys.argv[1]))
    clock = SystemClock()
    try:
        run(project, clock=clock, progress=Silent())
    except EvervalueError as error:
        not_begun(project.data_dir, clock, error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
