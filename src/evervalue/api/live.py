"""The live profile of a customer: the published snapshot, and what events since it change.

Nothing is kept between requests but what the snapshot says for all customers: each answer reads the customer's newest
events from the log, so that it holds whatever was acknowledged before it was asked for, in every worker alike.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson

from evervalue.api import live_rules
from evervalue.api.live_rows import event_row, instant, notes, order_row
from evervalue.api.profile import Profile, days
from evervalue.api.queries import live as asked
from evervalue.api.snapshots import Reading, Row
from evervalue.collector.log import LOG, EventLog
from evervalue.collector.records import Log
from evervalue.core.errors import StorageError
from evervalue.live.event_orders import Known, Order, Read, by_order, read_orders
from evervalue.live.figures import Day, Figures, figures, purchases
from evervalue.live.rules import EventSource, Published
from evervalue.live.scores import Scores, scored
from evervalue.live.visitor import Visitor, before, names, visitor

OpenLog = Callable[[], Log | None]
WARN = logging.getLogger("evervalue.api")
RECENT = 50
"""Newest events that are told."""
LOOK_BACK = 10_000
"""Events that are looked through at first for the newest instant."""
FIGURES = tuple(field.name for field in fields(Figures))
SCORES = tuple(field.name for field in fields(Scores))
VALUE = (
    "p_alive", "expected_orders", "orders_low", "orders_high", "expected_order_value", "expected_clv", "clv_low",
    "clv_high",
)  # fmt: skip


@dataclass(frozen=True)
class Customer:
    """Whose live profile is asked for."""

    customer_id: str
    name: str
    keys: tuple[tuple[str, str], ...]
    """Namespace and key in each system."""
    known: Profile | None = None
    """What the snapshot knows of it; None for who is not in it."""

    @property
    def is_published(self) -> bool:
        """Whether the snapshot knows the customer."""
        return self.known is not None


@dataclass(frozen=True)
class LiveProfile:
    """What is told of a customer, and by which events it changes."""

    row: Row
    keys: frozenset[tuple[str, str]]
    """Source and key of whose events are in it."""


class Live:
    """Live profiles of one data directory.

    Parameters
    ----------
    data_dir
        Where the event log lies.
    open_log
        Opens the log for a thread; None where there is none yet.
    """

    def __init__(self, data_dir: Path, open_log: OpenLog | None = None) -> None:
        self._path = data_dir / LOG
        self._open_log = open_log or (lambda: EventLog(self._path) if self._path.exists() else None)
        self._own = threading.local()
        self._lock = threading.Lock()
        self._newest_us = self._seen = 0

    def log(self) -> Log | None:
        """The event log, opened for this thread; None where no event ever came."""
        log: Log | None = getattr(self._own, "log", None)
        file = self._file()
        if log is not None and file != self._own.file:  # another one was put in its place
            log.close()
            log = None
        if log is None:
            log, self._own.file = self._open_log(), file
            self._own.log = log
        return log

    def _file(self) -> tuple[int, int] | None:
        """What tells the file of the log from another one that is put in its place; None where there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def speaks(self, reading: Reading) -> bool:
        """Whether the run that is read has sources of events, and there is a log."""
        return reading.once(_has_sources) and self.log() is not None

    def mark(self, reading: Reading) -> tuple[str, ...]:
        """What tells an answer from one given before further events came; empty where nothing is live."""
        try:
            log = self.log() if self.speaks(reading) else None
            return (str(log.last()),) if log else ()
        except StorageError:
            return ("away",)

    def profile_if_there(
        self, reading: Reading, customer_id: str, known: Profile | None
    ) -> LiveProfile | None:
        """The live profile, for pages that go on with what the run says where the log cannot be read."""
        try:
            return self.profile(reading, customer_id, known)
        except StorageError as error:
            WARN.warning("nothing is live: %s", error)
            return None

    def profile(self, reading: Reading, customer_id: str, known: Profile | None) -> LiveProfile | None:
        """The live profile of a customer; None where nothing is live, or nobody has the key.

        Parameters
        ----------
        reading
            The snapshot.
        customer_id
            Key of the customer; where the snapshot does not know it, of somebody whose events came since.
        known
            The customer as the snapshot has it; None for who is not in it.

        Raises
        ------
        StorageError
            The log cannot be read.
        """
        if not self.speaks(reading):
            return None
        log = self.log()
        assert log is not None
        published = reading.once(live_rules.published)
        if known is None:
            return self._of_new(reading, log, published, customer_id)
        customer = Customer(customer_id, known.row["customer"], known.keys(), known)
        return self._profile(reading, log, published, customer)

    def _of_new(self, reading: Reading, log: Log, published: Published, key: str) -> LiveProfile | None:
        """The profile of somebody whom the run does not know yet."""
        spaces = dict.fromkeys(one.customer_keys for one in published.sources.values())
        prefix, _, rest = key.partition(":")
        if prefix in spaces and rest:  # as the run names customers where systems do not share keys
            spaces, key = {prefix: None}, rest
        if any(_customer_of(reading, space, key) for space in spaces):
            return None  # known, under another key
        came = [
            (found[0].seq, one)
            for one in published.sources.values()
            if one.customer_keys in spaces and (found := log.recent(one.name, [key], 1))
        ]
        if not came:
            return None
        # The same key where keys are not shared is somebody else: the one who was seen last is meant.
        _, newest = max(came, key=lambda one: one[0])
        here = [one for _, one in came if one.customer_keys == newest.customer_keys]
        customer_id = f"{prefix}:{rest}" if (prefix, rest) == (newest.customer_keys, key) else key
        who = Customer(customer_id, _named(log, here, key), ((newest.customer_keys, key),))
        return self._profile(reading, log, published, who)

    def _profile(self, reading: Reading, log: Log, published: Published, customer: Customer) -> LiveProfile:
        seen_up_to = log.last()
        newest = self._newest(log)
        named = {
            space: names(
                log,
                [
                    one.name
                    for one in published.sources.values()
                    if one.customer_keys == space and one.takes_orders
                ],
                [key for of, key in customer.keys if of == space],
                partial(_bought, reading, published),
            )
            for space in {one.customer_keys for one in published.sources.values()}
        }
        visitors = [
            visitor(log, one.name, named[one.customer_keys], one.last_seq, RECENT)
            for one in published.sources.values()
        ]
        people = _people(reading, published, customer, visitors)
        read = [self._read(reading, log, published, people, one) for one in visitors]
        orders = [order for one in read for order in one.orders]
        cutoff = max(published.as_of, _day_after(newest, published), *(order.date + DAY for order in orders))
        unpriced = sum(order.monetary is None for order in orders)
        recent = sorted((e for one in visitors for e in one.recent), key=lambda e: e.seq, reverse=True)[
            :RECENT
        ]
        told: Row = {
            "customer_id": customer.customer_id,
            "customer": customer.name,
            "as_of": instant(newest, published),
            "cutoff": cutoff,
            "is_provisional": True,
            "is_published": customer.is_published,
            "events_since_run": sum(len(one.since) for one in visitors),
            "last_event": seen_up_to,
            **figures_now(reading, published, customer, people, orders, cutoff),
            "new_orders": [order_row(order) for order in by_order(orders).values()],
            "joined_with": [one for one in people if one != customer.customer_id],
            "notes": notes(read, unpriced, customer.is_published, people),
            "recent_events": [event_row(one) for one in recent],
        }
        keys = frozenset((one.source, key) for one in visitors for key in one.keys)
        return LiveProfile(told, keys)

    def _read(
        self, reading: Reading, log: Log, published: Published, people: Collection[str], one: Visitor
    ) -> Read:
        source = published.sources[one.source]
        if not source.takes_orders:
            return Read((), 0, 0)
        rules = live_rules.rules(reading, published.settings)
        return read_orders(
            one.source,
            (seen.event for seen in one.since),
            lambda number: _known(reading, source, people, one.keys, number),
            rules,
            lambda: before(log, one, source.last_seq),
        )

    def _newest(self, log: Log) -> int:
        """When the newest event happened, microseconds since 1970; 0 before the first."""
        with self._lock:
            last = log.last()
            if last < self._seen:  # another log
                self._newest_us = self._seen = 0
            if last > self._seen:
                after = self._seen or log.before(LOOK_BACK)
                self._newest_us = max(self._newest_us, log.newest_us(after) or 0)
                self._seen = last
            return self._newest_us


