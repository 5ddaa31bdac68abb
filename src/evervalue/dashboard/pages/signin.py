"""Sign-in: the door's page, the way out, and one's own account."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from evervalue.api.access import anybody, form_of, needs, who_of
from evervalue.api.cookies import FORM, SESSION, SINGLE, cookie_name, cookie_of, setting
from evervalue.api.door import address, begun
from evervalue.api.errors import Forbidden
from evervalue.core.addresses import split
from evervalue.core.errors import Busy, EvervalueError, InputError
from evervalue.dashboard import people_words
from evervalue.dashboard.links import to, url
from evervalue.dashboard.view import render
from evervalue.governance.oidc import SECONDS, NotLetIn
from evervalue.governance.people import People
from evervalue.governance.roles import Right
from evervalue.governance.sessions import Session
from evervalue.governance.tickets import signed, ticket

log = logging.getLogger("evervalue.security")

SECONDS_OF_FORM = 3600
WHY = {
    "ended": "Your session has ended.",
    "out": "You have signed out.",
    "everywhere": "You have signed out everywhere.",
    "changed": "What you may do here was changed, or your password was. Sign in again.",
    "refused": "The identity provider did not let you in. Ask whoever manages your accounts there.",
    "role": "You were recognised, but nobody has given you a role here yet. Ask an admin.",
    "again": "That sign-in took too long, or began in another window. Begin again.",
    "unreachable": "The identity provider cannot be reached just now. Try again in a moment.",
}
WRONG = "Name and password do not belong together."
SHOWN_FIELDS = 20


def people_of(request: Request) -> People:
    """Who may come in here."""
    people: People = request.app.state.people
    return people


def session_of(request: Request) -> Session | None:
    """The session by which it is asked; None with an API key, and where nobody signs in."""
    session: Session | None = getattr(request.state, "session", None)
    return session


def local_path(back: str) -> str:
    r"""The address where it is one of this server; else where everything begins.

    >>> (
    ...     local_path("/gems?q=a"),
    ...     local_path("//evil.example"),
    ...     local_path("https://evil.example"),
    ...     local_path("/a\\b"),
    ... )
    ('/gems?q=a', '/', '/', '/')
    """
    is_plain = back.startswith("/") and back.isprintable() and "\\" not in back and len(back) <= 4000
    if not is_plain or back.startswith("//"):
        return to("/")
    parts = split(back)
    is_door = parts.path.removeprefix(to("")).startswith(("/signin", "/signout"))
    return to("/") if parts.scheme or parts.netloc or is_door else back


@anybody
def page(request: Request) -> Response:
    """The page at /signin."""
    back = local_path(request.query_params.get("back", ""))
    people = people_of(request)
    if people.access is None or session_of(request) is not None:
        return RedirectResponse(back, status_code=303)
    return door_page(request, back=back, says=WHY.get(request.query_params.get("why", ""), ""))


def door_page(
    request: Request,
    *,
    back: str,
    says: str = "",
    alarm: str = "",
    status: int = 200,
    name: str = "",
    sent: list[tuple[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The form that lets somebody in, or how to come by the machine's own link.

    `sent` is what somebody wrote into a form while their session ended: shown, so that it is not lost.
    """
    people = people_of(request)
    access = people.access
    form = cookie_of(request, FORM)
    is_new = not form
    form = form or ticket()
    request.state.csrf = signed(people.secret, "form", form)
    answer = render(
        request,
        "signin.html",
        None,
        page="signin",
        status=status,
        headers=headers,
        back=back,
        says=says,
        alarm=alarm,
        name=name,
        sent=sent or [],
        by_account=access is not None and access.by_account,
        has_people=people.accounts.any(),
        button=people.settings.oidc.button if people.settings.oidc else "",
    )
    if is_new:
        answer.headers.append(*setting(request.scope, FORM, form, SECONDS_OF_FORM))
    return answer


