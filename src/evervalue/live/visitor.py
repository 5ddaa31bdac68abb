"""Whose events are a customer's: the keys that a run knows, and the anonymous ones that became them since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from evervalue.collector.messages import id_of
from evervalue.live.event_lines import COMPLETED, told_event

MOST_KEYS = 50
MOST_EVENTS = 500
"""Newest events of a key that are looked through for whom it was before."""


class Stored(Protocol):
    """An event as the log gives it."""

    @property
    def seq(self) -> int:
        """Place in the log."""
        ...

    @property
    def body(self) -> bytes:
        """The message as JSON."""
        ...


class Log(Protocol):
    """What is asked of the event log."""

    def about(self, source: str, names: Collection[str], after: int) -> Sequence[Stored]:
        """Events of keys behind a place, in the order of the log."""
        ...

    def recent(self, source: str, names: Collection[str], most: int) -> Sequence[Stored]:
        """The newest events of keys, the newest first."""
        ...


@dataclass(frozen=True)
class Seen:
    """An event of the customer."""

    source: str
    seq: int
    event: Mapping[str, Any]


@dataclass(frozen=True)
class Visitor:
    """All that a customer did as one source saw it since the run."""

    source: str
    keys: tuple[str, ...]
    """Keys that stand for the customer: those asked for, then those that became it."""
    since: tuple[Seen, ...]
    """Events behind the run, in the order of the log."""
    recent: tuple[Seen, ...]
    """The newest events, also those that the run has read, the newest first."""


def visitor(
    log: Log,
    source: str,
    keys: Collection[str],
    after: int,
    is_customer: Callable[[str], bool] | None,
    most: int,
) -> Visitor:
    """What a source saw of a customer.

    Parameters
    ----------
    log
        The event log.
    source
        Name of the source.
    keys
        Keys of the customer there.
    after
        Place in the log up to which the run has read.
    is_customer
        Whether the run knows a key as that of a customer; visitors who never bought are none. None where nothing that
        the source says joins anybody.
    most
        How many of the newest events are wanted.
    """
    known = list(dict.fromkeys(keys))
    for key in known if is_customer else ():  # grows while it is gone through
        assert is_customer is not None
        looked = [_read(source, one) for one in log.recent(source, [key], MOST_EVENTS)]
        for before in dict.fromkeys(name for one in looked for name in _was(one.event, key)):
            if before in known or len(known) >= MOST_KEYS:
                continue
            if is_customer(before) or any(_buys(one) for one in log.about(source, [before], after)):
                known.append(before)
    return Visitor(
        source,
        tuple(known),
        tuple(_read(source, one) for one in log.about(source, known, after)),
        tuple(_read(source, one) for one in log.recent(source, known, most)),
    )


def _read(source: str, stored: Stored) -> Seen:
    return Seen(source, stored.seq, orjson.loads(stored.body))


def _was(event: Mapping[str, Any], key: str) -> list[str]:
    """Whom an event says that the key was before."""
    if id_of(event.get("userId")) != key:
        return []
    names = [id_of(event.get("anonymousId"))]
    if event.get("type") == "alias":
        names.append(id_of(event.get("previousId")))
    return [name for name in names if name and name != key]


def _buys(stored: Stored) -> bool:
    return told_event(orjson.loads(stored.body)) == COMPLETED
