"""Who is who: by the session of a browser, by an API key, or by the one-time link of this machine."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from evervalue.api.access import ANYBODY
from evervalue.api.cookies import FORM, SESSION, cookie_of, setting
from evervalue.api.errors import Forbidden, NotSignedIn
from evervalue.api.guard import FIELD, Asked
from evervalue.api.proxy import is_local, shown
from evervalue.governance.people import People
from evervalue.governance.roles import LOCAL, NOBODY, Right, Who
from evervalue.governance.sessions import Session
from evervalue.governance.tickets import same, signed

ONCE = "once"
HEADER = "x-csrf-token"


class SignInDoor:
    """The door of a server where people sign in."""

    def __init__(self, people: People) -> None:
        self.people = people
        assert people.access is not None
        self.by_account = people.access.by_account

    async def enter(self, asked: Asked) -> Response | None:
        """An answer instead of the route's, or None once it is noted who asks.

        Raises
        ------
        NotSignedIn
            Nobody is known who asks.
        Forbidden
            Who asks may not ask that, or the change does not come from a form of ours.
        """
        request = asked.request
        if not self.by_account and asked.method == "GET" and ONCE in request.query_params:
            return await self._by_link(request)
        rights = asked.rights() or ()
        is_open = rights == (ANYBODY,)
        key = _bearer(request)
        if key:
            await self._by_key(asked, key, rights, is_open)
            return None
        held = cookie_of(request, SESSION)
        session = self.people.sessions.find(held) if held else None
        if session is not None and not self._goes_on(session):
            await run_in_threadpool(
                self.people.sessions.end,
                session,
                "session-expired",
                by=session.who.name,
                address=address(request),
            )
            session = None
        if session is None:
            self._nobody(asked, is_open, had_one=bool(held))
            return None
        csrf = signed(self.people.secret, "csrf", session.id)
        asked.lets_in(session.who, session=session, csrf=csrf)
        if not is_open:
            await self._check(asked, session.who, rights)
        if not asked.is_safe and not same(_sent_token(asked), csrf):
            await self._denied(asked, session.who, "a form without its token")
            raise Forbidden("This form is out of date. Go back, load the page once more and send it again.")
        if self.people.sessions.is_due(session):
            await run_in_threadpool(self.people.sessions.seen, session)
        return None

    def still(self, asked: Asked) -> bool:
        """Whether who was let in would be let in now; being listened to for hours is no use of a session."""
        key = _bearer(asked.request)
        if key:
            found = self.people.keys.find(key)
            return found is not None and found.who.may(Right.READ)
        session = self.people.sessions.find(cookie_of(asked.request, SESSION))
        return session is not None and self._goes_on(session)

    def _goes_on(self, session: Session) -> bool:
        if session.account is None and self.by_account:  # came by the link, before accounts were asked for
            return False
        return not self.people.sessions.is_over(session)

    def _nobody(self, asked: Asked, is_open: bool, *, had_one: bool) -> None:
        form = cookie_of(asked.request, FORM)
        csrf = signed(self.people.secret, "form", form) if form else ""
        asked.lets_in(NOBODY, csrf=csrf)
        if not is_open:
            ended = " Your session has ended." if had_one else ""
            raise NotSignedIn(
                f"Sign in first.{ended} Programs send an API key: 'Authorization: Bearer evk_…'."
            )
        if not asked.is_safe and not (csrf and same(_sent_token(asked), csrf)):
            raise Forbidden("This form is out of date. Go back, load the page once more and send it again.")

    async def _by_key(self, asked: Asked, shown_key: str, rights: tuple[str, ...], is_open: bool) -> None:
        key = self.people.keys.find(shown_key)
        if key is None:
            asked.lets_in(NOBODY, csrf="")
            if is_open and asked.is_safe:
                return
            await self._denied(asked, NOBODY, "an API key that is unknown, over or revoked")
            raise NotSignedIn("This API key is unknown, over or revoked. The Admin page lists those in use.")
        asked.lets_in(key.who, csrf="")
        if not is_open:
            await self._check(asked, key.who, rights)
        elif not asked.is_safe:
            raise Forbidden("Nobody signs in with an API key.")
        if self.people.keys.is_due(key):
            await run_in_threadpool(self.people.keys.used, key)

    async def _check(self, asked: Asked, who: Who, rights: tuple[str, ...]) -> None:
        for right in rights:
            if not who.may(Right(right)):
                await self._denied(
                    asked, who, f"{asked.method} {asked.leaf.path if asked.leaf else ''}: {right}"
                )
                raise Forbidden(
                    f"That takes the right to {right}, which {_called(who)} does not have. An admin can give it."
                )

    async def _denied(self, asked: Asked, who: Who, about: str) -> None:
        await run_in_threadpool(
            self.people.audit.note, "denied", who=who.name, about=about, address=address(asked.request)
        )

    async def _by_link(self, request: Request) -> Response:
        """Goes on to the clean address, signed in where the link was good."""
        pairs = parse_qsl(request.url.query, keep_blank_values=True)
        rest = urlencode([(name, value) for name, value in pairs if name != ONCE])
        path = "/" + request.url.path.lstrip("/\\")  # two slashes would name another host
        clean = shown(quote(path)) + (f"?{rest}" if rest else "")
        answer = RedirectResponse(clean, status_code=303, headers={"Cache-Control": "no-store"})
        is_looked_ahead = "prefetch" in request.headers.get("sec-purpose", "")
        if is_looked_ahead or not is_local(request):
            return answer
        once = request.query_params[ONCE]
        if await run_in_threadpool(self.people.links.take, once):
            answer.headers.append(*await run_in_threadpool(begun, self.people, request, None, LOCAL.name))
        return answer


def begun(people: People, request: Request, account: str | None, name: str) -> tuple[str, str]:
    """The header that gives the browser its new session; the one it had before ends, whoever gave it."""
    held = cookie_of(request, SESSION)
    before = people.sessions.find(held) if held else None
    shown_ticket = people.sessions.begin(
        account,
        address=address(request),
        browser=request.headers.get("user-agent", ""),
        instead_of=before.id if before else None,
    )
    people.audit.note("signed-in", who=name, about=name, address=address(request))
    return setting(request.scope, SESSION, shown_ticket)


def address(request: Request) -> str:
    """Whence it is asked."""
    return request.client.host if request.client else ""


def _called(who: Who) -> str:
    return "this key" if who.only is not None else f"the role {who.role}"


def _bearer(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _sent_token(asked: Asked) -> str:
    in_form = asked.form.get(FIELD, "") if asked.form is not None else ""
    return asked.headers.get(HEADER, "") or str(in_form)
