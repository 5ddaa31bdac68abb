"""The pages that the navigation names, in its groups and their order."""

from __future__ import annotations

from dataclasses import dataclass

from evervalue.governance.roles import Right


@dataclass(frozen=True)
class Place:
    """One entry of the navigation."""

    key: str
    name: str
    href: str
    """Without the path prefix of the server, which `links.to` adds."""
    letter: str = ""
    """Pressed after g, it goes there."""
    needs: Right = Right.READ
    """Shown to who has the right."""


NAVIGATION: tuple[tuple[str, tuple[Place, ...]], ...] = (
    (
        "Value",
        (
            Place("overview", "Overview", "/", "o"),
            Place("gems", "Hidden gems", "/gems", "h"),
            Place("segments", "Segments", "/segments", "s"),
            Place("value", "Lifetime value", "/value", "l"),
            Place("customers", "Customers", "/customers", "c"),
            Place("cohorts", "Cohorts", "/cohorts", "k"),
            Place("revenue", "Revenue", "/revenue", "r"),
        ),
    ),
    (
        "Act",
        (Place("act", "Act", "/act", "n"),),
    ),
    (
        "Trust",
        (
            Place("models", "Models", "/models", "m"),
            Place("sources", "Sources", "/sources", "d"),
            Place("runs", "Runs", "/runs", "u"),
            Place("tables", "How it is computed", "/tables", "t"),
            Place("admin", "Admin", "/admin", "a", Right.MANAGE),
        ),
    ),
)


def places() -> list[Place]:
    """Every page that the navigation names."""
    return [place for _, group in NAVIGATION for place in group]
