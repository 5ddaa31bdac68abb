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


def names(
    log: Log, sources: Collection[str], keys: Collection[str], bought: Callable[[str, str], bool]
) -> tuple[str, ...]:
    """The keys of a customer, and those that became it: whoever bought before being known, and who that one became.

    Parameters
    ----------
    log
        The event log.
    sources
        Sources that share customer keys, and whose links count; what one of them says holds for all.
    keys
        Keys of the customer.
    bought
        Whether the run knows an order that a source told of a key; visitors who never bought are joined with nobody.
    """
    known = list(dict.fromkeys(keys))
    for key in known:  # grows while it is gone through
        for source in sources:
            for name in _bought_as(log, source, key, bought, set()):
                if name not in known and len(known) < MOST_KEYS:
                    known.append(name)
    return tuple(known)


def _bought_as(
    log: Log, source: str, key: str, bought: Callable[[str, str], bool], looked: set[str]
) -> list[str]:
    """Earlier names of a key that bought, or became it from one that did, by what one source says."""
    looked.add(key)
    events = [_read(source, one).event for one in log.recent(source, [key], MOST_EVENTS)]
    found = []
    for name in dict.fromkeys(name for event in events for name in _was(event, key)):
        if name in looked or len(looked) > MOST_KEYS:
            continue
        earlier = _bought_as(log, source, name, bought, looked)
        if earlier or _buys(log, source, name) or bought(source, name):
            found += [name, *earlier]
    return found


def visitor(log: Log, source: str, keys: Collection[str], after: int, most: int) -> Visitor:
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
    most
        How many of the newest events are wanted.
    """
    return Visitor(
        source,
        tuple(keys),
        tuple(_read(source, one) for one in log.about(source, keys, after)),
        tuple(_read(source, one) for one in log.recent(source, keys, most)),
    )


def _buys(log: Log, source: str, key: str) -> bool:
    return any(
        told_event(_read(source, one).event) == COMPLETED for one in log.recent(source, [key], MOST_EVENTS)
    )


def before(log: Log, one: Visitor, last_seq: int) -> list[Mapping[str, Any]]:
    """The newest events of the visitor that the run has read, as far as the log holds them, in its order."""
    found = log.recent(one.source, one.keys, MOST_EVENTS)
    return [orjson.loads(stored.body) for stored in reversed(found) if stored.seq <= last_seq]


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
