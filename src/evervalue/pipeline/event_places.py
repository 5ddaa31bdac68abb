"""Up to where in the collector's log the files of events hold what came."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from evervalue.pipeline.event_settings import FOLDER


def last_read(data_dir: Path, sources: Iterable[str]) -> dict[str, int]:
    """The place of the last event of each source that lies in its files; 0 before the first.

    Files of events are named FIRST-LAST by the places that they cover, and that of the events is there last.
    """
    return {
        name: max((place(path) for path in (data_dir / FOLDER / name).glob("events/*.parquet")), default=0)
        for name in sources
    }


def place(path: Path) -> int:
    """The last place in the log that a file covers."""
    return int(path.stem.partition("-")[2])
