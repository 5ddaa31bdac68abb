"""A source of events in the settings: what the collector takes under its name, mapped as its files are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from evervalue.core.errors import SettingsError
from evervalue.core.text import did_you_mean, joined
from evervalue.sources.presets import preset

FOLDER = "events"
"""Folder of the data directory that the files of events lie in, one folder a source."""
PRESET = "segment"
TRUST = ("server", "browser")
OWN = ("trust", "silence")
"""Settings of a source of events that its files do not have."""
UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0}


class SessionSettings(BaseModel):
    """`[sessions]`: what is one visit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minutes: int = Field(default=30, ge=1, le=1440)
    """A longer pause between two events of a visitor begins a new session."""


def of_events(name: str, table: Mapping[str, Any], data_dir: str) -> dict[str, Any]:
    """The settings of a source of events: its files in the data directory, and the preset that maps them.

    `trust = "browser"` says that its write key stands in a page, where anybody can read it: what comes with it tells of
    visits, and never of orders or of who somebody is. The default, "server", takes both.

    Raises
    ------
    SettingsError
        It names a path, which events do not have, or trusts in something unknown.
    """
    if "path" in table:
        raise SettingsError(
            f"sources.{name}.path: events come from the collector and have no path. Take it out of evervalue.toml."
        )
    trust = table.get("trust", "server")
    if trust not in TRUST:
        raise SettingsError(
            f"sources.{name}.trust: '{trust}' is not known{did_you_mean(str(trust), TRUST)}; there are "
            f"{joined(TRUST)}. Mend it in evervalue.toml."
        )
    values = {key: value for key, value in table.items() if key not in OWN}
    # Whoever holds a write key can send any userId, and any currency: neither may stop a run.
    found = {"preset": PRESET, "customer_keys": name, "without_rate": "quarantine", **values,
             "kind": "files", "path": f"{data_dir}/{FOLDER}/{name}"}  # fmt: skip
    if trust == "browser":
        found["outputs"] = _set_aside(found)
    return found


def silence_of(name: str, table: Mapping[str, Any]) -> float | None:
    """How many seconds a source of events may be silent (`silence = "2h"`); None where that is learnt.

    Raises
    ------
    SettingsError
        It is no time.
    """
    text = table.get("silence")
    if text is None:
        return None
    if not isinstance(text, str) or not re.fullmatch("[1-9][0-9]{0,5}[mhd]", text):
        raise SettingsError(
            f"sources.{name}.silence: '{text}' is not a time such as 30m, 2h or 3d. Mend it in evervalue.toml."
        )
    return float(text[:-1]) * UNITS[text[-1]]


def _set_aside(values: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of the preset, each with a rule that sets all its rows aside."""
    brought = preset(str(values["preset"])).get("outputs", {})
    given = values.get("outputs", {})
    return {
        output: {
            **given.get(output, {}),
            "only": [{"column": next(iter(found["columns"].values())), "in": []}],
        }
        for output, found in brought.items()
    }
