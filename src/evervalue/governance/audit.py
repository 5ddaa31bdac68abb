"""Security events: who came in or did not, and what was decided about people and keys. Never a secret."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass

from evervalue.core.clock import Clock
from evervalue.state.store import Store, Transaction, stamp

log = logging.getLogger("evervalue.security")

KINDS = {
    "signed-in": "Signed in",
    "sign-in-failed": "Sign-in failed",
    "sign-in-held": "Sign-in held back",
    "signed-out": "Signed out",
    "session-expired": "Session expired",
    "session-ended": "Session ended by somebody",
    "person-added": "Person added",
    "person-removed": "Person removed",
    "person-disabled": "Person disabled",
    "person-enabled": "Person enabled",
    "role-changed": "Role changed",
    "password-changed": "Password changed",
    "key-made": "Key made",
    "key-revoked": "Key revoked",
    "link-made": "Local link made",
    "denied": "Denied",
}
BAD = frozenset({"sign-in-failed", "sign-in-held", "denied"})
KEPT_DAYS = 400
SAME_SECONDS = 60
"""The same once more within this while is told once: who is denied may ask again and again."""
LONGEST = 200


@dataclass(frozen=True)
class SecurityEvent:
    """One event."""

    at: str
    kind: str
    who: str
    """Who did it; empty where nobody was known."""
    about: str
    """Whom or what it concerns."""
    address: str


class Audit:
    """The security events of a project."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def note(self, kind: str, *, who: str = "", about: str = "", address: str = "") -> None:
        """Keeps an event, and logs it."""
        with self._store.write() as change:
            self.within(change, kind, who=who, about=about, address=address)

    def within(
        self, change: Transaction, kind: str, *, who: str = "", about: str = "", address: str = ""
    ) -> None:
        """The same as a part of the change that it tells of: both are kept, or none."""
        now = self._clock.now()
        who, about, address = _line(who), _line(about), _line(address)
        since = stamp(now - dt.timedelta(seconds=SAME_SECONDS))
        if kind in BAD and change.row(
            "select 1 from security_event where at > ? and kind = ? and who = ? and about = ? and address = ? limit 1",
            since, kind, who, about, address,
        ):  # fmt: skip
            return
        last = change.row("select max(id) as id from security_event") or {}
        change.run(
            "insert into security_event (id, at, kind, who, about, address) values (?, ?, ?, ?, ?, ?)",
            (last.get("id") or 0) + 1, stamp(now), kind, who, about, address,
        )  # fmt: skip
        level = logging.WARNING if kind in BAD else logging.INFO
        log.log(level, "%s who=%r about=%r address=%s", kind, who, about, address)

    def events(
        self, *, kind: str = "", who: str = "", days: int = 30, limit: int = 100, before: int = 0
    ) -> list[tuple[int, SecurityEvent]]:
        """The newest events with their ids, which page: `before` takes the last one of the page before."""
        since = stamp(self._clock.now() - dt.timedelta(days=days))
        with self._store.read() as read:
            rows = read.rows(
                "select id, at, kind, who, about, address from security_event where at >= ? "
                "and (? = '' or kind = ?) and (? = '' or who = ? or about = ?) and (? = 0 or id < ?) "
                "order by id desc limit ?",
                since, kind, kind, who, who, who, before, before, limit,
            )  # fmt: skip
        return [(int(row.pop("id")), SecurityEvent(**row)) for row in rows]

    def forget(self) -> int:
        """Takes out what is older than events are kept; how many that were."""
        with self._store.write() as change:
            return change.run(
                "delete from security_event where at < ?",
                stamp(self._clock.now() - dt.timedelta(days=KEPT_DAYS)),
            )


def _line(text: str) -> str:
    """The text in one line of a log, whatever somebody sent."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:LONGEST])
