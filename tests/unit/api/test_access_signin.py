"""Sign-in with accounts: who comes in, how sessions end, and the mistakes of others."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from evervalue.api.access import needs
from evervalue.api.guard import Guard
from evervalue.core.clock import FixedClock
from evervalue.dashboard.app import create_app
from evervalue.governance.passwords import Passwords
from evervalue.governance.people import People
from evervalue.governance.roles import Right, Role
from evervalue.governance.settings import Access, SignInSettings
from tests.support.site import LOOPBACK

NOW = dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
PASSWORD = "a long enough sentence"
HTML = {"Accept": "text/html"}


class Site:
    """A server with accounts, and browsers that visit it."""

    def __init__(self, data: Path, *, by_account: bool = True) -> None:
        self.clock = FixedClock(NOW)
        self.app: FastAPI = create_app(
            data, clock=self.clock, access=Access(SignInSettings(), by_account=by_account)
        )
        self.people: People = self.app.state.people
        self.people.accounts.passwords = Passwords(memory_kib=8, rounds=1, lanes=1)
        self.browsers: list[TestClient] = []

    def browser(self, base: str = LOOPBACK) -> TestClient:
        """A browser without cookies."""
        found = TestClient(
            self.app, base_url=base, raise_server_exceptions=False, follow_redirects=False, headers=HTML
        )
        self.browsers.append(found)
        return found

    def later(self, **span: float) -> None:
        """Lets time pass."""
        self.clock.at += dt.timedelta(**span)

    def signed_in(self, name: str = "ann") -> TestClient:
        """A browser of somebody who signed in."""
        found = self.browser()
        assert sign_in(found, name).status_code == 303
        return found

    def kinds(self) -> list[str]:
        """Security events, the newest first."""
        return [event.kind for _, event in self.people.audit.events()]


def token(page: Response) -> str:
    """The token of a page's first form."""
    found = re.search('name="csrf" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def sign_in(browser: TestClient, name: str, password: str = PASSWORD, back: str = "/") -> Response:
    csrf = token(browser.get("/signin"))
    return browser.post("/signin", data={"csrf": csrf, "name": name, "password": password, "back": back})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path)
    for name, role in (("ann", Role.ADMIN), ("bob", Role.ANALYST), ("cy", Role.VIEWER)):
        found.people.accounts.add(name, role, PASSWORD, by="test")
    yield found
    for browser in found.browsers:
        browser.close()


