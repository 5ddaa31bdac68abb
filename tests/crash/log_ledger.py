"""Sends made-up deliveries to an event log, keeps account of what was acknowledged, and checks a log against it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evervalue.collector.log import LOG, Delivery, EventLog
from evervalue.collector.messages import Event, Refusal
from evervalue.core.errors import StorageError

SIZES = (10, 300, 300, 2_000, 9_000)


@dataclass
class Ledger:
    """What was sent, and what of it was acknowledged."""

    sent: dict[str, bytes] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    refused: int = 0
    """Refusals whose quarantine was acknowledged."""
    gone: set[str] = field(default_factory=set)
    """Events whose bodies may have left the log."""

    def copy(self) -> Ledger:
        return Ledger(dict(self.sent), set(self.acknowledged), self.refused, set(self.gone))

    def delivery(self, chance: random.Random, most: int = 60) -> Delivery:
        """New events, some that were sent before, and now and then one that is refused."""
        names = [f"m{len(self.sent) + n}" for n in range(min(most, chance.choice((1, 1, 2, 5, 60))))]
        for name in names:
            self.sent[name] = b"%s " % name.encode() * chance.choice(SIZES)
        again = chance.sample(sorted(self.sent), min(len(self.sent), chance.choice((0, 0, 1, 3))))
        refused = [Refusal("no_event", "A track event must have a name.", b"{}")] * chance.choice(
            (0, 0, 0, 2)
        )
        events = [Event(name, "track", 5, f"u{len(name)}", self.sent[name]) for name in (*names, *again)]
        return Delivery(chance.choice(("web", "till")), 9, events, refused)

    def write(self, log: EventLog, deliveries: list[Delivery]) -> bool:
        """Whether it was acknowledged."""
        try:
            log.write(deliveries)
        except StorageError:
            return False
        for one in deliveries:
            self.acknowledged |= {f"{one.source} {event.message_id}" for event in one.taken}
            self.refused += len(one.refused)
        return True

    def let_go(self, log: EventLog, chance: random.Random) -> None:
        """Let the bodies of some events go, and give their space back."""
        some = log.read(chance.randrange(1 + log.last()), 40)
        self.gone |= {f"{one.source} {one.message_id}" for one in some}
        for source in ("web", "till"):
            log.let_go(source, [(one.seq, one.body) for one in some if one.source == source])
        log.give_back()

    def check(self, folder: Path) -> None:
        """Fails where a log lacks what was acknowledged, has something twice or damaged, or counts wrong."""
        log = EventLog(folder / LOG)
        try:
            assert log.con is not None
            assert log.con.pragma("integrity_check") == "ok"
            rows: list[Any] = log.con.execute(
                "select s.name, e.message_id, e.body from event as e join source as s using (source_id)"
            ).fetchall()
            stored = Counter(f"{source} {name}" for source, name, _ in rows)
            lost = self.acknowledged - set(stored)
            assert not lost, f"{len(lost)} acknowledged events are lost, as {min(lost)}"
            assert set(stored.values()) <= {1}
            for source, name, body in rows:
                assert body == self.sent[name] or (body is None and f"{source} {name}" in self.gone)
            tallies = log.tallies()
            for tally in tallies:
                assert tally.accepted == tally.stored + tally.duplicate + tally.quarantined
                assert tally.stored == sum(name.startswith(f"{tally.source} ") for name in stored)
            quarantined = sum(tally.quarantined for tally in tallies)
            assert quarantined >= self.refused
            assert quarantined == log.con.execute("select count(*) from refused").get
        finally:
            log.close()