DAY = dt.timedelta(days=1)


def figures_now(
    reading: Reading,
    published: Published,
    customer: Customer,
    people: Collection[str],
    orders: Collection[Order],
    cutoff: dt.date,
) -> Row:
    """Figures, scores and value of the customer with the orders that came since the run."""
    known = customer.known
    if known is not None and not orders and len(people) == 1 and cutoff == published.as_of:
        # Nothing changed that they hang on.
        return {name: known.row[name] for name in (*FIGURES, *SCORES, *VALUE)}
    others = [one for one in people if known is None or one != known.customer_id]
    brought = [*(known.days() if known else ()), *days(reading, others), *_days(orders)]
    found, since = figures(brought, cutoff), (cutoff - published.as_of).days
    scores = scored(found, customer.name, customer.customer_id, published.scoring, days_since=since)
    told: Row = {**asdict(found), **asdict(scores), **dict.fromkeys(VALUE)}
    if any(order.monetary is None for order in orders):
        return {**told, "monetary": None, "m_score": None, "lrfm_score": None, "customer_value": None}
    history = purchases(brought, cutoff)
    if history is not None and published.predictor is not None:
        from evervalue.live.value import valued  # takes numpy and scipy along

        told.update(valued(history, published.predictor))
    return told


def _has_sources(reading: Reading) -> bool:
    """Whether the run knows of sources of events; one of an earlier version does not say."""
    return reading.has("run.event_sources") and bool(reading.rows(asked.event_sources()))


