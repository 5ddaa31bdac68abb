"""Admin: who may see and do what: people, keys, sessions and security events."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from evervalue.api.access import form_of, needs, who_of
from evervalue.api.door import address
from evervalue.api.errors import Forbidden
from evervalue.collector.keys import WriteKey, WriteKeys
from evervalue.core.errors import EvervalueError, InputError
from evervalue.dashboard import people_words
from evervalue.dashboard.links import url
from evervalue.dashboard.listing import asked_for
from evervalue.dashboard.pages.signin import people_of, session_of
from evervalue.dashboard.view import render
from evervalue.governance.api_keys import LONGEST_DAYS
from evervalue.governance.audit import KINDS
from evervalue.governance.passwords import generated
from evervalue.governance.roles import Right, Role
from evervalue.state.store import stamp

EVENTS_A_PAGE = 100
DONE = {
    "role": "The role was changed: its sessions have ended.",
    "disabled": "That person is let in no more.",
    "enabled": "That person is let in again.",
    "removed": "That person was taken out, with sessions and keys.",
    "revoked": "The key lets nobody in any more.",
    "ended": "The session has ended.",
}


class EventsRequest(BaseModel):
    """Which security events."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, Field(max_length=40)] = ""
    who: Annotated[str, Field(max_length=200)] = ""
    days: Annotated[int, Field(ge=1, le=400)] = 30
    before: Annotated[int, Field(ge=0)] = 0


@needs(Right.MANAGE)
def people(request: Request) -> Response:
    """The page at /admin: people and their roles."""
    return _people(request)


def _people(request: Request, **more: Any) -> Response:
    known = people_of(request)
    access = known.access
    found = known.accounts.all()
    by_account = access is not None and access.by_account
    return _shown(
        request,
        "people",
        people_words.people_title(found, by_account),
        people=found,
        roles=people_words.ROLES,
        by_account=by_account,
        single=known.settings.oidc,
        **{"fresh": None, "alarm": "", "name": "", **more},
    )


@needs(Right.MANAGE)
def add_person(request: Request) -> Response:
    """A new account; its password is shown once."""
    form = form_of(request)
    name, password = str(form.get("name", "")), generated()
    try:
        role = _role(str(form.get("role", "")))
        added = people_of(request).accounts.add(name, role, password, by=who_of(request).name)
    except InputError as error:
        return _people(request, alarm=str(error), name=name[:80], status=422)
    return _people(request, fresh=(added.name, password))


@needs(Right.MANAGE)
def change_person(request: Request) -> Response:
    """Another role or password, let in or not, taken out: what `do` says of the person of that name."""
    form, by = form_of(request), who_of(request).name
    accounts = people_of(request).accounts
    name, do = str(form.get("name", "")), str(form.get("do", ""))
    try:
        if do == "role":
            accounts.set_role(name, _role(str(form.get("role", ""))), by=by)
        elif do == "password":
            password = generated()
            accounts.set_password(name, password, by=by)
            return _people(request, fresh=(name, password))
        elif do == "disabled":
            accounts.disable(name, by=by)
        elif do == "enabled":
            accounts.enable(name, by=by)
        elif do == "removed":
            accounts.remove(name, by=by)
        else:
            raise InputError("There is no such change.")
    except InputError as error:
        return _people(request, alarm=str(error), status=422)
    return _done("/admin", do)


@needs(Right.MANAGE)
def keys(request: Request) -> Response:
    """The page at /admin/keys: API keys, and the write keys of the collector."""
    return _keys(request)


def _keys(request: Request, **more: Any) -> Response:
    known = people_of(request)
    now = stamp(known.clock.now())
    found, writing = known.keys.all(), _write_keys(request)
    return _shown(
        request,
        "keys",
        people_words.keys_title(found, writing, now),
        keys=[(key, *people_words.key_state(key, now)) for key in found],
        write_keys=writing,
        rights=people_words.RIGHTS,
        longest=LONGEST_DAYS,
        **{"fresh": None, "alarm": "", **more},
    )


