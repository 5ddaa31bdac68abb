"""What the processes of one server count, added up: each writes its own counts to a file, any of them reads them all.

A file is replaced once a second, so the sum lacks at most a second of the others. Counts of a process that ended stay,
for a sum that went down would look like a server that was started again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

log = logging.getLogger("evervalue.api")
EVERY_SECONDS = 1.0
Told = dict[str, Any]


class Workers:
    """The processes of one server, as one of them sees them.

    Parameters
    ----------
    folder
        Where each keeps its file; None where there is one process alone.
    tell
        Gives what this process counted.
    """

    def __init__(self, folder: Path | None, tell: Callable[[], Told]) -> None:
        self._tell = tell
        self._file = folder and folder / f"{os.getpid()}-{secrets.token_hex(4)}.json"
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begins to tell the others; called within the event loop."""
        if self._file is not None:
            self._task = asyncio.create_task(self._keep_telling())

    def end(self) -> None:
        """Tells them for the last time."""
        if self._task is not None:
            self._task.cancel()
            self._write(ended=True)

    def all(self) -> list[tuple[Told, bool]]:
        """What each process counted, and whether it is there still; this one first."""
        return [(self._tell(), True), *self._others()]

    def _others(self) -> Iterator[tuple[Told, bool]]:
        if self._file is None:
            return
        for file in sorted(self._file.parent.glob("*.json")):
            if file == self._file:
                continue
            try:
                told: Told = json.loads(file.read_bytes())
            except (OSError, ValueError):
                continue
            yield told, not told.get("ended") and _is_running(int(file.name.partition("-")[0]))

    async def _keep_telling(self) -> None:
        while True:
            self._write()
            await asyncio.sleep(EVERY_SECONDS)

    def _write(self, *, ended: bool = False) -> None:
        assert self._file is not None
        new = self._file.with_suffix(".new")
        try:
            new.write_bytes(json.dumps({**self._tell(), "ended": ended}).encode())
            new.replace(self._file)
        except OSError as error:
            log.warning("the counts of this process cannot be told to the others: %s", error)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
