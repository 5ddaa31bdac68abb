"""Foreign keys by which the server changes rows of a table when others change, of which its log says nothing.

InnoDB deletes and changes what ON DELETE CASCADE, ON UPDATE CASCADE and SET NULL ask for below the level that the log
is written at. So a change of a row that others hang on is all that is seen of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = r"`((?:[^`]|``)*)`"
FOREIGN = re.compile(
    rf"FOREIGN KEY \((?:[^`)]|`(?:[^`]|``)*`)*\) REFERENCES (?:{NAME}\.)?{NAME} \(((?:[^`)]|`(?:[^`]|``)*`)*)\)(.*)$"
)
ACTS = ("CASCADE", "SET NULL", "SET DEFAULT")
"""Rules that change rows."""


@dataclass(frozen=True)
class Cascade:
    """A table that others hang on."""

    database: str
    """Empty for that of the table itself."""
    table: str
    columns: tuple[str, ...]
    """What the others name it by."""
    deletes: bool
    updates: bool


def cascades(created: str) -> list[Cascade]:
    """The tables that one hangs on, by its CREATE TABLE as the server shows it; those whose changes change it.

    >>> cascades(
    ...     "CONSTRAINT `c` FOREIGN KEY (`p`, `q`) REFERENCES `d`.`or``ders` (`id`, `n`) ON DELETE CASCADE"
    ... )
    [Cascade(database='d', table='or`ders', columns=('id', 'n'), deletes=True, updates=False)]
    >>> cascades("CONSTRAINT `c` FOREIGN KEY (`p`) REFERENCES `orders` (`id`) ON UPDATE NO ACTION")
    []
    """
    found = []
    for line in created.splitlines():
        match = FOREIGN.search(line)
        if match is None:
            continue
        database, table, columns, rules = match.groups()
        deletes = any(f"ON DELETE {act}" in rules for act in ACTS)
        updates = any(f"ON UPDATE {act}" in rules for act in ACTS)
        if deletes or updates:
            named = tuple(_plain(name) for name in re.findall(NAME, columns))
            found.append(Cascade(_plain(database or ""), _plain(table), named, deletes, updates))
    return found


def _plain(name: str) -> str:
    return name.replace("``", "`")
