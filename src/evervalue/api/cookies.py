"""The cookies of sign-in: out of reach of scripts and of other sites, and bound to this host where https allows it."""

from __future__ import annotations

from http.cookies import SimpleCookie

from starlette.requests import Request
from starlette.types import Scope

SESSION = "session"
FORM = "form"
SINGLE = "oidc"


def is_secure(scope: Scope) -> bool:
    """Whether the browser speaks https with us, or with a proxy that is believed."""
    return bool(scope.get("scheme") == "https")


def cookie_name(scope: Scope, what: str) -> str:
    """The cookie's name; on one machine each port has its own, for browsers send cookies to all ports of a host."""
    if is_secure(scope):
        return f"__Host-evervalue-{what}"
    server = scope.get("server") or ("", 0)
    return f"evervalue-{what}-{server[1]}"


def cookie_of(request: Request, what: str) -> str:
    """What the browser holds; empty where it holds nothing."""
    return request.cookies.get(cookie_name(request.scope, what), "")


def setting(scope: Scope, what: str, value: str, seconds: int | None = None) -> tuple[str, str]:
    """The header that makes the browser hold it: until it is closed, or for some seconds; 0 takes it away."""
    cookie: SimpleCookie = SimpleCookie()
    name = cookie_name(scope, what)
    cookie[name] = value
    morsel = cookie[name]
    morsel["path"] = "/"
    morsel["httponly"] = True
    morsel["samesite"] = "Lax"
    if is_secure(scope):
        morsel["secure"] = True
    if seconds is not None:
        morsel["max-age"] = seconds
    return "set-cookie", morsel.OutputString()
