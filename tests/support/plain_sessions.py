"""Sessions the plain way: one event after the other, in Python."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

Event = Mapping[str, Any]


def plain_keys(events: Iterable[Event]) -> dict[int, str]:
    """Seq: the name under which each event's visitor goes, of events of one namespace.

    An event has `seq`, `at`, `user`, `anonymous`, `previous` and `type`.
    """
    ordered = sorted(events, key=lambda e: (e["at"], e["source"], e["seq"]))
    later: dict[str, str] = {}
    for event in sorted(ordered, key=lambda e: (e["at"], e["seq"])):
        if (
            event["type"] == "alias"
            and event["previous"]
            and event["user"]
            and event["previous"] != event["user"]
        ):
            later[event["previous"]] = event["user"]
    keys: dict[int, str] = {}
    waiting: dict[str, list[int]] = defaultdict(list)
    known: dict[str, str] = {}
    for event in ordered:
        seq, user, anonymous = event["seq"], event["user"], event["anonymous"]
        if anonymous and user:
            known[anonymous] = user
            for earlier in waiting.pop(anonymous, []):
                keys[earlier] = user
        if user:
            keys[seq] = user
        elif anonymous in known:
            keys[seq] = known[anonymous]
        else:
            keys[seq] = anonymous
            waiting[anonymous].append(seq)
    return {seq: _became(key, later) for seq, key in keys.items()}


def _became(key: str, later: Mapping[str, str]) -> str:
    for _ in range(20):
        if key not in later:
            return key
        key = later[key]
    return key


def plain_sessions(events: Iterable[Event], visitors: Mapping[int, str], minutes: int = 30) -> dict[int, int]:
    """Seq: number of the session of its visitor."""
    last: dict[str, dt.datetime] = {}
    number: dict[str, int] = {}
    found: dict[int, int] = {}
    for event in sorted(events, key=lambda e: (e["at"], e["source"], e["seq"])):
        who = visitors[event["seq"]]
        if who not in last or event["at"] - last[who] > dt.timedelta(minutes=minutes):
            number[who] = number.get(who, 0) + 1
        last[who], found[event["seq"]] = event["at"], number[who]
    return found
