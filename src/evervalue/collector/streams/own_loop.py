"""An event loop in a thread of its own, for a library that knows coroutines alone, used from code that knows none."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class OwnLoop:
    """A loop; whoever asks may have another one going on, as notebooks do."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = ThreadPoolExecutor(1, "evervalue-stream")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine gives."""
        return self._thread.submit(self._loop.run_until_complete, work).result()

    def close(self) -> None:
        """End what is under way, and the loop."""
        with suppress(Exception):
            self.run(_ended())
        self._loop.close()
        self._thread.shutdown()


async def _ended() -> None:
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
