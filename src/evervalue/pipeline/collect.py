"""The collector of a project: its log, its keys, its streams and its silences, as the settings say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evervalue.collector.serve import collect
from evervalue.core.clock import Clock
from evervalue.pipeline.event_log import open_keys, open_log
from evervalue.pipeline.settings import read_project


def collect_project(
    folder: Path, clock: Clock, *, host: str, port: int, ready: Callable[[str], None]
) -> None:
    """Take events of the project in `folder` until stopped.

    Raises
    ------
    EvervalueError
        As for `collect`, and for the settings.
    """
    project = read_project(folder)
    collect(
        project.data_dir, clock, host=host, port=port, ready=ready, streams=project.settings.streams,
        silences=lambda: read_project(folder).settings.silences,
        open_log=lambda: open_log(project), keys=open_keys(project, clock),
    )  # fmt: skip
