"""Everything about who may come in, of one project, over one file."""

from __future__ import annotations

import os
from pathlib import Path

from evervalue.core.clock import Clock
from evervalue.core.errors import SettingsError
from evervalue.core.settings import variable
from evervalue.governance.accounts import Account, Accounts
from evervalue.governance.api_keys import ApiKeys
from evervalue.governance.audit import Audit
from evervalue.governance.links import LocalLinks
from evervalue.governance.oidc import Provider, checked_library
from evervalue.governance.passwords import Passwords
from evervalue.governance.schema import SCHEMA
from evervalue.governance.secret import server_secret
from evervalue.governance.sessions import Sessions
from evervalue.governance.settings import VARIABLE, Access, SignInSettings
from evervalue.governance.throttle import Throttle
from evervalue.state.store import NAME as STATE
from evervalue.state.store import Store


class People:
    """Accounts, sessions, keys, links and what happened to them."""

    def __init__(
        self,
        data_dir: Path,
        clock: Clock,
        access: Access | None = None,
        *,
        passwords: Passwords | None = None,
    ) -> None:
        """Nothing is opened before it is first needed; where people sign in, the file is made for its owner alone."""
        if access is not None:
            data_dir.mkdir(parents=True, exist_ok=True)
            os.close(os.open(data_dir / STATE, os.O_CREAT | os.O_RDWR, 0o600))
        self.access = access
        self.clock = clock
        self._data_dir = data_dir
        self._secret: bytes | None = None
        settings = access.settings if access else SignInSettings()
        self.settings = settings
        self.store = Store(data_dir, SCHEMA)
        self.audit = Audit(self.store, clock)
        self.accounts = Accounts(self.store, clock, self.audit, passwords or Passwords())
        self.sessions = Sessions(
            self.store, clock, self.audit, idle_minutes=settings.idle_minutes, hours=settings.session_hours
        )
        self.keys = ApiKeys(self.store, clock, self.audit)
        self.links = LocalLinks(self.store, clock, self.audit)
        self.throttle = Throttle(self.store, clock)
        self._provider: Provider | None = None

    @property
    def secret(self) -> bytes:
        """What the server signs with.

        Raises
        ------
        SettingsError
            The one that the settings name is not set, short, or known to everybody.
        StorageError
            The file of the server's own cannot be used.
        """
        if self._secret is None:
            self._secret = server_secret(self._data_dir, given(self.settings.secret, "server.secret"))
        return self._secret

    @property
    def provider(self) -> Provider | None:
        """Where people sign in besides; None where the settings name no provider.

        Raises
        ------
        SettingsError
            The client's secret is not set.
        """
        if self._provider is None and self.settings.oidc is not None:
            secret = given(self.settings.oidc.client_secret, "server.oidc.client_secret")
            self._provider = Provider(self.settings.oidc, secret, lambda: self.secret, self.clock)
        return self._provider

    def begin(self) -> None:
        """What a server does once at its start: makes its secret, and forgets events that are too old.

        Raises
        ------
        SettingsError, StorageError, MissingExtra
            What the settings name is not there.
        """
        assert self.secret
        if self.provider is not None:
            checked_library()
        self.audit.forget()
        self.store.close()

    def sign_in(self, name: str, password: str, address: str) -> tuple[Account | None, int]:
        """Who has this name and password; else None, and how many seconds to wait before the next attempt.

        Whoever there is not is looked for as long as whoever there is.
        """
        attempt, wait = self.throttle.attempt(name, address)
        if wait:
            self.audit.note("sign-in-held", about=self._known(name), address=address)
            return None, wait
        found = self.accounts.named(name)
        fits = self.accounts.passwords.fits(found.password if found else None, password)
        if found is None or not fits or found.disabled_at is not None:
            self.audit.note("sign-in-failed", about=self._known(name), address=address)
            return None, 0
        self.throttle.passed(attempt)
        self.accounts.renew(found, password)
        return found, 0

    def _known(self, name: str) -> str:
        """The name of an account; what is none may be a password in the wrong field, and is not told."""
        found = self.accounts.named(name)
        return found.name if found else "an unknown name"


def given(setting: str | None, name: str) -> str | None:
    """What the environment variable of a setting holds; None where there is no such setting.

    Raises
    ------
    SettingsError
        It is not set.
    """
    if setting is None:
        return None
    found = VARIABLE.fullmatch(setting)
    called = found[1] if found else setting
    value = variable(called)
    if not value:
        raise SettingsError(
            f"{name} names the environment variable {called}, which is not set. Set it, or take the setting away."
        )
    return value
