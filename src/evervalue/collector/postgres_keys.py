"""Write keys in PostgreSQL, shared by the collectors that share a log there.

A collector looks them up at every request, so it holds them for some seconds: a key that is made is known at once, one
that is revoked lets in for so long.
"""

from __future__ import annotations

import threading

from evervalue.collector.keys import Keys, WriteKey, hashed
from evervalue.collector.postgres import Database, Shared
from evervalue.core.clock import Clock
from evervalue.core.errors import StorageError

HELD_SECONDS = 5.0
UNKNOWN_SECONDS = 0.5
"""How soon keys are asked for again where one is not known: whoever guesses does not keep the database busy."""


class PostgresKeys(Keys):
    """The write keys in a database.

    Raises
    ------
    MissingExtra
        The library is not installed.
    StorageError
        The database cannot be reached.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(clock)
        self._shared = Shared(database)
        self._lock = threading.Lock()
        self._held: dict[bytes, str] = {}
        self._asked: float | None = None
        self._failed: StorageError | None = None
        self.all()

    def all(self) -> list[WriteKey]:
        """Every key, by source and age."""
        with self._lock:
            rows = self._shared.rows(
                "select source, shown, created_at, revoked_at from evervalue.write_key "
                'order by source collate "C", created_at, shown collate "C"'
            )
        return [WriteKey(*row) for row in rows]

    def source_of(self, key: str) -> str | None:
        """The source that a key is for; None where the key is none, or was revoked some seconds ago.

        Raises
        ------
        StorageError
            The database cannot be read.
        """
        wanted = hashed(key)
        with self._lock:
            now = self.clock.now().timestamp()
            old = HELD_SECONDS if wanted in self._held and self._failed is None else UNKNOWN_SECONDS
            if self._asked is None or not 0 <= now - self._asked < old:
                self._asked = now
                self._failed = self._ask()
            if self._failed is not None:
                raise StorageError(str(self._failed))
            return self._held.get(wanted)

    def close(self) -> None:
        """Let the connection go."""
        with self._lock:
            self._shared.close()

    def _ask(self) -> StorageError | None:
        """Why the keys cannot be read; None where they were."""
        try:
            rows = self._shared.rows(
                "select key_hash, source from evervalue.write_key where revoked_at is null"
            )
        except StorageError as error:
            return error
        self._held = dict(rows)
        return None

    def _add(self, key_hash: bytes, key: WriteKey) -> None:
        with self._lock:
            self._shared.rows(
                "insert into evervalue.write_key values (%s, %s, %s, %s, null)",
                key_hash, key.source, key.shown, key.created_at,
            )  # fmt: skip
            self._asked = None

    def _end(self, shown: str, at: str) -> None:
        with self._lock:
            self._shared.rows(
                "update evervalue.write_key set revoked_at = %s where shown = %s and revoked_at is null",
                at,
                shown,
            )
            self._asked = None
