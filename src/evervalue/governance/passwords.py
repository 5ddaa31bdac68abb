"""Passwords: Argon2id, with the parameters of RFC 9106 for servers with little memory."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from evervalue.core.errors import Busy, InputError

SHORTEST = 12
LONGEST = 256
WAIT_SECONDS = 5.0
AT_ONCE = 2
"""Each takes 64 MB for its while: more of them side by side would let strangers fill the memory."""
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that are mistaken for each other."""
USUAL = (
    "password",
    "passwort",
    "123456",
    "qwerty",
    "qwertz",
    "letmein",
    "welcome",
    "evervalue",
    "changeme",
    "admin",
)


class Passwords:
    """Makes and checks what is kept of passwords."""

    def __init__(self, *, memory_kib: int = 65_536, rounds: int = 3, lanes: int = 4) -> None:
        """RFC 9106's second choice: 64 MB, 3 rounds, 4 lanes."""
        self._hasher = PasswordHasher(
            time_cost=rounds, memory_cost=memory_kib, parallelism=lanes, type=Type.ID
        )
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def kept(self, password: str) -> str:
        """What is kept of a password."""
        with self._turn():
            return self._hasher.hash(_plain(password))

    def fits(self, kept: str | None, password: str) -> bool:
        """Whether it is the password; for who has none it takes as long to say no."""
        with self._turn():
            if kept is None:
                self._hasher.hash(_plain(password))
                return False
            try:
                return self._hasher.verify(kept, _plain(password))
            except (VerifyMismatchError, VerificationError, InvalidHashError):
                return False

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=WAIT_SECONDS):
            raise Busy("Too many people sign in at this moment. Try again in a moment.")
        try:
            yield
        finally:
            self._turns.release()

    def is_dated(self, kept: str) -> bool:
        """Whether it was made with other parameters than are in force."""
        return self._hasher.check_needs_rehash(kept)


def generated() -> str:
    """A password that nobody guesses (99 bits), easy to type.

    >>> len(generated())
    23
    """
    parts = ("".join(secrets.choice(LETTERS) for _ in range(5)) for _ in range(4))
    return "-".join(parts)


def checked(password: str, name: str) -> str:
    """The password, where it may be one.

    Raises
    ------
    InputError
        It is too short, too long, or the first that anybody would try.
    """
    plain = _plain(password)
    if len(plain) < SHORTEST:
        raise InputError(f"A password has at least {SHORTEST} characters; a short sentence is a good one.")
    if len(plain) > LONGEST:
        raise InputError(f"A password has at most {LONGEST} characters.")
    low = plain.casefold()
    rest = low
    for word in (*USUAL, name.casefold()):
        rest = rest.replace(word, "") if word else rest
    if len(set(low)) < 5 or len(rest) < SHORTEST // 2:
        raise InputError("That password is among the first that anybody would try. Take a longer sentence.")
    return password


def _plain(password: str) -> str:
    """The same password in the same bytes, however the keyboard composed its accents."""
    return unicodedata.normalize("NFKC", password)
