"""What a statement means that a binary log holds as text: where transactions end, which table was emptied or reshaped.

Pure: text in, values out. Changes of rows are no statements in a log of rows; where one is found all the same, nobody
can tell from its text which rows it changed, for triggers, views and procedures change others than it names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

COMMENT = re.compile(r"\s+|/\*(?![!M]).*?\*/|--(?:[ \t][^\n]*)?(?:\n|$)|#[^\n]*(?:\n|$)", re.S)
"""Blanks and comments in front of a statement; not those that the server executes."""
EXECUTED = re.compile(r"/\*M?!\d*(.*?)\*/", re.S)
FOR_ONE = re.compile(r"set\s+statement\b.*?\bfor\s+(?=[a-z(])", re.I | re.S)
"""MariaDB's SET STATEMENT ... FOR before a statement."""
WORD = re.compile(r"[\w$]+|`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\"|.", re.S)
ROWS = ("insert", "update", "delete", "replace", "load", "call", "select", "with", "do", "import")
HARMLESS = ("grant", "revoke", "analyze", "flush", "set", "check", "checksum", "kill", "use", "show", "reset")


class Kind(Enum):
    """What a statement does to the tables and transactions of a log."""

    BEGIN = "begins a transaction"
    COMMIT = "ends it"
    ROLLBACK = "takes all of it back that can be taken back"
    PART_BACK = "takes a part of it back"
    SAVEPOINT = "marks a place in it"
    XA_END = "ends the changes of a transaction that is prepared, and decided later"
    XA_COMMIT = "decides that they are kept"
    XA_ROLLBACK = "decides that they are not"
    TRUNCATE = "empties a table"
    ROWS = "changes rows that nobody knows"
    RESHAPE = "may change tables that it names"
    NOTHING = "changes no table"


@dataclass(frozen=True)
class Said:
    """A statement that was read."""

    kind: Kind
    text: str
    """Without comments before it."""
    database: str = ""
    """Of a table that is emptied; empty for the session's own."""
    table: str = ""


def read(statement: str) -> Said:
    """What a statement means.

    Examples
    --------
    >>> said = read("/* nightly */ truncate table `Shop`.`a``b`")
    >>> said.kind.name, said.database, said.table
    ('TRUNCATE', 'Shop', 'a`b')
    >>> read("SAVEPOINT `x`").kind.name, read("rollback to x").kind.name, read("delete from t").kind.name
    ('SAVEPOINT', 'PART_BACK', 'ROWS')
    """
    text = bare(statement)
    words = [w for w in WORD.findall(text[:2000]) if not w.isspace()]
    low = [w.lower() for w in words[:3]] + ["", "", ""]
    match low[:2]:
        case ["begin", ""] | ["begin", "work" | ";"] | ["start", "transaction"] | ["xa", "start" | "begin"]:
            return Said(Kind.BEGIN, text)
        case ["commit", _]:
            return Said(Kind.COMMIT, text)
        case ["rollback", "to"]:
            return Said(Kind.PART_BACK, text)
        case ["rollback", "work"] if low[2] == "to":
            return Said(Kind.PART_BACK, text)
        case ["rollback", _]:
            return Said(Kind.ROLLBACK, text)
        case ["savepoint", _] | ["release", "savepoint"]:
            return Said(Kind.SAVEPOINT, text)
        case ["xa", "end" | "prepare"]:
            return Said(Kind.XA_END, text)
        case ["xa", "commit"]:
            return Said(Kind.XA_COMMIT, text)
        case ["xa", "rollback"]:
            return Said(Kind.XA_ROLLBACK, text)
        case ["truncate", second]:
            database, table = _named(words[2:] if second == "table" else words[1:])
            return Said(Kind.TRUNCATE, text, database, table)
        case [first, _] if first in ROWS:
            return Said(Kind.ROWS, text)
        case [first, _] if first in HARMLESS:
            return Said(Kind.NOTHING, text)
    return Said(Kind.RESHAPE, text)


def bare(statement: str) -> str:
    """A statement without the comments before it, and out of those that the server executes.

    >>> bare("/*!50003 truncate t */"), bare("-- x" + chr(10) + "SET STATEMENT a=1 FOR drop table t")
    ('truncate t ', 'drop table t')
    """
    text = EXECUTED.sub(r" \1", statement) if "/*!" in statement or "/*M!" in statement else statement
    while True:
        start = text
        while found := COMMENT.match(text):
            text = text[found.end() :]
        if found := FOR_ONE.match(text):
            text = text[found.end() :]
        if text == start:
            return text


def names(text: str, table: str) -> bool:
    """Whether a text names a table, in whatever quotes; it may also mean something else of that name."""
    written = "|".join(
        re.escape(form) for form in {table, table.replace("`", "``"), table.replace('"', '""')}
    )
    return re.search(rf"(?<![\w$])(?:{written})(?![\w$])", text, re.I) is not None


def _named(words: list[str]) -> tuple[str, str]:
    """Database and name at the beginning of some words; the database is empty where none is named."""
    if len(words) >= 3 and words[1] == ".":
        return _plain(words[0]), _plain(words[2])
    return "", _plain(words[0]) if words else ""


def _plain(word: str) -> str:
    for quote in '`"':
        if len(word) >= 2 and word[0] == word[-1] == quote:
            return word[1:-1].replace(quote * 2, quote)
    return word
