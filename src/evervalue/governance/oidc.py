"""Single sign-on by OpenID Connect: authorization code with PKCE, state and nonce; the id_token is verified here.

Sources: OpenID Connect Core 1.0 (sections 3.1.2, 3.1.3), Discovery 1.0 (section 4), RFC 7636 (PKCE), RFC 9700 (best
current practice: exact redirect address, `iss` checked, one provider a client).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from evervalue.core.clock import Clock
from evervalue.core.errors import EvervalueError, MissingExtra
from evervalue.governance.roles import Role
from evervalue.governance.settings import OidcSettings, checked_url, may_be_asked
from evervalue.governance.tickets import same, signed, ticket

if TYPE_CHECKING:
    import jwt

SECONDS = 600
"""How long somebody may take at the provider."""
TIMEOUT = 10.0
LARGEST = 1_000_000
LEEWAY = 60
REREAD_SECONDS = 60.0
"""An unknown key makes the provider's keys be read again, no more often than this."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by key pairs alone: never 'none', nor one by a secret that a public key could be taken for."""
RANK = (Role.ADMIN, Role.ANALYST, Role.VIEWER)

CODE = re.compile(r"[a-z_]{1,40}")
"""Of an error, as RFC 6749 has them."""


class NotLetIn(EvervalueError):
    """The provider, or what it says, lets nobody in; `why` says which page to show."""

    def __init__(self, why: str, says: str) -> None:
        super().__init__(says)
        self.why = why


@dataclass(frozen=True)
class Begun:
    """A sign-in that began: where the browser goes, and what it keeps meanwhile."""

    address: str
    cookie: str


@dataclass(frozen=True)
class Recognised:
    """Who the provider says it is."""

    subject: str
    name: str
    role: Role
    back: str