@anybody
def come_in(request: Request) -> Response:
    """Signs in who gave the name and the password of an account, and goes back to where they were."""
    people = people_of(request)
    form = form_of(request)
    name, password = str(form.get("name", ""))[:200], str(form.get("password", ""))[:2000]
    back = local_path(str(form.get("back", "")))
    if people.access is None or not people.access.by_account:
        return RedirectResponse(back, status_code=303)
    try:
        found, wait = people.sign_in(name, password, address(request))
    except Busy as error:
        return door_page(
            request, back=back, alarm=str(error), status=503, name=name, headers={"Retry-After": "5"}
        )
    if wait:
        says = f"Too many attempts failed. Try again in {_span(wait)}."
        return door_page(
            request, back=back, alarm=says, status=429, name=name, headers={"Retry-After": str(wait)}
        )
    if found is None:
        return door_page(request, back=back, alarm=WRONG, status=401, name=name)
    answer = RedirectResponse(back, status_code=303, headers={"Cache-Control": "no-store"})
    answer.headers.append(*begun(people, request, found.id, found.name))
    answer.headers.append(*setting(request.scope, FORM, "", 0))
    return answer


@anybody
def go_to_provider(request: Request) -> Response:
    """Sends the browser to the identity provider."""
    people = people_of(request)
    back = local_path(request.query_params.get("back", ""))
    if people.access is None or people.provider is None or session_of(request) is not None:
        return RedirectResponse(back, status_code=303)
    try:
        begin = people.provider.begin(_callback(request), back)
    except NotLetIn as error:
        return _not_let_in(request, error)
    answer = RedirectResponse(begin.address, status_code=303, headers={"Cache-Control": "no-store"})
    answer.headers.append(*setting(request.scope, SINGLE, begin.cookie, SECONDS))
    return answer


@anybody
def come_from_provider(request: Request) -> Response:
    """Signs in whom the identity provider recognised."""
    people = people_of(request)
    if people.access is None or people.provider is None:
        return RedirectResponse(to("/"), status_code=303)
    try:
        found = people.provider.finish(dict(request.query_params), cookie_of(request, SINGLE))
        account = people.accounts.from_elsewhere(found.subject, found.name, found.role)
        if account.disabled_at is not None:
            raise NotLetIn("role", f"{account.name} is disabled")
    except NotLetIn as error:
        return _not_let_in(request, error)
    answer = RedirectResponse(local_path(found.back), status_code=303, headers={"Cache-Control": "no-store"})
    answer.headers.append(*begun(people, request, account.id, account.name))
    answer.headers.append(*setting(request.scope, SINGLE, "", 0))
    return answer


def _not_let_in(request: Request, error: NotLetIn) -> Response:
    log.warning("single sign-on: %s", error)
    about = f"identity provider: {error}"
    people_of(request).audit.note("sign-in-failed", about=about, address=address(request))
    answer = RedirectResponse(url("/signin", [("why", error.why)]), status_code=303)
    answer.headers.append(*setting(request.scope, SINGLE, "", 0))
    return answer


def _callback(request: Request) -> str:
    """The address that the provider sends the browser back to, which must be known there to the letter."""
    base = people_of(request).settings.public_url
    if base is None:
        base = f"{request.url.scheme}://{request.headers['host']}{to('')}"
    return base + "/signin/oidc/back"


@needs(Right.READ)
def go_out(request: Request) -> Response:
    """Ends the session, or all sessions of the person."""
    people, session = people_of(request), session_of(request)
    why = "out"
    if session is not None:
        if form_of(request).get("everywhere"):
            people.sessions.end_all(session.account, by=session.who.name, about=session.who.name)
            why = "everywhere"
        else:
            people.sessions.end(session, "signed-out", by=session.who.name, address=address(request))
    answer = RedirectResponse(url("/signin", [("why", why)]), status_code=303)
    answer.headers.append(*setting(request.scope, SESSION, "", 0))
    return answer


