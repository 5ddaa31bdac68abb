"""Sessions: who signed in, from when to when. What a browser holds is a random ticket of which a hash is kept."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from evervalue.core.clock import Clock
from evervalue.governance.audit import Audit
from evervalue.governance.roles import LOCAL, Role, Who
from evervalue.governance.tickets import kept, ticket
from evervalue.state.store import Row, Store, stamp

SEEN_SECONDS = 60
"""How often it is written down that a session is in use."""
MOST = 20
"""Sessions that one person may have; the oldest ends where another begins."""
COLUMNS = "s.ticket, s.account, s.created_at, s.seen_at, s.ends_at, s.address, s.browser, a.name, a.role, a.disabled_at"


@dataclass(frozen=True)
class Session:
    """Somebody who signed in."""

    id: str
    """The hash of the ticket."""
    account: str | None
    """Whose it is; None for whoever sits at this machine and opened its link."""
    who: Who
    created_at: str
    seen_at: str
    ends_at: str
    address: str
    browser: str


class Sessions:
    """The sessions of a project."""

    def __init__(
        self, store: Store, clock: Clock, audit: Audit, *, idle_minutes: int = 30, hours: int = 12
    ) -> None:
        self._store = store
        self._clock = clock
        self._audit = audit
        self.idle = dt.timedelta(minutes=idle_minutes)
        self.longest = dt.timedelta(hours=hours)

    def begin(self, account: str | None, *, address: str, browser: str, instead_of: str | None = None) -> str:
        """The ticket of a new session, the only time that it can be known; the one before it ends."""
        shown = ticket()
        now = self._clock.now()
        with self._store.write() as change:
            if instead_of is not None:
                change.run("delete from session where ticket = ?", instead_of)
            change.run("delete from session where ends_at < ?", stamp(now))
            held = change.rows(
                "select ticket from session where account = ? order by created_at desc", account
            )
            for row in held[MOST - 1 :]:
                change.run("delete from session where ticket = ?", row["ticket"])
            change.run(
                "insert into session (ticket, account, created_at, seen_at, ends_at, address, browser) "
                "values (?, ?, ?, ?, ?, ?, ?)",
                kept(shown), account, stamp(now), stamp(now), stamp(now + self.longest), address, browser[:200],
            )  # fmt: skip
            if account is not None:
                change.run("update account set seen_at = ? where id = ?", stamp(now), account)
        return shown

    def find(self, shown: str) -> Session | None:
        """The session of a ticket, over or not; None where there is none."""
        with self._store.read() as read:
            row = read.row(
                f"select {COLUMNS} from session s left join account a on a.id = s.account where s.ticket = ?",
                kept(shown),
            )
        return None if row is None or row["disabled_at"] is not None else _session(row)

    def is_over(self, session: Session) -> bool:
        """Whether it was idle for too long, or is too old."""
        now = self._clock.now()
        idle = self.longest if session.account is None else self.idle
        return session.ends_at <= stamp(now) or session.seen_at <= stamp(now - idle)

    def is_due(self, session: Session) -> bool:
        """Whether it should be written down once more that it is in use."""
        return session.seen_at <= stamp(self._clock.now() - dt.timedelta(seconds=SEEN_SECONDS))

    def seen(self, session: Session) -> None:
        """Writes down that it is in use."""
        now = stamp(self._clock.now())
        with self._store.write() as change:
            change.run("update session set seen_at = ? where ticket = ?", now, session.id)
            if session.account is not None:
                change.run("update account set seen_at = ? where id = ?", now, session.account)

    def end(self, session: Session, kind: str, *, by: str, address: str = "") -> None:
        """Ends it: no request comes in by it from now on. `kind` says why, as security events have it."""
        with self._store.write() as change:
            if change.run("delete from session where ticket = ?", session.id):
                self._audit.within(change, kind, who=by, about=session.who.name, address=address)

    def end_all(self, account: str | None, *, by: str, about: str, but: str | None = None) -> int:
        """Ends every session of a person, but one where that is given; how many that were."""
        with self._store.write() as change:
            ended = change.run(
                "delete from session where (account = ? or (account is null and ? is null)) and ticket <> ?",
                account, account, but or "",
            )  # fmt: skip
            if ended:
                self._audit.within(change, "session-ended", who=by, about=f"{about}: {ended} sessions")
        return ended

    def all(self) -> list[Session]:
        """Every session that goes on, the newest first."""
        with self._store.read() as read:
            rows = read.rows(
                f"select {COLUMNS} from session s left join account a on a.id = s.account "
                "where s.ends_at > ? and a.disabled_at is null order by s.seen_at desc, s.ticket limit 500",
                stamp(self._clock.now()),
            )
        return [found for found in map(_session, rows) if not self.is_over(found)]


def _session(row: Row) -> Session:
    who = LOCAL if row["account"] is None else Who(row["name"], Role(row["role"]))
    return Session(
        row["ticket"], row["account"], who, row["created_at"], row["seen_at"], row["ends_at"],
        row["address"], row["browser"],
    )  # fmt: skip