class Provider:
    """The identity provider of the settings."""

    def __init__(
        self, settings: OidcSettings, client_secret: str | None, signing: Callable[[], bytes], clock: Clock
    ) -> None:
        self.settings = settings
        self._client_secret = client_secret
        self._signing = signing
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[str, Any] | None = None
        self._keys: jwt.PyJWKSet | None = None
        self._keys_at = 0.0

    def begin(self, redirect_uri: str, back: str) -> Begun:
        """Where the browser is sent.

        Raises
        ------
        NotLetIn
            The provider cannot be reached, or is not the one of the settings.
        """
        state, nonce, verifier = ticket(), ticket(), ticket()
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": _text(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        address = str(self._discovered()["authorization_endpoint"])
        kept = {
            "state": state, "nonce": nonce, "verifier": verifier, "back": back, "to": redirect_uri,
            "until": self._now() + SECONDS,
        }  # fmt: skip
        body = _text(json.dumps(kept).encode())
        joint = "&" if urlsplit(address).query else "?"
        return Begun(address + joint + urlencode(asked), f"{body}.{signed(self._signing(), 'oidc', body)}")

    def finish(self, query: Mapping[str, str], cookie: str) -> Recognised:
        """Who came back from the provider.

        Raises
        ------
        NotLetIn
            It did not begin in this browser, took too long, or the provider or its token says no.
        """
        kept = self._kept(cookie)
        if not same(str(query.get("state", "")), str(kept["state"])):
            raise NotLetIn("again", "the state is not the one of this browser")
        if "iss" in query and query["iss"] != self.settings.issuer:
            raise NotLetIn("refused", "the answer names another issuer")
        if "error" in query or not query.get("code"):
            code = str(query.get("error", "nothing"))
            said = code if CODE.fullmatch(code) else "something else than an error code"
            raise NotLetIn("refused", f"the provider said {said}")
        claims = self._claims(self._token(query["code"], kept), str(kept["nonce"]))
        role = self._role(claims)
        subject = f"{self.settings.issuer} {claims['sub']}"
        name = str(claims.get(self.settings.name_claim) or claims.get("email") or claims["sub"])
        if role is None:
            raise NotLetIn("role", f"no role is given for the claim '{self.settings.role_claim}'")
        return Recognised(subject, name, role, str(kept["back"]))

    def _kept(self, cookie: str) -> dict[str, Any]:
        body, _, mark = cookie.partition(".")
        if not body or not same(mark, signed(self._signing(), "oidc", body)):
            raise NotLetIn("again", "the sign-in did not begin in this browser")
        kept: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if kept["until"] < self._now():
            raise NotLetIn("again", "the sign-in took too long")
        return kept

    def _token(self, code: str, kept: Mapping[str, Any]) -> str:
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": kept["to"],
            "client_id": self.settings.client_id,
            "code_verifier": kept["verifier"],
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self._client_secret is not None:
            pair = f"{quote(self.settings.client_id, safe='')}:{quote(self._client_secret, safe='')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        answer = _asked(str(self._discovered()["token_endpoint"]), urlencode(sent).encode(), headers)
        if not isinstance(answer.get("id_token"), str):
            raise NotLetIn("refused", "the provider gave no id_token")
        return str(answer["id_token"])

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        """What a token says, once its signature, issuer, audience, times and nonce are right."""
        jwt = _jwt()
        try:
            head = jwt.get_unverified_header(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(head.get("kid")).key,
                algorithms=[one for one in ALGORITHMS if one == head.get("alg")] or ["RS256"],
                audience=self.settings.client_id,
                issuer=self.settings.issuer,
                # the times are held against our own clock, below
                options={
                    "require": ["exp", "iat", "sub", "aud", "iss"],
                    "verify_exp": False, "verify_iat": False, "verify_nbf": False,
                },
            )  # fmt: skip
        except jwt.PyJWTError as error:
            raise NotLetIn("refused", f"the id_token is not good ({type(error).__name__})") from None
        now = self._now()
        times = [claims["exp"], claims["iat"], claims.get("nbf", 0)]
        if not all(isinstance(one, int | float) for one in times):
            raise NotLetIn("refused", "the id_token has no times")
        if times[0] + LEEWAY < now or times[1] - LEEWAY > now or times[2] - LEEWAY > now:
            raise NotLetIn(
                "refused", "the id_token is over, or not begun; compare the clocks of both servers"
            )
        if not same(str(claims.get("nonce", "")), nonce):
            raise NotLetIn("refused", "the id_token was made for another sign-in")
        if (
            isinstance(claims["aud"], list)
            and len(claims["aud"]) > 1
            and claims.get("azp") != self.settings.client_id
        ):
            raise NotLetIn("refused", "the id_token was made for another client")
        return claims

    def _key(self, kid: str | None) -> jwt.PyJWK:
        for again in (False, True):
            keys = self._key_set(again=again).keys
            found = [key for key in keys if kid is None or key.key_id == kid]
            if len(found) == 1 or (found and kid is not None):
                return found[0]
        raise NotLetIn("refused", "the id_token is signed with a key that the provider does not show")

    def _key_set(self, *, again: bool) -> jwt.PyJWKSet:
        with self._lock:
            is_old = time.monotonic() - self._keys_at > REREAD_SECONDS
            if self._keys is None or (again and is_old):
                found = _asked(str(self._discovered()["jwks_uri"]))
                try:
                    self._keys = _jwt().PyJWKSet.from_dict(found)
                except Exception as error:  # whatever stands there, it is no set of keys
                    raise NotLetIn("unreachable", f"the provider's keys cannot be read: {error}") from None
                self._keys_at = time.monotonic()
            return self._keys

    def _discovered(self) -> dict[str, Any]:
        """The provider's own description; its addresses must be such as settings may name."""
        if self._found is None:
            found = _asked(f"{self.settings.issuer}/.well-known/openid-configuration")
            if str(found.get("issuer", "")).rstrip("/") != self.settings.issuer:
                raise NotLetIn("unreachable", "the provider calls itself otherwise than server.oidc.issuer")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                try:
                    checked_url(str(found.get(name, "")).partition("?")[0])
                except ValueError as error:
                    raise NotLetIn("unreachable", f"{name}: {error}") from None
            self._found = found
        return self._found

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        value: Any = claims
        for part in self.settings.role_claim.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        held = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        roles = {
            self.settings.roles[one] for one in held if isinstance(one, str) and one in self.settings.roles
        }
        return next((role for role in RANK if role in roles), self.settings.default_role)

    def _now(self) -> float:
        return self._clock.now().timestamp()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A provider answers where it said it would: redirects could lead inside."""

    def redirect_request(self, *_: Any) -> None:
        """None: the redirect is an error."""


def _asked(
    address: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The JSON object at an address of the provider."""
    host = urlsplit(address).hostname or ""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
        if not all(may_be_asked(one) for one in found):
            raise NotLetIn("unreachable", f"{host} leads to where machines keep their credentials")
        request = urllib.request.Request(
            address, body, {"Accept": "application/json", "User-Agent": "evervalue", **(headers or {})}
        )
        # ours reads no environment either: a proxy there would see the client's secret
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=TIMEOUT) as answer:
            told = json.loads(answer.read(LARGEST))
    except urllib.error.HTTPError as error:
        error.close()
        why = "refused" if body is not None and error.code in (400, 401, 403) else "unreachable"
        raise NotLetIn(why, f"the provider answered {error.code} at {urlsplit(address).path}") from None
    except (OSError, ValueError) as error:
        raise NotLetIn("unreachable", f"the provider cannot be asked at {address}: {error}") from None
    if not isinstance(told, dict):
        raise NotLetIn("unreachable", f"the provider's answer at {urlsplit(address).path} is no object")
    return told


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _jwt() -> Any:
    try:
        import jwt
        from jwt.algorithms import has_crypto
    except ImportError:
        has_crypto = False
    if not has_crypto:
        raise MissingExtra("Single sign-on needs a library for signatures: pip install 'evervalue[oidc]'.")
    return jwt


def checked_library() -> None:
    """Passes where single sign-on can work.

    Raises
    ------
    MissingExtra
        The libraries of the extra are not installed.
    """
    _jwt()
