"""API keys: what a program shows instead of signing in. Hashed, with a few rights, for a while."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from evervalue.core.clock import Clock
from evervalue.core.errors import InputError
from evervalue.governance.audit import Audit
from evervalue.governance.roles import Right, Role, Who
from evervalue.governance.tickets import kept, ticket
from evervalue.state.store import Row, Store, stamp

PREFIX = "evk_"
LONGEST_DAYS = 730
USED_SECONDS = 60
COLUMNS = (
    "k.id, k.account, k.name, k.shown, k.rights, k.created_at, k.ends_at, k.used_at, k.revoked_at, "
    "a.name as owner, a.role, a.disabled_at"
)


@dataclass(frozen=True)
class ApiKey:
    """An API key as it may be shown."""

    id: str
    name: str
    shown: str
    """Its first characters."""
    rights: tuple[Right, ...]
    owner: str
    who: Who
    """What its bearer may: of its rights those that its owner has now."""
    created_at: str
    ends_at: str | None
    used_at: str | None
    revoked_at: str | None
    is_of_disabled: bool

    def lets_in(self, now: str) -> bool:
        """Whether it opens anything now."""
        is_over = self.ends_at is not None and self.ends_at <= now
        return not (is_over or self.revoked_at or self.is_of_disabled)


class ApiKeys:
    """The API keys of a project."""

    def __init__(self, store: Store, clock: Clock, audit: Audit) -> None:
        self._store = store
        self._clock = clock
        self._audit = audit

    def make(self, name: str, rights: Iterable[Right], days: int, *, account: str | None, by: str) -> str:
        """A new key for an account (None: of the machine itself); it cannot be shown again.

        Raises
        ------
        InputError
            It has no name or no right, or would be good for too long.
        """
        name = " ".join(name.split())
        given = tuple(right for right in Right if right in set(rights))
        if not 1 <= len(name) <= 80 or not name.isprintable():
            raise InputError("Name the key after what uses it, in 1 to 80 characters.")
        if not given:
            raise InputError(f"Give the key at least one right: {', '.join(Right)}.")
        if not 1 <= days <= LONGEST_DAYS:
            raise InputError(f"A key is good for 1 to {LONGEST_DAYS} days.")
        shown = PREFIX + ticket()
        now = self._clock.now()
        with self._store.write() as change:
            change.run(
                "insert into api_key (id, ticket, account, name, shown, rights, created_at, ends_at, used_at, "
                "revoked_at) values (?, ?, ?, ?, ?, ?, ?, ?, null, null)",
                secrets.token_hex(4), kept(shown), account, name, shown[:10], " ".join(given), stamp(now),
                stamp(now + dt.timedelta(days=days)),
            )  # fmt: skip
            about = f"{name} ({shown[:10]}…): {', '.join(given)}, {days} days"
            self._audit.within(change, "key-made", who=by, about=about)
        return shown

    def find(self, shown: str) -> ApiKey | None:
        """The key, where it lets somebody in now."""
        if not shown.startswith(PREFIX):
            return None
        with self._store.read() as read:
            row = read.row(
                f"select {COLUMNS} from api_key k left join account a on a.id = k.account where k.ticket = ?",
                kept(shown),
            )
        found = _key(row) if row else None
        return found if found and found.lets_in(stamp(self._clock.now())) else None

    def is_due(self, key: ApiKey) -> bool:
        """Whether it should be written down once more that it is in use."""
        return (key.used_at or "") <= stamp(self._clock.now() - dt.timedelta(seconds=USED_SECONDS))

    def used(self, key: ApiKey) -> None:
        """Writes down that it is in use."""
        with self._store.write() as change:
            change.run("update api_key set used_at = ? where id = ?", stamp(self._clock.now()), key.id)

    def revoke(self, key_id: str, *, by: str) -> ApiKey:
        """The key, which lets nobody in from now on.

        Raises
        ------
        InputError
            There is no such key in use.
        """
        found = [key for key in self.all() if key_id in (key.id, key.shown) and key.revoked_at is None]
        if len(found) != 1:
            raise InputError(
                f"No key in use is called '{key_id[:40]}'. 'evervalue people keys' lists them, the id first."
            )
        with self._store.write() as change:
            change.run(
                "update api_key set revoked_at = ? where id = ?", stamp(self._clock.now()), found[0].id
            )
            about = f"{found[0].name} ({found[0].shown}…)"
            self._audit.within(change, "key-revoked", who=by, about=about)
        return found[0]

    def all(self) -> list[ApiKey]:
        """Every key, the newest first."""
        with self._store.read() as read:
            rows = read.rows(
                f"select {COLUMNS} from api_key k left join account a on a.id = k.account "
                "order by k.created_at desc, k.id"
            )
        return [_key(row) for row in rows]


def _key(row: Row) -> ApiKey:
    rights = tuple(Right(right) for right in str(row["rights"]).split())
    role = Role.ADMIN if row["account"] is None else Role(row["role"])
    owner = row["owner"] or "local"
    who = Who(f"{owner} (key {row['name']})", role, frozenset(rights))
    return ApiKey(
        row["id"], row["name"], row["shown"], rights, owner, who, row["created_at"], row["ends_at"],
        row["used_at"], row["revoked_at"], row["disabled_at"] is not None,
    )  # fmt: skip
