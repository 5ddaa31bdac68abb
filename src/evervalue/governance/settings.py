"""`[server]`: who may come in, for how long, and where people sign in."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from evervalue.core.errors import SettingsError
from evervalue.governance.roles import Role

LOOPBACK = ("127.0.0.1", "localhost", "::1")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
METADATA = ("metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal")
"""Names that cloud machines ask for their own credentials."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OidcSettings(_Section):
    """`[server.oidc]`: single sign-on by OpenID Connect."""

    issuer: str
    """Address of the provider, as its discovery document names it."""
    client_id: str
    """What this server is called there."""
    client_secret: str | None = None
    """The environment variable that holds the client's secret ("${OIDC_SECRET}"). Default: a public client, by PKCE."""
    scopes: str = "openid profile email"
    """What is asked for."""
    name_claim: str = "preferred_username"
    """The claim that says what somebody is called here."""
    role_claim: str = "groups"
    """The claim that says what somebody may do: a text or a list; a dot leads into an object (realm_access.roles)."""
    roles: dict[str, Role] = Field(default_factory=dict)
    """Value of the claim: role here. Who has several is given the highest."""
    default_role: Role | None = None
    """Role of who has none of these. Default: they are not let in."""
    button: str = "Sign in with your company's account"
    """What the button says."""

    @field_validator("issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        return checked_url(value).rstrip("/")

    @field_validator("client_secret")
    @classmethod
    def _secret(cls, value: str | None) -> str | None:
        return _variable(value, "client_secret")

    @model_validator(mode="after")
    def _somebody(self) -> OidcSettings:
        if not self.roles and self.default_role is None:
            raise ValueError(
                'nobody could come in: map values of the claim to roles, as in roles = { "value-admins" = "admin" }, '
                'or give a default_role = "viewer"'
            )
        if "openid" not in self.scopes.split():
            raise ValueError("scopes must hold 'openid'")
        return self


class SignInSettings(_Section):
    """`[server]`: who may come in, and for how long."""

    accounts: bool = False
    """Whether people sign in even where the server is reached from this machine alone. Elsewhere they always do."""
    public_url: str | None = None
    """The address under which people reach the server through a proxy ("https://value.example.com")."""
    idle_minutes: int = Field(default=30, ge=1, le=1440)
    """A session that nobody used for so long is over."""
    session_hours: int = Field(default=12, ge=1, le=720)
    """A session is over after so long, used or not."""
    secret: str | None = None
    """The environment variable that holds what this server signs with, where several share it ("${EVERVALUE_SECRET}").
    Default: one is made at the first start and kept in the data directory."""
    oidc: OidcSettings | None = None
    """Single sign-on."""

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str | None) -> str | None:
        return None if value is None else checked_url(value).rstrip("/")

    @field_validator("secret")
    @classmethod
    def _secret(cls, value: str | None) -> str | None:
        return _variable(value, "secret")


@dataclass(frozen=True)
class Access:
    """How a server lets people in; where there is none, everybody is the local admin."""

    settings: SignInSettings = field(default_factory=SignInSettings)
    by_account: bool = True
    """People sign in with accounts; else whoever opens the machine's own link is let in."""


def access_for(
    settings: SignInSettings,
    host: str,
    *,
    is_open: bool = False,
    sign_in: bool = False,
    is_proxied: bool = False,
) -> Access | None:
    """How a server on that address lets people in; None where the door is left open.

    Raises
    ------
    SettingsError
        It would be open to other machines.
    """
    is_far = is_proxied or settings.public_url is not None or not is_loopback(host)
    if is_open:
        if is_far or sign_in or settings.accounts:
            why = "other machines reach this server" if is_far else "people are to sign in here"
            raise SettingsError(f"--open leaves the door open to everybody, but {why}. Take --open away.")
        return None
    return Access(settings, by_account=is_far or sign_in or settings.accounts or settings.oidc is not None)


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK


def checked_url(url: str) -> str:
    """The address, where settings may name it: https, or this machine.

    Raises
    ------
    ValueError
        It is another scheme, or leads to where machines keep their credentials.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower().rstrip(".")
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"'{url[:200]}' is no address such as https://login.example.com")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError(f"'{url[:200]}' must begin with https:// (http:// leads to this machine alone)")
    if host in METADATA or not may_be_asked(host):
        raise ValueError(f"'{url[:200]}' leads to where machines keep their credentials, and to no provider")
    return url


def may_be_asked(host: str) -> bool:
    """Whether the server may ask an address: none that is link-local, for many or for nobody. Names may.

    >>> may_be_asked("169.254.169.254"), may_be_asked("fe80::1"), may_be_asked("::ffff:169.254.169.254")
    (False, False, False)
    >>> may_be_asked("10.1.2.3"), may_be_asked("login.example.com")
    (True, True)
    """
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        # 2852039166 and 0xa9fea9fe are addresses as well, which only the resolver understands
        return not re.fullmatch(r"[0-9.]+|0x[0-9a-f.x]+", host)
    found = getattr(found, "ipv4_mapped", None) or found
    is_odd = found.is_link_local or found.is_multicast or found.is_unspecified or found.is_reserved
    return not is_odd and str(found) not in ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")


def _variable(value: str | None, name: str) -> str | None:
    if value is not None and not VARIABLE.fullmatch(value):
        raise ValueError(
            f'{name} names an environment variable, as in "${{EVERVALUE_{name.upper()}}}": secrets do not belong into '
            "this file ('evervalue people secret' makes one)"
        )
    return value
