"""Failed sign-ins are counted, by account and by address; too many of them make everybody wait there.

An attempt is counted before its password is looked at, in one change of the file that all processes share: a hundred
attempts at the same moment are a hundred attempts. Names are kept as hashes, for people type passwords into the wrong
field.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from evervalue.core.clock import Clock
from evervalue.governance.accounts import called
from evervalue.state.store import Store, stamp

WINDOW = dt.timedelta(minutes=15)
ACCOUNT_MOST = 5
"""After so many failures for one account, each further one doubles the wait, from 15 seconds to 15 minutes."""
ADDRESS_MOST = 30
FIRST_WAIT = dt.timedelta(seconds=15)


class Throttle:
    """The failed sign-ins of a project."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def attempt(self, name: str, address: str) -> tuple[str, int]:
        """The attempt's id where it may be made, counted as failed until it is `passed`; else how long to wait (s)."""
        now = self._clock.now()
        since = stamp(now - WINDOW)
        of = hashlib.sha256(called(name).encode("utf-8", "replace")).hexdigest()
        with self._store.write() as change:
            change.run("delete from failed_sign_in where at < ?", since)
            wait = dt.timedelta()
            for column, value, most in (("called", of, ACCOUNT_MOST), ("address", address, ADDRESS_MOST)):
                row = change.row(
                    f"select count(*) as n, max(at) as last from failed_sign_in where {column} = ? and at >= ?",
                    value, since,
                )  # fmt: skip
                if row is not None and row["n"] >= most:
                    pause = min(WINDOW, FIRST_WAIT * 2 ** min(row["n"] - most, 10))
                    wait = max(wait, dt.datetime.fromisoformat(row["last"]) + pause - now)
            if wait > dt.timedelta():
                return "", max(1, round(wait.total_seconds()))
            found = secrets.token_hex(8)
            change.run(
                "insert into failed_sign_in (id, called, address, at) values (?, ?, ?, ?)",
                found, of, address, stamp(now),
            )  # fmt: skip
        return found, 0

    def passed(self, attempt: str) -> None:
        """Who signed in has not failed, and those before were the same person's: the account's count begins anew."""
        with self._store.write() as change:
            change.run(
                "delete from failed_sign_in where called = (select called from failed_sign_in where id = ?)",
                attempt,
            )
