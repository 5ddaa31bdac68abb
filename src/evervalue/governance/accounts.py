"""People who sign in: names, roles and what checks their passwords. There is always an admin left."""

from __future__ import annotations

import re
import secrets
import sqlite3
import unicodedata
from dataclasses import dataclass, replace

from evervalue.core.clock import Clock
from evervalue.core.errors import InputError
from evervalue.core.text import did_you_mean
from evervalue.governance.audit import Audit
from evervalue.governance.passwords import Passwords, checked
from evervalue.governance.roles import Role
from evervalue.state.store import Row, Store, Transaction, stamp

NAME = re.compile(r"[\w.@+-][\w .@+-]{0,78}[\w.@+-]")
COLUMNS = "id, name, role, password, subject, disabled_at, created_at, password_at, seen_at"
RESERVED = ("local", "nobody")


@dataclass(frozen=True)
class Account:
    """Somebody who signs in."""

    id: str
    name: str
    role: Role
    password: str | None
    """What checks the password; None for who signs in elsewhere."""
    subject: str | None
    """Who it is at the provider of single sign-on: issuer and subject."""
    disabled_at: str | None
    created_at: str
    password_at: str | None
    seen_at: str | None


class Accounts:
    """The accounts of a project."""

    def __init__(self, store: Store, clock: Clock, audit: Audit, passwords: Passwords) -> None:
        self._store = store
        self._clock = clock
        self._audit = audit
        self.passwords = passwords

    def all(self) -> list[Account]:
        """Everybody, by name."""
        with self._store.read() as read:
            return [_account(row) for row in read.rows(f"select {COLUMNS} from account order by called")]

    def any(self) -> bool:
        """Whether somebody could sign in."""
        with self._store.read() as read:
            return read.row("select 1 from account where disabled_at is null limit 1") is not None

    def named(self, name: str) -> Account | None:
        """Who is called so, in capitals or not."""
        with self._store.read() as read:
            row = read.row(f"select {COLUMNS} from account where called = ?", called(name))
        return _account(row) if row else None

    def add(
        self, name: str, role: Role, password: str | None, *, by: str, subject: str | None = None
    ) -> Account:
        """A new account.

        Raises
        ------
        InputError
            The name is taken or is none, or the password is too weak.
        """
        name = unicodedata.normalize("NFKC", name).strip()
        if not NAME.fullmatch(name) or called(name) in RESERVED:
            raise InputError(
                f"'{name[:80]}' cannot be a name. Use 2 to 80 letters, digits, spaces and . @ + - _, as in 'ann.lee'."
            )
        kept = self.passwords.kept(checked(password, name)) if password is not None else None
        now = stamp(self._clock.now())
        found = Account(
            secrets.token_hex(8), name, role, kept, subject, None, now, now if kept else None, None
        )
        try:
            with self._store.write() as change:
                change.run(
                    f"insert into account (called, {COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    called(name), found.id, name, role.value, kept, subject, None, now, found.password_at, None,
                )  # fmt: skip
                self._audit.within(change, "person-added", who=by, about=f"{name} ({role})")
        except sqlite3.IntegrityError:
            raise InputError(f"There is somebody called '{name}' already.") from None
        return found

    def set_role(self, name: str, role: Role, *, by: str) -> None:
        """Gives somebody another role, and ends their sessions.

        Raises
        ------
        InputError
            There is nobody of that name, or no admin would be left.
        """
        with self._store.write() as change:
            found = self._of(change, name)
            if found.role == role:
                return
            if role != Role.ADMIN:
                _keep_an_admin(change, found)
            change.run("update account set role = ? where id = ?", role.value, found.id)
            _end_sessions(change, found)
            self._audit.within(change, "role-changed", who=by, about=f"{found.name}: {found.role} to {role}")

    def set_password(self, name: str, password: str, *, by: str) -> None:
        """Gives somebody another password, and ends their sessions.

        Raises
        ------
        InputError
            There is nobody of that name, they sign in elsewhere, or the password is too weak.
        """
        known = self.named(name)
        if known is not None and known.subject is not None:
            raise InputError(f"{known.name} signs in at the identity provider, and has no password here.")
        kept = self.passwords.kept(checked(password, known.name if known else name))
        with self._store.write() as change:
            found = self._of(change, name)
            change.run(
                "update account set password = ?, password_at = ? where id = ?",
                kept, stamp(self._clock.now()), found.id,
            )  # fmt: skip
            _end_sessions(change, found)
            self._audit.within(change, "password-changed", who=by, about=found.name)

    def renew(self, account: Account, password: str) -> None:
        """Keeps the same password with the parameters that are in force now."""
        if account.password and self.passwords.is_dated(account.password):
            kept = self.passwords.kept(password)
            with self._store.write() as change:
                change.run(
                    "update account set password = ? where id = ? and password = ?",
                    kept, account.id, account.password,
                )  # fmt: skip

    def disable(self, name: str, *, by: str) -> None:
        """Lets somebody in no more, from the next request on.

        Raises
        ------
        InputError
            There is nobody of that name, or no admin would be left.
        """
        with self._store.write() as change:
            found = self._of(change, name)
            _keep_an_admin(change, found)
            now = stamp(self._clock.now())
            change.run("update account set disabled_at = ? where id = ?", now, found.id)
            _end_sessions(change, found)
            self._audit.within(change, "person-disabled", who=by, about=found.name)

    def enable(self, name: str, *, by: str) -> None:
        """Lets somebody in again.

        Raises
        ------
        InputError
            There is nobody of that name.
        """
        with self._store.write() as change:
            found = self._of(change, name)
            change.run("update account set disabled_at = null where id = ?", found.id)
            self._audit.within(change, "person-enabled", who=by, about=found.name)

    def remove(self, name: str, *, by: str) -> None:
        """Takes somebody out, with their sessions and keys.

        Raises
        ------
        InputError
            There is nobody of that name, or no admin would be left.
        """
        with self._store.write() as change:
            found = self._of(change, name)
            _keep_an_admin(change, found)
            change.run("delete from session where account = ?", found.id)
            change.run("delete from api_key where account = ?", found.id)
            change.run("delete from account where id = ?", found.id)
            self._audit.within(change, "person-removed", who=by, about=found.name)

    def from_elsewhere(self, subject: str, name: str, role: Role) -> Account:
        """Who signed in at the identity provider, with the role that it says; an account is made the first time.

        The subject alone says who it is: a name that somebody chose there never opens an account of that name here.

        Raises
        ------
        InputError
            A hundred others have the same name.
        """
        with self._store.read() as read:
            row = read.row(f"select {COLUMNS} from account where subject = ?", subject)
        if row is None:
            clean = re.sub(r"[^\w .@+-]", " ", unicodedata.normalize("NFKC", name)).strip()[:60]
            clean = clean if NAME.fullmatch(clean) and called(clean) not in RESERVED else "somebody"
            for addition in ("", *(f" {n}" for n in range(2, 100))):
                if self.named(clean + addition) is None:
                    return self.add(clean + addition, role, None, by="identity provider", subject=subject)
            raise InputError(f"Too many people are called '{clean}'.")
        found = _account(row)
        if found.role != role:
            with self._store.write() as change:
                change.run("update account set role = ? where id = ?", role.value, found.id)
                _end_sessions(change, found)
                about = f"{found.name}: {found.role} to {role}"
                self._audit.within(change, "role-changed", who="identity provider", about=about)
            return replace(found, role=role)
        return found

    def _of(self, change: Transaction, name: str) -> Account:
        row = change.row(f"select {COLUMNS} from account where called = ?", called(name))
        if row is None:
            names = [str(one["name"]) for one in change.rows("select name from account")]
            raise InputError(f"There is nobody called '{name[:80]}'{did_you_mean(name, names)}.")
        return _account(row)


def called(name: str) -> str:
    """A name as it is looked up: two that look alike are one.

    >>> called(" Ann.LEE "), called("Ａnn")
    ('ann.lee', 'ann')
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _keep_an_admin(change: Transaction, leaving: Account) -> None:
    if leaving.role != Role.ADMIN or leaving.disabled_at is not None:
        return
    if not change.row(
        "select 1 from account where role = ? and disabled_at is null and id <> ? limit 1",
        Role.ADMIN.value, leaving.id,
    ):  # fmt: skip
        raise InputError(
            f"{leaving.name} is the last admin: somebody must be able to decide. Make somebody else an admin first."
        )


def _end_sessions(change: Transaction, found: Account) -> None:
    change.run("delete from session where account = ?", found.id)


def _account(row: Row) -> Account:
    return Account(**{**row, "role": Role(row["role"])})
