"""What a collector says of itself between runs: two small files in the data directory, for pages, API and commands.

One is written every few seconds and tells how the collector fares; a file that has grown old is a collector that is
gone, whatever it said last. The other remembers the silences of its sources, and is written where one ended. Neither
holds anything that was sent.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evervalue.collector.silence import Heard

STANDING = "collecting.json"
SILENCES = "silences.json"
BEAT_SECONDS = 5.0
"""How often a collector says that it is there."""


@dataclass(frozen=True)
class SourceStanding:
    """How one source of events stands. Instants are UTC."""

    last_at: dt.datetime | None
    """When it last sent something, to a few seconds; None where that was before it was listened to."""
    accepted: int
    """How many events had come by then."""
    since: dt.datetime
    """From when its silence counts: without the time in which no collector listened."""
    watch_seconds: float | None
    alarm_seconds: float | None
    is_set: bool
    alarmed: bool
    """Whether its present silence has become an alarm, which it stays until an event comes."""


@dataclass(frozen=True)
class Standing:
    """How a collector stands, as it said last. Instants are UTC."""

    told_at: dt.datetime
    started_at: dt.datetime
    address: str = ""
    stopped: bool = False
    """Whether it was ended in good order."""
    canary_at: dt.datetime | None = None
    """When the last canary was sent."""
    canary_seconds: float | None = None
    """How long the last one that was found took."""
    canary_success_at: dt.datetime | None = None
    canary_fault: str = ""
    """What went wrong with the last one; empty where it was found."""
    sources: Mapping[str, SourceStanding] = field(default_factory=dict)


def write(data_dir: Path, standing: Standing) -> None:
    """Say how a collector stands, in one step: who reads sees the word before or this one."""
    _put(data_dir / STANDING, asdict(standing))


def read(data_dir: Path) -> Standing | None:
    """What the collector of a project said last; None where it said nothing that can be read."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        held = json.loads((data_dir / STANDING).read_text("utf-8"))
        sources = {name: SourceStanding(**_instants(one)) for name, one in held.pop("sources").items()}
        return Standing(**_instants(held), sources=sources)
    return None


def write_silences(data_dir: Path, heard: Mapping[str, Heard]) -> None:
    """Keep what is remembered of the sources."""
    _put(
        data_dir / SILENCES,
        {
            name: {
                **asdict(one),
                "days": {str(day): n for day, n in sorted(one.days.items())},
            }
            for name, one in heard.items()
        },
    )


def read_silences(data_dir: Path) -> dict[str, Heard]:
    """What is remembered of the sources; what cannot be read is learnt anew."""
    found = {}
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        for name, one in json.loads((data_dir / SILENCES).read_text("utf-8")).items():
            found[name] = Heard(
                dt.datetime.fromisoformat(one["since"]),
                dt.datetime.fromisoformat(one["last"]),
                int(one["accepted"]),
                {dt.date.fromisoformat(day): int(n) for day, n in one["days"].items()},
                [(dt.datetime.fromisoformat(ended), float(seconds)) for ended, seconds in one["silences"]],
            )
    return found


def _put(path: Path, value: object) -> None:
    beside = path.with_suffix(".partial")
    beside.write_text(json.dumps(value, default=_written), "utf-8")
    beside.replace(path)


def _written(value: Any) -> str:
    assert isinstance(value, dt.datetime)
    return value.isoformat()


def _instants(held: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: dt.datetime.fromisoformat(value)
        if value is not None and (name.endswith("_at") or name == "since")
        else value
        for name, value in held.items()
    }
