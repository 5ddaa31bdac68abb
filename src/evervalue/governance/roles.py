"""Roles and what each may do. Every route says which right it needs; nothing else decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Right(StrEnum):
    """What a route may need."""

    READ = "read"
    """See pages and answers."""
    EXPORT = "export"
    """Take rows away as files."""
    WORK = "work"
    """Keep something: notes, views, audiences, decisions."""
    MANAGE = "manage"
    """Decide for everybody: people, keys, which run is published."""


class Role(StrEnum):
    """Who somebody is here."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.READ}),
    Role.ANALYST: frozenset({Right.READ, Right.EXPORT, Right.WORK}),
    Role.ADMIN: frozenset(Right),
}


@dataclass(frozen=True)
class Who:
    """Who asks."""

    name: str
    """What notes and decisions are signed with."""
    role: Role
    only: frozenset[Right] | None = None
    """With an API key: the rights that it was given, of those that the role has."""

    def may(self, right: Right) -> bool:
        """Whether the role has the right, and the key where there is one."""
        return right in RIGHTS[self.role] and (self.only is None or right in self.only)


LOCAL = Who("local", Role.ADMIN)
"""Whoever sits at this machine, where nobody has to sign in."""
NOBODY = Who("", Role.VIEWER, frozenset())
"""Who has not signed in: may nothing."""