@needs(Right.READ)
def account(request: Request) -> Response:
    """The page at /account: who one is, one's password and sessions."""
    return _account(request)


def _account(request: Request, *, alarm: str = "", status: int = 200) -> Response:
    people, session, who = people_of(request), session_of(request), who_of(request)
    own = people.accounts.named(who.name) if session and session.account else None
    sessions = [one for one in people.sessions.all() if one.account == session.account] if session else []
    return render(
        request,
        "account.html",
        None,
        page="account",
        status=status,
        own=own,
        session=session,
        sessions=sessions,
        words=people_words,
        alarm=alarm,
        changed=request.query_params.get("changed") == "password",
    )


@needs(Right.READ)
def change_password(request: Request) -> Response:
    """Changes one's own password; every session ends, and this browser gets a new one.

    Raises
    ------
    Forbidden
        It is not asked for by a session of an account.
    """
    people, session = people_of(request), session_of(request)
    if session is None or session.account is None:
        raise Forbidden("Only who signed in with an account has a password here.")
    form = form_of(request)
    current, new, again = (str(form.get(field, ""))[:2000] for field in ("current", "new", "again"))
    name = session.who.name
    if new != again:
        return _account(request, alarm="The two new passwords differ.", status=422)
    found, wait = people.sign_in(name, current, address(request))
    if wait:
        return _account(request, alarm=f"Too many attempts failed. Try again in {_span(wait)}.", status=429)
    if found is None:
        return _account(request, alarm="That is not your present password.", status=422)
    try:
        people.accounts.set_password(name, new, by=name)
    except InputError as error:
        return _account(request, alarm=str(error), status=422)
    answer = RedirectResponse(url("/account", [("changed", "password")]), status_code=303)
    answer.headers.append(*begun(people, request, found.id, found.name))
    return answer


def refused(request: Request, error: EvervalueError) -> Response:
    """What a reader sees who has not signed in, or not any more: the door, which leads back to where they were."""
    had_one = cookie_name(request.scope, SESSION) in request.cookies
    if request.headers.get("hx-request") == "true":
        here = split(request.headers.get("hx-current-url", ""))
        back = here.path + (f"?{here.query}" if here.query else "")
        door = url("/signin", [("back", local_path(back)), ("why", "ended" if had_one else "")])
        return Response(status_code=401, headers={"HX-Redirect": door, "Cache-Control": "no-store"})
    if request.method == "GET":
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        back = to(raw.decode("latin-1")) + (f"?{request.url.query}" if request.url.query else "")
        door = url("/signin", [("back", local_path(back)), ("why", "ended" if had_one else "")])
        answer = RedirectResponse(door, status_code=303, headers={"Cache-Control": "no-store"})
        if had_one:
            answer.headers.append(*setting(request.scope, SESSION, "", 0))
        return answer
    came = split(request.headers.get("referer", ""))
    is_ours = came.netloc.lower() == request.headers.get("host", "").lower()
    back = local_path(came.path + (f"?{came.query}" if came.query else "")) if is_ours else to("/")
    sent = [
        (name, str(value)[:5000])
        for name, value in form_of(request).multi_items()
        if value and "password" not in name and name not in ("current", "new", "again")
    ]
    return door_page(
        request,
        back=back,
        alarm="Your session ended before this was sent: nothing was changed. Sign in, and you come back to the page.",
        status=401,
        sent=sent[:SHOWN_FIELDS],
    )


def _span(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return f"{seconds} seconds" if seconds < 60 else "a minute" if minutes == 1 else f"{minutes} minutes"


ROUTES = [
    Route("/signin", page),
    Route("/signin", come_in, methods=["POST"]),
    Route("/signin/oidc", go_to_provider),
    Route("/signin/oidc/back", come_from_provider),
    Route("/signout", go_out, methods=["POST"]),
    Route("/account", account),
    Route("/account/password", change_password, methods=["POST"]),
]
