"""Who really asks, where a reverse proxy stands before the server, and under which path it shows us.

What a proxy says (`X-Forwarded-For`, `-Proto`, `-Host`, `-Prefix`) is believed of addresses that were named, and of no
other: else everybody could choose an address for the log and the limits. Behind this file a request looks as if there
were no proxy: the client's own address, scheme and host, and a path without the prefix. Addresses that go back to the
browser get the prefix again, by `shown`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from contextvars import ContextVar

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from evervalue.core.errors import SettingsError

PREFIX: ContextVar[str] = ContextVar("PREFIX", default="")
"""The path under which a reverse proxy shows this server ('/value'), for the request that is being answered."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PREFIX = re.compile(r"(?:/[A-Za-z0-9_~][A-Za-z0-9._~-]*)+")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
LONGEST_PREFIX = 200
FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-prefix")
SAID_BY_PROXIES = (*FORWARDED, b"forwarded", b"x-real-ip", b"via")
DESCRIPTION = "/v1/openapi.json"


def shown(path: str) -> str:
    """A path of ours as the client must ask for it.

    >>> shown("/gems")
    '/gems'
    """
    return PREFIX.get() + path


def path_prefix(text: str) -> str:
    """A path prefix without its last slash; empty for none.

    >>> path_prefix("/value/"), path_prefix("/"), path_prefix("a/b")
    ('/value', '', '/a/b')

    Raises
    ------
    SettingsError
        It is none.
    """
    found = "/" + text.strip("/") if text.strip("/") else ""
    if not _is_prefix(found):
        raise SettingsError(
            f"'{text[:80]}' is no path prefix. Write it as /value: letters, digits, '-', '.', '_' and '~', in parts "
            "that do not begin with a dot."
        )
    return found


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses of proxies that are believed.

    >>> networks(["10.0.0.0/8", "::1"])
    (IPv4Network('10.0.0.0/8'), IPv6Network('::1/128'))

    Raises
    ------
    SettingsError
        One is no address.
    """
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError:
            raise SettingsError(
                f"'{text[:80]}' is no address of a proxy. Write an address or a range: 127.0.0.1 or 10.0.0.0/8."
            ) from None
    return tuple(found)


def is_local(request: Request) -> bool:
    """Whether somebody at this machine asks, with no proxy between."""
    client, state = request.scope.get("client"), request.scope.get("state") or {}
    return not state.get("by_proxy") and (client is None or is_loopback(client[0]))


def is_loopback(host: str) -> bool:
    """Whether the address is of this machine; what is no address (a socket file, a test) is.

    >>> is_loopback("127.0.0.9"), is_loopback("::1"), is_loopback("::ffff:127.0.0.1"), is_loopback("10.0.0.1")
    (True, True, True, False)
    """
    found = _address(host)
    return found is None or found.is_loopback


class Proxied:
    """Makes of a request that a proxy passed on the one that its client made."""

    def __init__(self, app: ASGIApp, prefix: str = "", trusted: Sequence[str] = ()) -> None:
        self.app = app
        self.prefix = path_prefix(prefix)
        self.trusted = networks(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, with the path prefix known to all that answers it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        mark = PREFIX.set(self._unfold(scope))
        try:
            await self.app(scope, receive, send)
        finally:
            PREFIX.reset(mark)

    def _unfold(self, scope: Scope) -> str:
        """Changes the request in place; the prefix under which it was shown."""
        prefix = self.prefix
        said = {name: value for name, value in scope["headers"] if name in SAID_BY_PROXIES}
        if said:
            scope.setdefault("state", {})["by_proxy"] = True
            if self._is_trusted(scope.get("client")):
                prefix = self._believe(scope, prefix)
        if prefix:
            _without_prefix(scope, prefix)
        return prefix

    def _is_trusted(self, client: tuple[str, int] | None) -> bool:
        address = _address(client[0]) if client else None
        return address is not None and any(address in network for network in self.trusted)

    def _believe(self, scope: Scope, prefix: str) -> str:
        said = {name: _last(scope, name) for name in FORWARDED}
        if (found := self._client(_all(scope, b"x-forwarded-for"))) is not None:
            scope["client"] = (found, 0)
        if said[b"x-forwarded-proto"] in ("http", "https"):
            scope["scheme"] = said[b"x-forwarded-proto"]
        if _HOST.fullmatch(said[b"x-forwarded-host"]):
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [(b"host", said[b"x-forwarded-host"].encode("latin-1")), *others]
        given = said[b"x-forwarded-prefix"].rstrip("/")
        return given if given and _is_prefix(given) else prefix

    def _client(self, chain: list[str]) -> str | None:
        """The nearest address that is none of our proxies: what stands before it, anybody may have written."""
        for text in reversed(chain):
            address = _address(_without_port(text))
            if address is None:
                return None
            if not any(address in network for network in self.trusted):
                return str(address)
        return _without_port(chain[0]) if chain else None


def _without_prefix(scope: Scope, prefix: str) -> None:
    path, raw = scope["path"], scope.get("raw_path")
    if path != prefix and not path.startswith(prefix + "/"):
        return  # a proxy that takes the prefix off, or a probe that comes straight
    scope["path"] = path[len(prefix) :] or "/"
    if raw is not None and raw.startswith(prefix.encode()):
        scope["raw_path"] = raw[len(prefix) :] or b"/"
    if scope["path"] == DESCRIPTION:  # which names the address of the server
        scope["root_path"], scope["path"] = prefix, path


def _is_prefix(text: str) -> bool:
    return not text or (len(text) <= LONGEST_PREFIX and _PREFIX.fullmatch(text) is not None)


def _all(scope: Scope, name: bytes) -> list[str]:
    lines = [value.decode("latin-1") for found, value in scope["headers"] if found == name]
    return [part.strip() for line in lines for part in line.split(",") if part.strip()]


def _last(scope: Scope, name: bytes) -> str:
    return (_all(scope, name) or [""])[-1]


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found