def test_who_is_not_signed_in_gets_the_door_or_a_problem(site: Site) -> None:
    browser = site.browser()
    page = browser.get("/gems?q=a")
    assert (page.status_code, page.headers["location"]) == (303, "/signin?back=%2Fgems%3Fq%3Da")
    answer = browser.get("/v1/customers")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["type"] == "urn:evervalue:problem:not-signed-in"
    assert browser.get("/v1/openapi.json").status_code == 401
    part = browser.get("/gems", headers={"HX-Request": "true", "HX-Current-URL": LOOPBACK + "/gems?q=b"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/signin?back=%2Fgems%3Fq%3Db")
    assert browser.get("/nothing").status_code == 303
    door = browser.get("/signin")
    assert "<h1" in door.text
    assert "Overview" not in door.text


def test_signing_in_leads_back_and_signing_out_ends_it(site: Site) -> None:
    browser = site.browser()
    answer = sign_in(browser, "Ann", back="/gems?q=a")
    assert (answer.status_code, answer.headers["location"]) == (303, "/gems?q=a")
    page = browser.get("/account")
    assert page.status_code == 200
    assert "signed in as ann, admin" in page.text
    held = dict(browser.cookies)
    out = browser.post("/signout", data={"csrf": token(page)})
    assert out.headers["location"] == "/signin?why=out"
    again = site.browser()
    again.cookies.update(held)
    assert again.get("/account").status_code == 303
    assert site.kinds()[:2] == ["signed-out", "signed-in"]


def test_cookies_are_out_of_reach(site: Site) -> None:
    plain = sign_in(site.browser(), "ann").headers.get_list("set-cookie")
    found = next(line for line in plain if "session" in line)
    assert found.startswith("evervalue-session-")
    assert "HttpOnly" in found
    assert "SameSite=Lax" in found
    assert "Path=/" in found
    assert "Domain" not in found
    secure = site.browser("https://127.0.0.1")
    answer = sign_in(secure, "ann")
    found = next(line for line in answer.headers.get_list("set-cookie") if "session" in line)
    assert found.startswith("__Host-evervalue-session=")
    assert "Secure" in found
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert "strict-transport-security" not in site.browser().get("/signin").headers


@pytest.mark.parametrize(
    ("name", "password"), [("ann", "not the password at all"), ("eve", PASSWORD), ("", "")]
)
def test_wrong_names_and_passwords_are_told_alike(site: Site, name: str, password: str) -> None:
    answer = sign_in(site.browser(), name, password)
    assert answer.status_code == 401
    assert "Name and password do not belong together." in answer.text
    assert site.kinds()[0] == "sign-in-failed"


def test_what_is_typed_as_a_name_is_kept_nowhere(site: Site, tmp_path: Path) -> None:
    """People type passwords into the wrong field."""
    sign_in(site.browser(), "My secret pass phrase", "ann")
    site.people.store.close()
    for path in tmp_path.glob("state.db*"):
        assert b"secret pass" not in path.read_bytes().lower()


def test_many_failures_make_everybody_wait_even_after_a_restart(site: Site, tmp_path: Path) -> None:
    for _ in range(5):
        assert sign_in(site.browser(), "ann", "not the password at all").status_code == 401
    held = sign_in(site.browser(), "ANN ")
    assert (held.status_code, held.headers["retry-after"]) == (429, "15")
    assert "sign-in-held" in site.kinds()
    assert sign_in(site.browser(), "bob").status_code == 303
    again = Site(tmp_path)
    again.people.accounts.passwords = site.people.accounts.passwords
    assert sign_in(again.browser(), "ann").status_code == 429
    site.later(seconds=16)
    assert sign_in(site.browser(), "ann", "not the password at all").status_code == 401
    assert sign_in(site.browser(), "ann").headers["retry-after"] == "30"
    site.later(seconds=31)
    assert sign_in(site.browser(), "ann").status_code == 303
    assert sign_in(site.browser(), "ann", "not the password at all").status_code == 401
    assert sign_in(site.browser(), "ann").status_code == 303


def test_too_many_at_the_same_moment_are_asked_to_come_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evervalue.governance.passwords.WAIT_SECONDS", 0.01)
    turns = site.people.accounts.passwords._turns
    assert turns.acquire()
    assert turns.acquire()
    answer = sign_in(site.browser(), "ann")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Too many people sign in at this moment" in answer.text
    turns.release(2)
    assert sign_in(site.browser(), "ann").status_code == 303


def test_many_names_from_one_address_make_it_wait(site: Site) -> None:
    for n in range(30):
        assert sign_in(site.browser(), f"name{n}", "not the password at all").status_code == 401
    assert sign_in(site.browser(), "ann").status_code == 429


def test_a_session_ends_when_it_is_idle_and_when_it_is_old(site: Site) -> None:
    browser = site.signed_in()
    for _ in range(5):
        site.later(minutes=25)
        assert browser.get("/account").status_code == 200
    site.later(minutes=31)
    page = browser.get("/account")
    assert page.headers["location"] == "/signin?back=%2Faccount&why=ended"
    assert "Your session has ended." in browser.get(page.headers["location"]).text
    assert site.kinds()[0] == "session-expired"
    browser = site.signed_in()
    for _ in range(35):
        site.later(minutes=20)
        assert browser.get("/account").status_code == 200
    site.later(minutes=21)
    assert browser.get("/account").status_code == 303


def test_a_form_that_comes_after_the_session_is_not_lost_without_telling(site: Site) -> None:
    browser = site.signed_in()
    csrf = token(browser.get("/admin"))
    site.later(hours=13)
    sent = {"csrf": csrf, "name": "new.person", "role": "viewer", "password": "never shown"}
    answer = browser.post("/admin/people", data=sent, headers={"Referer": LOOPBACK + "/admin?done=x"})
    assert answer.status_code == 401
    assert "nothing was changed" in answer.text
    assert "new.person" in answer.text
    assert "never shown" not in answer.text
    assert csrf not in answer.text
    assert 'name="back" value="/admin?done=x"' in answer.text
    assert site.people.accounts.named("new.person") is None


def test_session_fixation_a_session_that_somebody_else_chose_opens_nothing(site: Site) -> None:
    browser = site.browser()
    browser.get("/signin")
    name = "evervalue-session-80"
    browser.cookies.set(name, "chosen-by-an-attacker", domain="127.0.0.1")
    sign_in(browser, "ann")
    assert browser.cookies.get(name) != "chosen-by-an-attacker"
    attacker = site.browser()
    attacker.cookies.set(name, "chosen-by-an-attacker", domain="127.0.0.1")
    assert attacker.get("/account").status_code == 303


def test_session_fixation_signing_in_again_ends_the_session_before(site: Site) -> None:
    browser = site.signed_in("cy")
    before = dict(browser.cookies)
    csrf = token(browser.get("/account"))
    answer = browser.post("/signin", data={"csrf": csrf, "name": "ann", "password": PASSWORD, "back": "/"})
    assert answer.status_code == 303
    old = site.browser()
    old.cookies.update(before)
    assert old.get("/account").status_code == 303
    assert "ann" in browser.get("/account").text


CHANGES: dict[str, Callable[[People], None]] = {
    "role": lambda people: people.accounts.set_role("bob", Role.VIEWER, by="ann"),
    "password": lambda people: people.accounts.set_password("bob", "another long sentence", by="ann"),
    "disabled": lambda people: people.accounts.disable("bob", by="ann"),
    "removed": lambda people: people.accounts.remove("bob", by="ann"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_session_is_kept_after_a_change_of_password_or_role(
    site: Site, tmp_path: Path, change: str
) -> None:
    browser = site.signed_in("bob")
    assert browser.get("/account").status_code == 200
    CHANGES[change](Site(tmp_path).people)  # by another process
    assert browser.get("/account").status_code == 303


def test_changing_the_own_password_asks_for_the_present_one_and_ends_the_others(site: Site) -> None:
    browser, other = site.signed_in("cy"), site.signed_in("cy")
    page = browser.get("/account")
    new = "quite another sentence"
    for current, first, second, status in (
        ("wrong wrong wrong", new, new, 422),
        (PASSWORD, new, new + "x", 422),
        (PASSWORD, "short", "short", 422),
        (PASSWORD, new, new, 303),
    ):
        sent = {"csrf": token(page), "current": current, "new": first, "again": second}
        answer = browser.post("/account/password", data=sent)
        assert answer.status_code == status
        assert new not in answer.text
    assert browser.get("/account").status_code == 200
    assert other.get("/account").status_code == 303
    assert sign_in(site.browser(), "cy").status_code == 401
    assert sign_in(site.browser(), "cy", new).status_code == 303


def test_signing_out_everywhere(site: Site) -> None:
    browser, other = site.signed_in("cy"), site.signed_in("cy")
    ann = site.signed_in("ann")
    csrf = token(browser.get("/account"))
    browser.post("/signout", data={"csrf": csrf, "everywhere": "yes"})
    assert other.get("/account").status_code == 303
    assert ann.get("/account").status_code == 200


@pytest.mark.parametrize("how", ["without", "wrong", "of another session", "of the door"])
def test_csrf_a_change_without_the_token_of_its_session_is_refused(site: Site, how: str) -> None:
    browser = site.signed_in("ann")
    csrf = {
        "without": "",
        "wrong": "0" * 64,
        "of another session": token(site.signed_in("ann").get("/account")),
        "of the door": token(site.browser().get("/signin")),
    }[how]
    answer = browser.post("/admin/people", data={"csrf": csrf, "name": "eve", "role": "admin"})
    assert answer.status_code == 403
    assert site.people.accounts.named("eve") is None
    assert site.kinds()[0] == "denied"


def test_csrf_another_site_is_refused_even_with_the_token(site: Site) -> None:
    browser = site.signed_in("ann")
    sent = {"csrf": token(browser.get("/account")), "name": "eve", "role": "admin"}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert browser.post("/admin/people", data=sent, headers=headers).status_code == 403
    assert site.people.accounts.named("eve") is None


def test_csrf_nobody_is_signed_in_by_another_site(site: Site) -> None:
    browser = site.browser()
    sent = {"name": "ann", "password": PASSWORD}
    assert browser.post("/signin", data=sent).status_code == 403
    sent["csrf"] = token(site.browser().get("/signin"))
    assert browser.post("/signin", data=sent).status_code == 403


BACKS = (
    "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
    "javascript:alert(1)", "http:evil.example", "///evil.example", "/%0d%0aSet-Cookie:x\r\nx", "/signout",
)  # fmt: skip


@pytest.mark.parametrize("back", BACKS)
def test_open_redirect_nobody_is_led_away(site: Site, back: str) -> None:
    browser = site.browser()
    assert sign_in(browser, "ann", back=back).headers["location"] == "/"
    assert browser.get("/signin", params={"back": back}).headers["location"] == "/"
    assert browser.get("/theme", params={"back": back}).headers["location"] == "/"


def test_metabase_cve_2023_38646_nothing_that_sets_up_is_to_be_had_from_outside(tmp_path: Path) -> None:
    """There a token of the set-up stayed readable, and its address usable. Here a command makes the first admin."""
    site = Site(tmp_path)
    browser = site.browser()
    page = browser.get("/signin")
    assert "evervalue people add NAME --role admin" in page.text
    assert "csrf" not in page.text
    for path in ("/setup", "/api/setup", "/v1/setup", "/admin", "/admin/people", "/api/session/properties"):
        for method in ("GET", "POST"):
            answer = browser.request(
                method, path, data={"name": "eve", "role": "admin"} if method == "POST" else None
            )
            assert answer.status_code in (303, 401), (method, path)
    assert not site.people.accounts.any()


def test_the_last_admin_stays(site: Site) -> None:
    browser = site.signed_in("ann")
    for change in ({"do": "role", "role": "viewer"}, {"do": "disabled"}, {"do": "removed"}):
        csrf = token(browser.get("/admin"))
        answer = browser.post("/admin/people/change", data={"csrf": csrf, "name": "ann", **change})
        assert answer.status_code == 422
        assert "last admin" in answer.text
    ann = site.people.accounts.named("ann")
    assert ann is not None
    assert (ann.role, ann.disabled_at) == (Role.ADMIN, None)


def test_an_admin_adds_and_changes_people(site: Site) -> None:
    browser = site.signed_in("ann")
    csrf = token(browser.get("/admin"))
    page = browser.post("/admin/people", data={"csrf": csrf, "name": "dee", "role": "analyst"})
    found = re.search('class="secret">([^<]+)<', page.text)
    assert found
    assert sign_in(site.browser(), "dee", found[1]).status_code == 303
    assert found[1] not in browser.get("/admin").text
    assert (
        browser.post("/admin/people", data={"csrf": csrf, "name": "DEE", "role": "viewer"}).status_code == 422
    )
    assert (
        browser.post("/admin/people", data={"csrf": csrf, "name": "x<y", "role": "viewer"}).status_code == 422
    )
    assert browser.post("/admin/people", data={"csrf": csrf, "name": "zoe", "role": "god"}).status_code == 422
    assert [one.name for one in site.people.accounts.all()] == ["ann", "bob", "cy", "dee"]
    done = browser.post("/admin/people/change", data={"csrf": csrf, "name": "dee", "do": "disabled"})
    assert done.headers["location"] == "/admin?done=disabled"
    assert sign_in(site.browser(), "dee", found[1]).status_code == 401


def test_api_keys_open_what_they_were_given_until_they_are_over(site: Site) -> None:
    browser = site.signed_in("bob")
    assert browser.get("/admin/keys").status_code == 403
    admin = site.signed_in("ann")
    csrf = token(admin.get("/admin/keys"))
    sent = {"csrf": csrf, "name": "nightly", "days": "10", "right": ["read", "export"]}
    page = admin.post("/admin/keys", data=sent)
    found = re.search("evk_[A-Za-z0-9_-]{43}", page.text)
    assert found
    assert found[0] not in admin.get("/admin/keys").text
    program = site.browser()
    headers = {"Authorization": f"Bearer {found[0]}"}
    denied = (401, 403)
    assert program.get("/v1/customers", headers=headers).status_code not in denied
    assert program.get("/v1/customers?format=csv", headers=headers).status_code not in denied
    assert program.get("/admin", headers=headers).status_code == 403
    assert program.get("/v1/customers", headers={"Authorization": "Bearer evk_x"}).status_code == 401
    assert program.get("/v1/customers", headers={"Authorization": f"Basic {found[0]}"}).status_code == 401
    assert site.people.keys.all()[0].used_at
    site.later(days=11)
    assert program.get("/v1/customers", headers=headers).status_code == 401


def test_a_key_never_opens_more_than_its_owner_may_now(site: Site) -> None:
    ann = site.people.accounts.add("second.admin", Role.ADMIN, PASSWORD, by="test")
    shown = site.people.keys.make("all", Right, 10, account=ann.id, by="ann")
    program = site.browser()
    headers = {"Authorization": f"Bearer {shown}"}
    assert program.get("/admin", headers=headers).status_code == 200
    site.people.accounts.set_role("second.admin", Role.VIEWER, by="ann")
    assert program.get("/admin", headers=headers).status_code == 403
    assert program.get("/v1/customers?format=xlsx", headers=headers).status_code == 403
    site.people.accounts.disable("second.admin", by="ann")
    assert program.get("/v1/customers", headers=headers).status_code == 401


def test_a_revoked_key_opens_nothing(site: Site) -> None:
    shown = site.people.keys.make("all", Right, 10, account=None, by="local")
    headers = {"Authorization": f"Bearer {shown}"}
    assert site.browser().get("/admin", headers=headers).status_code == 200
    site.people.keys.revoke(shown[:10], by="ann")
    assert site.browser().get("/admin", headers=headers).status_code == 401


def test_security_events_are_shown_by_kind_and_person_and_hold_no_secret(site: Site, tmp_path: Path) -> None:
    sign_in(site.browser(), "bob", "not the password at all")
    browser = site.signed_in("ann")
    shown = site.people.keys.make("nightly", [Right.READ], 10, account=None, by="ann")
    page = browser.get("/admin/events")
    assert "Sign-in failed" in page.text
    assert "1 attempt failed or denied in 30 days" in page.text
    assert "nightly" not in browser.get("/admin/events?kind=sign-in-failed").text.partition("<tbody>")[2]
    assert "bob" in browser.get("/admin/events?who=bob").text.partition("<tbody>")[2]
    assert browser.get("/admin/events?days=0").status_code == 422
    ticket = next(value for name, value in browser.cookies.items() if "session" in name)
    site.people.store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("state.db*"))
    for secret in (shown, ticket, PASSWORD, "not the password at all"):
        assert secret.encode() not in kept


def test_the_local_link_lets_in_once_and_for_a_while(tmp_path: Path) -> None:
    site = Site(tmp_path, by_account=False)
    browser = site.browser()
    assert browser.get("/account").status_code == 303
    assert "evervalue people link" in browser.get("/signin").text
    once = site.people.links.make()
    ahead = browser.get(f"/?once={once}", headers={"Sec-Purpose": "prefetch"})
    assert "set-cookie" not in ahead.headers
    proxied = browser.get(f"/?once={once}", headers={"X-Forwarded-For": "10.0.0.9"})
    assert "set-cookie" not in proxied.headers
    clean = browser.get(f"/account?a=1&once={once}")
    assert (clean.status_code, clean.headers["location"]) == (303, "/account?a=1")
    assert "signed in as local, admin" in browser.get("/account").text
    assert "set-cookie" not in site.browser().get(f"/?once={once}").headers
    late = site.people.links.make()
    site.later(minutes=16)
    assert "set-cookie" not in site.browser().get(f"/?once={late}").headers


def test_a_stream_ends_soon_after_its_session(site: Site) -> None:
    """What was asked for once would else be told on for hours to who has signed out."""

    @needs(Right.READ)
    async def endless(request: Request) -> StreamingResponse:
        async def told() -> AsyncIterator[bytes]:
            yield b"begun"
            ann = site.people.accounts.named("ann")
            assert ann is not None
            site.people.sessions.end_all(ann.id, by="test", about="ann")
            while True:
                await asyncio.sleep(0.01)
                yield b"."

        return StreamingResponse(told(), media_type="text/event-stream")

    site.app.router.routes.insert(0, Route("/v1/live/endless", endless))
    browser = site.signed_in("ann")
    layer = site.app.build_middleware_stack()
    site.app.middleware_stack = layer
    while not isinstance(layer, Guard):
        layer = layer.app  # type: ignore[attr-defined]
    layer.look_seconds = 0.05
    answer = browser.get("/v1/live/endless")
    assert answer.status_code == 200
    assert answer.text.startswith("begun")


def test_a_session_of_the_local_link_opens_nothing_where_accounts_are_needed(tmp_path: Path) -> None:
    local = Site(tmp_path, by_account=False)
    browser = local.browser()
    browser.get(f"/?once={local.people.links.make()}")
    assert browser.get("/account").status_code == 200
    strict = Site(tmp_path).browser()
    strict.cookies.update(dict(browser.cookies))
    assert strict.get("/account").status_code == 303
    once = local.people.links.make()
    assert "session" not in Site(tmp_path).browser().get(f"/?once={once}").headers.get("set-cookie", "")


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "/%2fevil.example/", "/%5Cevil.example/", "///evil.example"]
)
def test_open_redirect_the_link_of_this_machine_leads_nowhere_else(tmp_path: Path, path: str) -> None:
    link = Site(tmp_path, by_account=False)
    answer = link.browser().request("GET", LOOPBACK + path + "?once=anything")
    assert answer.status_code == 303
    assert not answer.headers["location"].startswith(("//", "/\\"))
    assert "://" not in answer.headers["location"]


def test_a_key_makes_no_key_that_outlives_it(site: Site) -> None:
    key = site.people.keys.make("robot", [Right.MANAGE, Right.READ], 30, account=None, by="ann")
    asked = site.browser().post(
        "/admin/keys",
        data={"name": "child", "right": ["read", "export", "work", "manage"], "days": "300"},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert asked.status_code == 403
    assert [one.name for one in site.people.keys.all()] == ["robot"]


def test_a_key_that_may_not_read_is_shown_nothing_by_a_change(site: Site) -> None:
    key = site.people.keys.make("writer", [Right.WORK], 30, account=None, by="ann")
    head = {"Authorization": f"Bearer {key}", "HX-Request": "true"}
    assert site.browser().post("/notes/1093", data={"says": "x"}, headers=head).status_code == 403
    assert site.browser().post("/act/decide", data={}, headers=head).status_code in (403, 404)


@pytest.mark.parametrize("name", ["Origin", "Referer", "HX-Current-URL"])
def test_an_address_that_is_none_breaks_nothing(site: Site, name: str) -> None:
    for method in ("GET", "POST"):
        answer = site.browser().request(
            method, "/customers", headers={name: "http://[bad", "HX-Request": "true"}
        )
        assert answer.status_code < 500
        assert site.browser().request(method, "/account", headers={name: "http://[bad"}).status_code < 500


def test_what_is_kept_is_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "state.db").touch(mode=0o644)
    (tmp_path / "state.db").chmod(0o644)
    site = Site(tmp_path)
    site.people.accounts.add("ann", Role.ADMIN, PASSWORD, by="test")
    for file in tmp_path.glob("state.db*"):
        assert file.stat().st_mode & 0o077 == 0, file
