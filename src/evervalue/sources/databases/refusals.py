"""What a database or its client says when something fails, turned into one sentence with its mend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evervalue.core.errors import SourceUnavailable
from evervalue.sources.databases.connection import Address

LET_IN = (
    "{where}: the database does not let us in ({said}). Check the user and the password in {where}.connection; "
    "in a URL, @ / # : in a password are written with %."
)
NO_DATABASE = (
    "{where}: {said}. The server answers, but has no such database; check the name at the end of "
    "{where}.connection."
)
TABLE_GONE = (
    "{where}: {said}{doing}. The table was dropped or renamed; name the one that took its place, or take it out "
    "of the settings."
)
NO_RIGHT = "{where}: {said}{doing}. Let an administrator grant it: GRANT SELECT ON the table TO this user."
CHANGED = "{where}: the table changed{doing} ({said}). Run again."
BROKEN_OFF = (
    "{where}: the database broke off{doing} ({said}). Another session may hold a lock; run again when it is "
    "done."
)
FULL = "{where}: the server has no room for us{doing} ({said}). Run again when it is less busy."
LOST = (
    "{where}: the connection was lost{doing} ({said}). Run again: ranges that were read whole are kept, and are "
    "not read again where they have not changed."
)
NO_HOST = "{where}: the host is not known ({said}). Check its name in {where}.connection."
NO_ANSWER = (
    "{where}: the database cannot be reached ({said}). Check host and port in {where}.connection, and that the "
    "server runs and lets this machine through."
)
OTHER = "{where}: the database refused{doing}: {said}."


@dataclass(frozen=True)
class Case:
    """A sort of failure, known by a code of the database or by words of its message."""

    says: str
    codes: tuple[str, ...] = ()
    """Whole codes, or beginnings of them that end in `*`."""
    words: tuple[str, ...] = ()
    """In small letters; any of them."""

    def fits(self, code: str, text: str) -> bool:
        """Whether it is this sort."""
        return any(
            code == known or (known.endswith("*") and code.startswith(known[:-1]))
            for known in self.codes
            if code
        ) or any(words in text for words in self.words)


def refusal(
    cases: Iterable[Case], address: Address, *, code: str, said: str, doing: str = ""
) -> SourceUnavailable:
    """The error in our words, without any password; `doing` is for example "reading public.orders"."""
    said = address.redacted(said).strip().removesuffix(".")
    case = next((case for case in cases if case.fits(code, said.lower())), None)
    context = f" while {doing}" if doing else ""
    return SourceUnavailable(
        (case.says if case else OTHER).format(where=address.where, said=said, doing=context)
    )
