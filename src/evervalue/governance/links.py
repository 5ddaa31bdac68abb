"""The one-time link of this machine: who can read the terminal, or run a command in the project, is let in as admin."""

from __future__ import annotations

import datetime as dt

from evervalue.core.clock import Clock
from evervalue.governance.audit import Audit
from evervalue.governance.tickets import kept, ticket
from evervalue.state.store import Store, stamp

MINUTES = 15


class LocalLinks:
    """The links that were made and not opened yet."""

    def __init__(self, store: Store, clock: Clock, audit: Audit) -> None:
        self._store = store
        self._clock = clock
        self._audit = audit

    def make(self) -> str:
        """The ticket of a new link, good once and for MINUTES."""
        shown = ticket()
        now = self._clock.now()
        with self._store.write() as change:
            change.run("delete from local_link where ends_at < ?", stamp(now))
            change.run(
                "insert into local_link (ticket, ends_at) values (?, ?)",
                kept(shown), stamp(now + dt.timedelta(minutes=MINUTES)),
            )  # fmt: skip
            self._audit.within(change, "link-made", who="local")
        return shown

    def take(self, shown: str) -> bool:
        """Whether the ticket opens the door; it does so once, whoever asks at the same moment."""
        now = stamp(self._clock.now())
        with self._store.write() as change:
            return (
                change.run("delete from local_link where ticket = ? and ends_at > ?", kept(shown), now) == 1
            )
