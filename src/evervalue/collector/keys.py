"""Write keys: what a site or a till shows to be let in, and the source that its events belong to.

A key is shown once, when it is made. The file holds its SHA-256 alone; a key has 192 random bits, so nothing slower is
needed against guessing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
import sqlite3
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from evervalue.core.clock import Clock
from evervalue.core.errors import InputError, StorageError
from evervalue.core.text import did_you_mean

SCHEMA = """
create table if not exists write_key (
    key_hash blob primary key,
    source text not null,
    shown text not null,
    created_at text not null,
    revoked_at text
) strict;
"""
PREFIX = "evw_"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class WriteKey:
    """A write key as it may be shown."""

    source: str
    shown: str
    """Its first characters."""
    created_at: str
    revoked_at: str | None


class Keys(ABC):
    """Write keys, wherever they lie."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def create(self, source: str) -> str:
        """A new key for a source; it cannot be shown again.

        Raises
        ------
        InputError
            The name of the source is none.
        """
        if not NAME.fullmatch(source):
            raise InputError(
                f"'{source}' cannot name a source of events. Use small letters, digits, _ and -, and begin with a "
                "letter."
            )
        key = PREFIX + secrets.token_urlsafe(24)
        self._add(hashed(key), WriteKey(source, key[:8], self._now(), None))
        return key

    def revoke(self, shown: str) -> WriteKey:
        """The key that begins with these characters, which lets nobody in from now on.

        Raises
        ------
        InputError
            No key, or more than one, begins so.
        """
        found = [key for key in self.all() if key.shown.startswith(shown) and key.revoked_at is None]
        if len(found) != 1:
            names = [key.shown for key in self.all()]
            what = "No key that is in use begins" if not found else f"{len(found)} keys begin"
            raise InputError(
                f"{what} with '{shown}'{did_you_mean(shown, names)}. 'evervalue keys list' shows them."
            )
        self._end(found[0].shown, self._now())
        return found[0]

    @abstractmethod
    def all(self) -> list[WriteKey]:
        """Every key, by source and age."""

    @abstractmethod
    def source_of(self, key: str) -> str | None:
        """The source that a key is for; None where the key is none, or was revoked.

        Raises
        ------
        StorageError
            The keys cannot be read.
        """

    @abstractmethod
    def close(self) -> None:
        """Let them go."""

    @abstractmethod
    def _add(self, key_hash: bytes, key: WriteKey) -> None: ...

    @abstractmethod
    def _end(self, shown: str, at: str) -> None: ...

    def _now(self) -> str:
        return self.clock.now().astimezone(dt.UTC).isoformat(timespec="seconds")


class WriteKeys(Keys):
    """The write keys of a project, in the file `state.db` of its data directory."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        super().__init__(clock)
        self.path = data_dir / "state.db"
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            self.con = sqlite3.connect(self.path, isolation_level=None, timeout=10, check_same_thread=False)
            self.con.execute("pragma journal_mode=wal")
            self.con.executescript(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"{self.path} cannot be used: {error}.") from error
        self.path.chmod(0o600)

    def all(self) -> list[WriteKey]:
        """Every key, by source and age."""
        rows = self.con.execute(
            "select source, shown, created_at, revoked_at from write_key order by source, created_at, shown"
        )
        return [WriteKey(*row) for row in rows]

    def source_of(self, key: str) -> str | None:
        """The source that a key is for; None where the key is none, or was revoked.

        Raises
        ------
        StorageError
            The file cannot be read.
        """
        try:
            row = self.con.execute(
                "select source from write_key where key_hash = ? and revoked_at is null", (hashed(key),)
            ).fetchone()
        except sqlite3.Error as error:
            raise StorageError(f"{self.path} cannot be used: {error}.") from error
        return str(row[0]) if row else None

    def close(self) -> None:
        """Let the file go."""
        self.con.close()

    def _add(self, key_hash: bytes, key: WriteKey) -> None:
        self.con.execute(
            "insert into write_key values (?, ?, ?, ?, null)",
            (key_hash, key.source, key.shown, key.created_at),
        )

    def _end(self, shown: str, at: str) -> None:
        self.con.execute(
            "update write_key set revoked_at = ? where shown = ? and revoked_at is null", (at, shown)
        )


def hashed(key: str) -> bytes:
    """What the file holds of a key."""
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
