"""The environment, read in one place; nothing else in the package looks at it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """What the environment may say. Every field has a variable `EVERVALUE_<FIELD>`."""

    memory_limit: str | None = None
    """Engine memory, as DuckDB writes it ('2GB'). Default: 60 % of what the machine or its container has."""

    threads: int | None = None
    """Engine threads. Default: all cores."""

    temp_directory: Path | None = None
    """Where the engine spills. Default: the project's own data directory."""


def environment() -> Environment:
    """The settings that the environment gives now."""
    threads = os.environ.get("EVERVALUE_THREADS")
    temp = os.environ.get("EVERVALUE_TEMP_DIRECTORY")
    return Environment(
        memory_limit=os.environ.get("EVERVALUE_MEMORY_LIMIT") or None,
        threads=int(threads) if threads and threads.isdigit() else None,
        temp_directory=Path(temp) if temp else None,
    )


def variable(name: str) -> str | None:
    """The value of an environment variable that settings name, such as `${SHOP_DSN}`; None where it is not set."""
    return os.environ.get(name)
