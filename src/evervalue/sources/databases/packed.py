"""Rows on their way to a file: gathered, packed, counted."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import zstandard

from evervalue.core.errors import StorageError

BLOCK = 1 << 20
FILLER = "1"
"""Second cell of tables of one column: a row that is NULL would be an empty line else, which is no row."""
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO, errno.ENOENT, errno.EFBIG)


class PackedFile:
    """A file being written. `write` takes whole rows."""

    def __init__(self, compressor: zstandard.ZstdCompressionWriter) -> None:
        self._out = compressor
        self._held = bytearray()
        self.rows = 0
        self.bytes = 0
        self.longest = 0

    def header(self, columns: int) -> None:
        """A first line that nobody reads, so that a row can begin with anything."""
        self._held += b",".join([b"c"] * (columns + (columns == 1))) + b"\n"

    def write(self, row: bytes | memoryview) -> None:
        """One row, with its end of line."""
        held = self._held
        held += row
        length = len(row)
        self.rows += 1
        self.bytes += length
        if length > self.longest:
            self.longest = length
        if len(held) >= BLOCK:
            self.flush()

    def write_all(self, rows: Sequence[bytes | memoryview]) -> None:
        """Several rows, each with its end of line."""
        joined = b"".join(rows)
        self._held += joined
        self.rows += len(rows)
        self.bytes += len(joined)
        self.longest = max(self.longest, max(map(len, rows)))
        if len(self._held) >= BLOCK:
            self.flush()

    def flush(self) -> None:
        """Hands over what was gathered."""
        self._out.write(self._held)
        self._held = bytearray()


@contextmanager
def packed(path: Path) -> Iterator[PackedFile]:
    """A file to write rows into; it stands under `path` only once it is whole.

    Raises
    ------
    StorageError
        The disk is full, or does not let us write.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            part.chmod(0o600)
            with zstandard.ZstdCompressor(level=1, write_checksum=True).stream_writer(
                file, closefd=False
            ) as out:
                made = PackedFile(out)
                yield made
                made.flush()
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        if error.errno not in OF_THE_DISK:
            raise
        raise StorageError(f"Cannot write {path.name} to {path.parent}: {error.strerror or error}.") from None
    except BaseException:
        part.unlink(missing_ok=True)
        raise
