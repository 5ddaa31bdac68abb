"""People, keys, sessions and security events in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evervalue.collector.keys import WriteKey
from evervalue.dashboard.formats import Formats
from evervalue.governance.accounts import Account
from evervalue.governance.api_keys import ApiKey
from evervalue.governance.audit import BAD, KINDS, SecurityEvent
from evervalue.governance.roles import Right, Role
from evervalue.governance.sessions import Session

KINDS_IN_WORDS = KINDS
ROLES = {
    Role.VIEWER: "looks at pages and answers",
    Role.ANALYST: "also takes rows away as files, and keeps notes, views and audiences",
    Role.ADMIN: "also decides about people, keys and which run is shown",
}
RIGHTS = {
    Right.READ: "ask for answers",
    Right.EXPORT: "take rows away as files",
    Right.WORK: "keep notes, views and audiences",
    Right.MANAGE: "decide about people, keys and runs",
}
BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Windows", "Windows"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def moment(stamp: str | None, formats: Formats) -> str:
    """An instant of the store, in UTC."""
    if not stamp:
        return "never"
    return formats.moment_of(stamp)


def browser(agent: str) -> str:
    """What kind of browser, roughly.

    >>> browser(
    ...     "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0 Safari/537.36"
    ... )
    'Chrome on Linux'
    """
    name = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if name:
        return f"{name} on {system}" if system else name
    return agent.partition("/")[0][:40] or "unknown"


def people_title(people: Sequence[Account], by_account: bool) -> str:
    """How many may come in, and who decides."""
    active = [one for one in people if one.disabled_at is None]
    if not active:
        return "Nobody has an account yet"
    admins = sum(one.role == Role.ADMIN for one in active)
    who = "1 person may" if len(active) == 1 else f"{len(active)} people may"
    decides = (
        "nobody of them decides" if not admins else f"{admins} of them decide{'s' if admins == 1 else ''}"
    )
    said = f"{who} sign in; {decides}"
    return said if by_account else f"{said}. This server asks nobody to"


def keys_title(keys: Sequence[ApiKey], write_keys: Sequence[WriteKey], now: str) -> str:
    """How many programs are let in."""
    reading = sum(key.lets_in(now) for key in keys)
    writing = sum(key.revoked_at is None for key in write_keys)
    return f"{_many(reading, 'API key')} and {_many(writing, 'write key')} open a door"


def sessions_title(sessions: Sequence[Session]) -> str:
    """Who is signed in now."""
    people = {one.who.name for one in sessions}
    if not sessions:
        return "Nobody is signed in"
    return f"{_many(len(people), 'person', 'people')} signed in, with {_many(len(sessions), 'session')}"


def events_title(events: Iterable[tuple[int, SecurityEvent]], days: int) -> str:
    """What stands out."""
    found = [event for _, event in events]
    bad = sum(event.kind in BAD for event in found)
    when = "in a day" if days == 1 else f"in {days} days"
    if not found:
        return f"Nothing happened {when}"
    return (
        f"{_many(bad, 'attempt')} failed or denied {when}" if bad else f"Nothing failed or was denied {when}"
    )


def key_state(key: ApiKey, now: str) -> tuple[str, str]:
    """The state of a key as a sign's name and a word."""
    if key.revoked_at:
        return "low", "revoked"
    if key.is_of_disabled:
        return "low", "its owner is disabled"
    if key.ends_at is not None and key.ends_at <= now:
        return "low", "over"
    return "high", "in use" if key.used_at else "never used"


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count or 'no'} {one if count == 1 else more or one + 's'}"
