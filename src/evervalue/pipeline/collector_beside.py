"""The collector beside the server: a process of its own, started again where it ends unasked."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from evervalue.core import logs
from evervalue.core.clock import SystemClock
from evervalue.core.errors import EvervalueError, StorageError
from evervalue.pipeline.collect import collect_project
from evervalue.pipeline.settings import Project

LOG = logging.getLogger("evervalue.collector")
READY_SECONDS = 60
END_SECONDS = 30
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before it is started again, twice as long each time it does not stay."""
STAYED_SECONDS = 60


@dataclass(frozen=True)
class _Asked:
    folder: Path
    host: str
    port: int
    log_format: logs.Format


@contextmanager
def collected_beside(
    project: Project, *, host: str, port: int, log_format: logs.Format = "text"
) -> Iterator[str]:
    """The address at which events are taken, for as long as the block goes on.

    Raises
    ------
    EvervalueError
        It could not be started, with its own reason.
    """
    asked = _Asked(project.folder, host, port, log_format)
    process, address = _started(asked)
    # Started again it listens where it did, also where a free port was asked for.
    again = _Asked(project.folder, host, int(address.rstrip("/").rpartition(":")[2]), log_format)
    ending = threading.Event()
    keeper = _Keeper(process, again, ending)
    keeper.start()
    try:
        yield address
    finally:
        ending.set()
        keeper.end()


class _Keeper(threading.Thread):
    """Watches over the process."""

    def __init__(self, process: BaseProcess, asked: _Asked, ending: threading.Event) -> None:
        super().__init__(name="evervalue-collector-keeper", daemon=True)
        self.process, self.asked, self.ending = process, asked, ending
        self.lock = threading.Lock()

    def run(self) -> None:
        pause = SHORTEST_PAUSE
        while not self.ending.is_set():
            self.process.join(STAYED_SECONDS)
            if self.process.is_alive():
                pause = SHORTEST_PAUSE
                continue
            if self.ending.wait(pause):
                return
            LOG.error("the collector ended (exit code %s) and is started again", self.process.exitcode)
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                with self.lock:
                    if not self.ending.is_set():
                        self.process, _ = _started(self.asked)
            except EvervalueError as error:
                LOG.error("the collector could not be started again: %s", error)

    def end(self) -> None:
        """Ends the process; what it acknowledged is on disk."""
        with self.lock:
            self.process.terminate()
            self.process.join(END_SECONDS)
            if self.process.is_alive():
                self.process.kill()
                self.process.join()


def _started(asked: _Asked) -> tuple[BaseProcess, str]:
    spawned = get_context("spawn")
    here, there = spawned.Pipe(duplex=False)
    process = spawned.Process(target=_collect, args=(asked, there), name="evervalue-collector", daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(READY_SECONDS):
            raise StorageError(f"The collector did not begin to answer within {READY_SECONDS} seconds.")
        is_ready, says = here.recv()
    except EOFError:
        is_ready, says = False, "The collector ended before it began to answer."
    except StorageError:
        process.kill()
        raise
    if not is_ready:
        process.join()
        raise StorageError(f"Events cannot be taken beside the server (--no-collect serves without): {says}")
    return process, str(says)


def _collect(asked: _Asked, there: Connection) -> None:
    """Take events; tells the address, or why there is none."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logs.setup(asked.log_format)
    try:
        collect_project(
            asked.folder, SystemClock(), host=asked.host, port=asked.port,
            ready=lambda address: there.send((True, address)),
        )  # fmt: skip
    except EvervalueError as error:
        there.send((False, str(error)))


def _end_with_parent() -> None:
    """Ends this process where the server is gone without a word."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
