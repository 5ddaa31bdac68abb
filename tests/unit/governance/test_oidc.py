"""Single sign-on: against a provider of our own that can be told to misbehave."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import ValidationError

from evervalue.core.clock import FixedClock
from evervalue.core.errors import SettingsError
from evervalue.dashboard.app import create_app
from evervalue.governance.people import People
from evervalue.governance.roles import Role
from evervalue.governance.settings import Access, OidcSettings, SignInSettings, may_be_asked
from tests.support.oidc import SmallProvider, provided
from tests.support.site import LOOPBACK

NOW = dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC)


@pytest.fixture
def provider() -> Iterator[SmallProvider]:
    with provided() as found:
        found.now = NOW.timestamp()
        yield found


@pytest.fixture
def site(provider: SmallProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("OIDC_SECRET", provider.client_secret)
    oidc = OidcSettings(
        issuer=provider.issuer,
        client_id=provider.client_id,
        client_secret="${OIDC_SECRET}",
        roles={"value-admins": Role.ADMIN, "value-people": Role.ANALYST},
    )
    app = create_app(tmp_path, clock=FixedClock(NOW), access=Access(SignInSettings(oidc=oidc)))
    with TestClient(app, base_url=LOOPBACK, follow_redirects=False, headers={"Accept": "text/html"}) as found:
        yield found


def people_of(site: TestClient) -> People:
    people: People = site.app.state.people  # type: ignore[attr-defined]
    return people


def came_back(site: TestClient, provider: SmallProvider, back: str = "/gems") -> Response:
    sent = site.get("/signin/oidc", params={"back": back})
    assert sent.status_code == 303
    assert sent.headers["location"].startswith(provider.issuer + "/authorize?")
    return site.get(provider.authorize(sent.headers["location"]))


def why(answer: Response) -> str:
    assert answer.status_code == 303
    assert "session" not in answer.headers.get("set-cookie", "")
    return str(answer.headers["location"]).removeprefix("/signin?why=")


def test_who_is_recognised_comes_in_with_the_role_of_the_claim(
    site: TestClient, provider: SmallProvider
) -> None:
    assert "Sign in with your company" in site.get("/signin").text
    answer = came_back(site, provider)
    assert answer.headers["location"] == "/gems"
    assert "signed in as ann, admin" in site.get("/account").text
    provider.claims["groups"] = ["other", "value-people"]
    assert site.get("/signin/oidc").headers["location"] == "/", "who is signed in stays so"
    site.cookies.clear()
    assert came_back(site, provider, "//evil.example").headers["location"] == "/"
    assert "signed in as ann, analyst" in site.get("/account").text
    assert [one.name for one in people_of(site).accounts.all()] == ["ann"]


def test_a_name_that_somebody_chose_at_the_provider_opens_no_account_of_that_name(
    site: TestClient, provider: SmallProvider
) -> None:
    people_of(site).accounts.add("ann", Role.ADMIN, "a long enough sentence", by="test")
    provider.claims["groups"] = ["value-people"]
    came_back(site, provider)
    assert "signed in as ann 2, analyst" in site.get("/account").text
    assert [(one.name, one.role) for one in people_of(site).accounts.all()] == [
        ("ann", Role.ADMIN),
        ("ann 2", Role.ANALYST),
    ]


def test_who_has_no_role_or_is_disabled_stays_outside(site: TestClient, provider: SmallProvider) -> None:
    provider.claims["groups"] = ["others"]
    assert why(came_back(site, provider)) == "role"
    provider.claims["groups"] = ["value-people"]
    came_back(site, provider)
    people_of(site).accounts.disable("ann", by="test")
    assert site.get("/account").status_code == 303
    assert why(came_back(site, provider)) == "role"


SPOILT: dict[str, dict[str, Any]] = {
    "another audience": {"aud": "somebody-else"},
    "another issuer": {"iss": "https://evil.example"},
    "over": {"exp": NOW.timestamp() - 61},
    "not begun": {"iat": NOW.timestamp() + 61},
    "another sign-in": {"nonce": "x"},
    "several audiences": {"aud": ["evervalue", "other"], "azp": "other"},
    "no subject": {"sub": None},
    "no nonce": {"nonce": None},
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_token_that_is_not_for_this_sign_in_is_refused(
    site: TestClient, provider: SmallProvider, how: str
) -> None:
    def spoil(claims: dict[str, Any]) -> None:
        claims.update(SPOILT[how])
        for name in [name for name, value in claims.items() if value is None]:
            del claims[name]

    provider.spoil = spoil
    assert why(came_back(site, provider)) == "refused"
    assert not people_of(site).accounts.all()
    assert people_of(site).audit.events()[0][1].kind == "sign-in-failed"


def test_a_token_that_somebody_else_signed_is_refused(site: TestClient, provider: SmallProvider) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = provider.key.public_key()
    provider.sign = lambda claims: jwt.encode(claims, other, algorithm="RS256", headers={"kid": "one"})
    assert why(came_back(site, provider)) == "refused"
    provider.sign = lambda claims: jwt.encode(claims, other, algorithm="RS256", headers={"kid": "two"})
    assert why(came_back(site, provider)) == "refused"
    provider.sign = lambda claims: jwt.encode(claims, "", algorithm="none", headers={"kid": "one"})
    assert why(came_back(site, provider)) == "refused"
    secret = str(public.public_numbers().n).encode()
    provider.sign = lambda claims: jwt.encode(claims, secret, algorithm="HS256", headers={"kid": "one"})
    assert why(came_back(site, provider)) == "refused"


def test_a_key_that_the_provider_has_changed_is_read_again(site: TestClient, provider: SmallProvider) -> None:
    came_back(site, provider)
    provider.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    provider.kid = "two"
    site.cookies.clear()
    found = people_of(site).provider
    assert found is not None
    found._keys_at -= 61
    assert came_back(site, provider).headers["location"] == "/gems"


def test_a_sign_in_that_did_not_begin_here_or_took_too_long_is_refused(
    site: TestClient, provider: SmallProvider
) -> None:
    sent = site.get("/signin/oidc")
    back = provider.authorize(sent.headers["location"])
    held = dict(site.cookies)
    site.cookies.clear()
    assert why(site.get(back)) == "again", "login by another site"
    site.get("/signin/oidc")
    assert why(site.get(back)) == "again", "the state of another attempt"
    site.cookies.clear()
    site.cookies.update(
        {name: value[:-1] + ("0" if value[-1] != "0" else "1") for name, value in held.items()}
    )
    assert why(site.get(back)) == "again", "a changed cookie"
    site.cookies.clear()
    site.cookies.update(held)
    people_of(site).clock.at += dt.timedelta(minutes=11)  # type: ignore[attr-defined]
    assert why(site.get(back)) == "again", "too late"


def test_a_code_is_good_once(site: TestClient, provider: SmallProvider) -> None:
    sent = site.get("/signin/oidc")
    held = dict(site.cookies)
    back = provider.authorize(sent.headers["location"])
    assert site.get(back).headers["location"] == "/"
    site.cookies.clear()
    site.cookies.update(held)
    assert why(site.get(back)) == "refused"


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://169.254.169.254/latest/meta-data"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": None},
    ],
)
def test_ssrf_a_provider_that_leads_elsewhere_is_not_followed(
    site: TestClient, provider: SmallProvider, described: dict[str, Any]
) -> None:
    provider.described = described
    assert why(site.get("/signin/oidc")) == "unreachable"


def test_a_provider_that_is_away_is_told(site: TestClient, provider: SmallProvider) -> None:
    found = people_of(site).provider
    assert found is not None
    found.settings = found.settings.model_copy(update={"issuer": "http://127.0.0.1:9"})
    assert why(site.get("/signin/oidc")) == "unreachable"
    assert "cannot be reached just now" in site.get("/signin?why=unreachable").text


SSRF = (
    "http://169.254.169.254/", "http://login.example.com", "https://169.254.169.254", "https://[fe80::1]/",
    "https://[::ffff:169.254.169.254]/", "https://metadata.google.internal", "https://metadata", "ftp://127.0.0.1",
    "https://2852039166/", "https://0xa9fea9fe/", "https://0.0.0.0", "https://[::]", "https://224.0.0.1", "https://",
    "file:///etc/passwd", "https://user:pw@login.example.com", "https://[fd00:ec2::254]/", "https://a.example/?x=1",
    "https://100.100.100.200", "https://METADATA.google.internal.",
)  # fmt: skip


@pytest.mark.parametrize("address", SSRF)
def test_ssrf_settings_name_no_address_that_leads_inside(address: str) -> None:
    with pytest.raises(ValidationError):
        OidcSettings(issuer=address, client_id="x", default_role=Role.VIEWER)
    with pytest.raises(ValidationError):
        SignInSettings(public_url=address)


def test_ssrf_a_name_that_resolves_to_inside_is_not_asked(
    site: TestClient, provider: SmallProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = [(2, 1, 6, "", ("169.254.169.254", 0))]
    monkeypatch.setattr("evervalue.governance.oidc.socket.getaddrinfo", lambda *_: inside)
    assert why(site.get("/signin/oidc")) == "unreachable"
    assert not provider.asked
    assert may_be_asked("10.1.2.3"), "providers in the company's own net are"


def test_settings_that_would_let_nobody_or_a_secret_in_are_refused() -> None:
    with pytest.raises(ValidationError, match="nobody could come in"):
        OidcSettings(issuer="https://login.example.com", client_id="x")
    with pytest.raises(ValidationError, match="environment variable"):
        OidcSettings(
            issuer="https://a.example", client_id="x", client_secret="plain", default_role=Role.VIEWER
        )


def test_a_client_secret_that_is_not_set_is_told_at_the_start(tmp_path: Path) -> None:
    oidc = OidcSettings(
        issuer="https://a.example", client_id="x", client_secret="${NOT_SET_HERE}", default_role=Role.VIEWER
    )
    people = People(tmp_path, FixedClock(NOW), Access(SignInSettings(oidc=oidc)))
    with pytest.raises(SettingsError, match="NOT_SET_HERE"):
        people.begin()
