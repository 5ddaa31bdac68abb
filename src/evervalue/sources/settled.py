"""What is written and not finished yet: files of a folder without its marker, and files that are too young."""

from __future__ import annotations

import datetime as dt
import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from evervalue.core.errors import SettingsError
from evervalue.core.text import count, listing

T = TypeVar("T")
UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def waiting_time(text: str) -> dt.timedelta:
    """The time that the setting `settle` stands for: '10s', '5min', '2h', '1d'.

    >>> waiting_time("5min")
    datetime.timedelta(seconds=300)

    Raises
    ------
    SettingsError
        It is none.
    """
    found = re.fullmatch(r"\s*(\d{1,6})\s*(s|min|h|d)\s*", text)
    if found is None:
        raise SettingsError(f"'{text}' is not a time to wait; write it as in 10s, 5min, 2h or 1d")
    return dt.timedelta(seconds=int(found[1]) * UNITS[found[2]])


def complete_folders(
    files: Sequence[T], names: Iterable[str], marker: str, name_of: Callable[[T], str]
) -> tuple[list[T], list[str]]:
    """The files whose folder holds a file that `marker` fits, and a sentence on the others.

    `names` are the paths of all that lies there, the markers among them.
    """
    complete = {
        folder for folder, _, name in (n.rpartition("/") for n in names) if fnmatch.fnmatchcase(name, marker)
    }
    taken: list[T] = []
    waiting: dict[str, int] = {}
    for file in files:
        folder, _, name = name_of(file).rpartition("/")
        if fnmatch.fnmatchcase(name, marker):
            continue
        if folder in complete:
            taken.append(file)
        else:
            waiting[folder] = waiting.get(folder, 0) + 1
    if not waiting:
        return taken, []
    says = (
        f"{count(sum(waiting.values()), 'file waits', 'files wait')} until {marker} is there in "
        f"{listing((f + '/' for f in sorted(waiting)), 3)}."
    )
    return taken, [says]


def young(
    files: Sequence[T], settle: dt.timedelta, now: dt.datetime, of: Callable[[T], tuple[str, dt.datetime]]
) -> tuple[list[T], list[str]]:
    """The files that have not changed for `settle`, and a sentence on those that have; `now` is UTC without a zone."""
    taken: list[T] = []
    waiting: list[str] = []
    for file in files:
        name, changed = of(file)
        if now - changed >= settle:
            taken.append(file)
        else:
            waiting.append(name)
    if not waiting:
        return taken, []
    says = (
        f"{count(len(waiting), 'file')} changed within the last {settle.total_seconds():g} seconds and "
        f"{'is' if len(waiting) == 1 else 'are'} not read yet: {listing(waiting, 3)}."
    )
    return taken, [says]
