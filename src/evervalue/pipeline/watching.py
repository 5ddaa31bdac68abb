"""Follows a project's databases between runs, and runs where it is asked to publish what came."""

from __future__ import annotations

import logging
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from evervalue.core.clock import Clock, SystemClock
from evervalue.core.errors import EvervalueError, SettingsError
from evervalue.core.progress import Progress, Silent
from evervalue.pipeline.run import run, told_plainly
from evervalue.pipeline.settings import Project, read_project
from evervalue.sources.changes import standing
from evervalue.sources.changes.feed import FollowerOf
from evervalue.sources.changes.followers import followed
from evervalue.sources.changes.watch import Lag, watch

SHORTEST_SECONDS = 10
LOG = logging.getLogger("evervalue.sources")


def follow(
    project: Project,
    *,
    clock: Clock,
    progress: Progress,
    tell: Callable[[Lag], None],
    publish_every: str | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Follow every source whose changes are captured, until stopped.

    Parameters
    ----------
    tell
        Called with how far behind each source is, after every batch and now and then while nothing comes.
    publish_every
        How often to run and publish, such as "15m", where something came since; None never.
    stop
        Set to stop; None stops on SIGTERM and SIGINT.

    Raises
    ------
    SettingsError
        No source is followed, or `publish_every` is no time.
    EvervalueError
        A source cannot be followed any more, with the mend.
    """
    seconds = _seconds(publish_every)
    followers = _followers(project)
    temp = project.data_dir / "watch"
    temp.mkdir(parents=True, exist_ok=True)
    news = threading.Event()
    done = threading.Event()

    def told(lag: Lag) -> None:
        if lag.changes:
            news.set()
        tell(lag)

    publisher = threading.Thread(target=_publish, args=(project, seconds, progress, news, done))
    if seconds is not None:
        publisher.start()
    try:
        with told_plainly("Following the sources"):
            watch(
                followers, warehouse=project.data_dir / "warehouse.duckdb", temp=temp, clock=clock, progress=progress,
                tell=told, stop=stop, standings=project.data_dir / standing.FOLDER,
            )  # fmt: skip
    finally:
        done.set()
        if seconds is not None:
            publisher.join()


@contextmanager
def followed_beside(project: Project, *, publish_every: str) -> Iterator[None]:
    """Follow the project's sources in a process of its own while the block lasts, and publish what comes.

    Raises
    ------
    SettingsError
        No source is followed, or `publish_every` is no time.
    """
    _seconds(publish_every)
    _followers(project)
    watcher = get_context("spawn").Process(target=_follow, args=(project.folder, publish_every), daemon=False)
    watcher.start()
    try:
        yield
    finally:
        watcher.terminate()  # SIGTERM, upon which it ends the batch it is at
        watcher.join(60)


def _follow(folder: Path, publish_every: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C means the server, which then ends this process
    try:
        follow(
            read_project(folder),
            clock=SystemClock(),
            progress=Logged(),
            tell=lambda lag: None,
            publish_every=publish_every,
        )
    except EvervalueError as error:
        LOG.error("The sources are not followed any more: %s", error)


class Logged:
    """Progress of a process that nobody watches: steps and warnings go to the log."""

    def step(self, says: str, *, detail: str = "") -> None:
        """Log the step."""
        LOG.info("%s %s", says, detail)

    def doing(self, says: str) -> None:
        """Nothing."""

    def warn(self, says: str) -> None:
        """Log the warning."""
        LOG.warning("%s", says)


def _publish(
    project: Project,
    seconds: float | None,
    progress: Progress,
    news: threading.Event,
    done: threading.Event,
) -> None:
    while not done.wait(seconds):
        if not news.is_set():
            continue
        news.clear()
        # In a process of its own, so that run and watcher take turns with the warehouse as any two processes do.
        spawned = get_context("spawn")
        here, there = spawned.Pipe(duplex=False)
        runner = spawned.Process(target=_run, args=(project.folder, there))
        runner.start()
        there.close()
        try:
            published, says = here.recv()
        except EOFError:
            published, says = False, "the run ended before it was done"
        runner.join()
        if published:
            progress.step("Published", detail=says)
        else:
            progress.warn(f"What came was not published and is tried again: {says}")
            news.set()


def _run(folder: Path, there: Connection) -> None:
    """Run a project and publish; tells whether it went well, and the run or the reason."""
    try:
        there.send((True, run(read_project(folder), clock=SystemClock(), progress=Silent()).snapshot.run_id))
    except EvervalueError as error:
        there.send((False, str(error)))


def _followers(project: Project) -> dict[str, FollowerOf]:
    followers = followed(project.settings.sources)
    if not followers:
        raise SettingsError(
            'No source is followed. Set capture = "changes" for a source of kind "postgres" or "mysql" in '
            "evervalue.toml."
        )
    return followers


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    if not re.fullmatch("[1-9][0-9]{0,5}[smhd]", text):
        raise SettingsError(f"--publish {text} is not a time; write it as 30s, 15m or 2h.")
    seconds = int(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[text[-1]]
    if seconds < SHORTEST_SECONDS:
        raise SettingsError(
            f"--publish {text} is too short; a run takes seconds, so give at least {SHORTEST_SECONDS}s."
        )
    return float(seconds)
