"""A data directory of a test's own: what is published is shared, what people keep is not."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.site import saas_data


def own_saas(folder: Path) -> Path:
    """The published SaaS example with a state of its own."""
    data = folder / "data"
    keep = shutil.ignore_patterns("warehouse.duckdb*", "state.db*", "events*")
    shutil.copytree(saas_data(), data, symlinks=True, ignore=keep)
    return data
