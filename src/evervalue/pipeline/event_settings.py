"""A source of events in the settings: what the collector takes under its name, mapped as its files are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evervalue.core.errors import SettingsError

FOLDER = "events"
"""Folder of the data directory that the files of events lie in, one folder a source."""


def of_events(name: str, table: Mapping[str, Any], data_dir: str) -> dict[str, Any]:
    """The settings of a source of events: its files in the data directory, and the preset that maps them.

    Raises
    ------
    SettingsError
        It names a path, which events do not have.
    """
    if "path" in table:
        raise SettingsError(
            f"sources.{name}.path: events come from the collector and have no path. Take it out of evervalue.toml."
        )
    return {"preset": "segment", **table, "kind": "files", "path": f"{data_dir}/{FOLDER}/{name}"}
