"""The pages that the navigation names, in its groups and their order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One entry of the navigation."""

    key: str
    name: str
    href: str
    """Without the path prefix of the server, which `links.to` adds."""


NAVIGATION: tuple[tuple[str, tuple[Place, ...]], ...] = (
    (
        "Value",
        (
            Place("overview", "Overview", "/"),
            Place("gems", "Hidden gems", "/gems"),
            Place("segments", "Segments", "/segments"),
            Place("customers", "Customers", "/customers"),
        ),
    ),
    (
        "Trust",
        (
            Place("sources", "Sources", "/sources"),
            Place("runs", "Runs", "/runs"),
            Place("tables", "How it is computed", "/tables"),
        ),
    ),
)
