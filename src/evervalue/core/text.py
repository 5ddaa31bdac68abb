"""Small helpers for words in messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name among `names` that is most like `name`, or None when none is near."""
    folded = {_fold(n): n for n in names}
    found = difflib.get_close_matches(_fold(name), list(folded), n=1, cutoff=0.5)
    return folded[found[0]] if found else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """' (did you mean ...?)' with the nearest name, or an empty string."""
    near = nearest(name, names)
    return f" (did you mean '{near}'?)" if near else ""


def count(n: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: '1 row', '2 rows', '12,345 rows'."""
    return f"{n:,} {noun if n == 1 else (plural or noun + 's')}"


def listing(items: Iterable[object], limit: int = 5) -> str:
    """Items joined by commas, cut after `limit` with the number left out."""
    all_items = [str(i) for i in items]
    shown = ", ".join(all_items[:limit])
    return shown if len(all_items) <= limit else f"{shown} and {len(all_items) - limit:,} more"


def joined(items: Iterable[object]) -> str:
    """Items as in a sentence.

    >>> joined(["r"]), joined(["a", "b"]), joined(["r", "a", "b"])
    ('r', 'a and b', 'r, a and b')
    """
    *first, last = [str(item) for item in items]
    return f"{', '.join(first)} and {last}" if first else last


def span(seconds: float, *, whole: bool = False) -> str:
    """A length of time in words, with one decimal where it has one; `whole` leaves that off, as for a time gone by.

    >>> [span(s) for s in (0.4, 1, 75, 900, 12_600, 200_000)]
    ['less than a second', '1 second', '75 seconds', '15 minutes', '3.5 hours', '2.3 days']
    >>> [span(s, whole=True) for s in (1.9, 119, 200, 12_600, 200_000)]
    ['1 second', '119 seconds', '3 minutes', '3 hours', '2 days']
    """
    if seconds < 1:
        return "less than a second"
    size, noun = next((s, n) for s, n in _SPANS if seconds >= 2 * s or s == 1)
    amount = seconds // size if whole or size == 1 else round(seconds / size, 1)
    return f"{amount:,g} {noun if amount == 1 else noun + 's'}"


_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def once(*sentences: str) -> list[str]:
    """The sentences that are not empty, each said once, in order.

    >>> once("It rains.", "", "It pours.", "It rains.")
    ['It rains.', 'It pours.']
    """
    return list(dict.fromkeys(says for says in sentences if says))


def _fold(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