def _customer_of(reading: Reading, namespace: str, key: str) -> str | None:
    row = reading.row(asked.customer_of(namespace, key))
    return None if row is None else str(row["customer_id"])


def _bought(reading: Reading, published: Published, source: str, key: str) -> bool:
    """Whether the run knows an order of a key that the source told."""
    of = published.sources[source]
    found = _customer_of(reading, of.customer_keys, key)
    return found is not None and reading.row(asked.bought(found, of.outputs)) is not None


def _people(
    reading: Reading, published: Published, customer: Customer, visitors: Iterable[Visitor]
) -> tuple[str, ...]:
    """The published customers whom the next run makes one with this one, itself first."""
    found = [customer.customer_id]
    for one in visitors:
        space = published.sources[one.source].customer_keys
        others = [key for key in one.keys if (space, key) not in customer.keys]
        found += [other for key in others if (other := _customer_of(reading, space, key)) is not None]
    return tuple(dict.fromkeys(found))


def _known(
    reading: Reading, source: EventSource, people: Collection[str], keys: Collection[str], number: str
) -> Known:
    """What the run knows of an order of the customer as a source of events told it."""
    known = Known()
    # Where somebody else's order had the number already, the customer's is "7 of ada".
    numbers = [number, *(f"{number} of {key}" for key in keys)]
    for row in reading.rows(asked.order_lines(people, numbers)):
        if row["source"] not in source.outputs:
            continue
        side = known.taken if row["takes_back"] else known.ordered
        amount = -row["amount"] if row["takes_back"] else row["amount"]
        side[row["currency"]] = side.get(row["currency"], Decimal(0)) + amount
        known.kinds.add(row["kind"] if row["takes_back"] else "sale")
    if not known.kinds:
        known.of_another = partial(_is_told, reading, source, number)
    return known


def _is_told(reading: Reading, source: EventSource, number: str) -> bool:
    """Whether the run has an order of the number, whosever it is."""
    return any(reading.row(asked.owner_of(output, number)) is not None for output in source.outputs)


def _days(orders: Iterable[Order]) -> list[Day]:
    """What orders add to each day."""
    found = []
    for lines in by_order(orders).values():
        revenue = sum((one.revenue for one in lines), Decimal(0))
        monetary = sum((one.monetary or Decimal(0) for one in lines), Decimal(0))
        found.append(Day(lines[0].date, lines[0].kind == "sale", 1, revenue, monetary))
    return found


def _named(log: Log, sources: Iterable[EventSource], key: str) -> str:
    """The name that somebody gave in events, else the key."""
    for source in sources:
        for stored in log.recent(source.name, [key], RECENT):
            event = orjson.loads(stored.body)
            traits = event.get("traits") if event.get("type") == "identify" else None
            if isinstance(traits, dict) and isinstance(traits.get("name"), str) and traits["name"].strip():
                return str(traits["name"].strip())
    return key


def _day_after(newest_us: int, published: Published) -> dt.date:
    """The business day after that of the newest event."""
    if not newest_us:
        return published.as_of
    zone = ZoneInfo(published.settings["time_zone"])
    return dt.datetime.fromtimestamp(newest_us / 1e6, dt.UTC).astimezone(zone).date() + DAY