@needs(Right.MANAGE)
def make_key(request: Request) -> Response:
    """A new API key; it is shown once."""
    form, session = form_of(request), session_of(request)
    if who_of(request).only is not None:
        raise Forbidden("A key makes no other keys, which would outlive it. Sign in to make one.")
    chosen = {str(right) for right in form.getlist("right")}
    try:
        days = str(form.get("days", ""))
        if not days.isascii() or not days.isdigit():
            raise InputError("Say for how many days the key is good.")
        shown = people_of(request).keys.make(
            str(form.get("name", "")),
            [right for right in Right if right in chosen],
            int(days[:6]),
            account=session.account if session else None,
            by=who_of(request).name,
        )
    except InputError as error:
        return _keys(request, alarm=str(error), status=422)
    return _keys(request, fresh=shown)


@needs(Right.MANAGE)
def revoke_key(request: Request) -> Response:
    """Lets a key in no more."""
    try:
        people_of(request).keys.revoke(str(form_of(request).get("id", "")), by=who_of(request).name)
    except InputError as error:
        return _keys(request, alarm=str(error), status=422)
    return _done("/admin/keys", "revoked")


@needs(Right.MANAGE)
def sessions(request: Request) -> Response:
    """The page at /admin/sessions: who is signed in."""
    found = people_of(request).sessions.all()
    title = people_words.sessions_title(found)
    return _shown(request, "sessions", title, sessions=found, own=session_of(request))


@needs(Right.MANAGE)
def end_session(request: Request) -> Response:
    """Ends one session."""
    known = people_of(request)
    wanted = str(form_of(request).get("id", ""))
    for session in known.sessions.all():
        if session.id == wanted:
            known.sessions.end(session, "session-ended", by=who_of(request).name, address=address(request))
    return _done("/admin/sessions", "ended")


@needs(Right.MANAGE)
def events(request: Request) -> Response:
    """The page at /admin/events: what happened at the door."""
    asked = asked_for(EventsRequest, request)
    found = people_of(request).audit.events(
        kind=asked.kind, who=asked.who, days=asked.days, before=asked.before, limit=EVENTS_A_PAGE + 1
    )
    rows = found[:EVENTS_A_PAGE]
    pairs = [("kind", asked.kind), ("who", asked.who), ("days", asked.days)]
    older = url("/admin/events", [*pairs, ("before", rows[-1][0])]) if len(found) > len(rows) else ""
    return _shown(
        request,
        "events",
        people_words.events_title(rows, asked.days),
        events=[event for _, event in rows],
        asked=asked,
        kinds=KINDS,
        older=older,
        newest=url("/admin/events", pairs) if asked.before else "",
    )


def _shown(request: Request, part: str, title: str, *, status: int = 200, **context: Any) -> Response:
    done = DONE.get(request.query_params.get("done", ""), "") if request.method == "GET" else ""
    return render(
        request,
        f"admin_{part}.html",
        None,
        page="admin",
        status=status,
        shown_part=part,
        title=title,
        done=done,
        words=people_words,
        **context,
    )


def _done(path: str, what: str) -> Response:
    return RedirectResponse(url(path, [("done", what)]), status_code=303)


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise InputError(f"There is no role '{text[:40]}'; there are {', '.join(Role)}.") from None


def _write_keys(request: Request) -> list[WriteKey]:
    """The collector's keys that lie in the project's own file."""
    known = people_of(request)
    try:
        kept = WriteKeys(known.store.path.parent, known.clock)
        try:
            return kept.all()
        finally:
            kept.close()
    except (
        EvervalueError,
        sqlite3.Error,
    ):  # they are shown beside what matters here, and are no reason to fail
        return []


ROUTES = [
    Route("/admin", people),
    Route("/admin/people", add_person, methods=["POST"]),
    Route("/admin/people/change", change_person, methods=["POST"]),
    Route("/admin/keys", keys),
    Route("/admin/keys", make_key, methods=["POST"]),
    Route("/admin/keys/revoke", revoke_key, methods=["POST"]),
    Route("/admin/sessions", sessions),
    Route("/admin/sessions/end", end_session, methods=["POST"]),
    Route("/admin/events", events),
]
