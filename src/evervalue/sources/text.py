"""How a text file is written: compression, encoding, line ends, and a count of its rows that no parser made."""

from __future__ import annotations

import codecs
import errno
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import zstandard

from evervalue.core.errors import InputError, StorageError
from evervalue.sources.files import BLOCK, FoundFile

UNDEFINED_IN_CP1252 = frozenset((0x81, 0x8D, 0x8F, 0x90, 0x9D))
ASCII = bytes(range(128))
ZSTD_BLOCK = 1 << 14
"""Packed bytes unpacked at a time, so that what a well packed file unpacks to still fits the memory."""
BLANK_LINE = re.compile(rb"\n(?=\r?\n)")


@dataclass(frozen=True)
class TextFacts:
    """What one pass over the bytes of a text file found."""

    encoding: str
    has_bom: bool
    regular: bool
    """Valid in its encoding, one kind of line end, no NUL, every quote closed: a fast parser reads it as it is."""
    rows: int
    """Lines that are not blank, outside quotes, the header not counted; right where quotes are well formed."""


@contextmanager
def opened(file: FoundFile) -> Iterator[IO[bytes]]:
    """The unpacked bytes of a file; a damaged archive becomes an error that says so."""
    try:
        with file.path.open("rb") as plain:
            if file.compression == "gzip":
                with gzip.GzipFile(fileobj=plain) as unpacked:
                    yield io.BufferedReader(unpacked, BLOCK)
            elif file.compression == "zstd":
                yield io.BufferedReader(_Zstd(plain), BLOCK)
            else:
                yield plain
    except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        raise InputError(
            f"{file.shown} ({file.bytes:,} bytes) cannot be unpacked: {str(error).lower() or 'it is damaged'}. It was "
            "probably cut off while it was copied; fetch it again. None of its rows was taken."
        ) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"The disk is full: {file.shown} needs room for a copy while it is read. Make room, or set "
                "EVERVALUE_TEMP_DIRECTORY to a larger disk. Nothing was changed."
            ) from None
        raise InputError(f"{file.shown} cannot be read ({(error.strerror or str(error)).lower()}).") from None


class _Zstd(io.RawIOBase):
    """The unpacked bytes of zstd frames; unlike the library's reader, it says when the last frame was cut off."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._rest = self._ready = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, target: Any) -> int:
        """The next bytes.

        Raises
        ------
        EOFError
            The file ends inside a frame.
        """
        view = memoryview(target).cast("B")
        while not self._ready:
            some = self._rest or self._packed.read(ZSTD_BLOCK)
            if not some:
                if self._begun:
                    raise EOFError("the file ends before its last block does")
                return 0
            self._begun, self._ready, self._rest = True, self._frame.decompress(some), b""
            if self._frame.eof:
                self._rest = self._frame.unused_data
                self._frame = zstandard.ZstdDecompressor().decompressobj()
                self._begun = False
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


def text_facts(file: FoundFile, encoding: str | None, quote: str | None) -> TextFacts:
    """Encoding, line ends and rows of a text file, from its bytes alone.

    `encoding` is the setting; without it a mark at the start decides, then the pattern of NUL bytes (UTF-16), then
    whether the bytes are UTF-8. Bytes that are not UTF-8 mean Windows-1252, or Latin-1 where that has no such
    byte, unless most of what lies outside ASCII is UTF-8: then it is UTF-8 with damaged rows.
    """
    with opened(file) as stream:
        start = stream.read(4096)
    named, bom = _marked(start)
    settled = encoding or named or _nul_pattern(start)
    settled = codecs.lookup(settled).name if settled else None
    if settled == "utf-8-sig":
        settled = "utf-8"
    if settled and settled not in ("utf-8", "ascii") and not _ascii_based(settled):
        return TextFacts(settled, bom > 0, regular=False, rows=-1)
    scan = _Scan((quote if quote is not None else '"').encode())
    with opened(file) as stream:
        while block := stream.read(BLOCK):
            scan.add(block)
    scan.end()
    if settled is None or settled == "ascii":
        settled = scan.best_encoding()
    valid = scan.invalid == 0 if settled == "utf-8" else True
    return TextFacts(settled, bom > 0, valid and scan.regular, scan.lines - 1)


def transcoded(file: FoundFile, facts: TextFacts, target: Path) -> None:
    """Write the file's text to `target`, unpacked and in UTF-8 without a mark. For regular files."""
    decoder = codecs.getincrementaldecoder(facts.encoding)("strict")
    with opened(file) as stream, target.open("wb") as out:
        first = True
        while block := stream.read(BLOCK):
            text = decoder.decode(block)
            out.write((text.removeprefix("\ufeff") if first else text).encode())
            first = False
        out.write(decoder.decode(b"", True).encode())


@contextmanager
def text_lines(file: FoundFile, encoding: str) -> Iterator[Iterator[str]]:
    """The physical lines of a file with their line ends; bytes that do not fit the encoding become surrogates."""
    with opened(file) as stream:
        wrapped = io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
        try:
            yield _without_mark(wrapped)
        except UnicodeError as error:
            raise InputError(
                f"{file.shown} cannot be read as {encoding} ({error}). Name its encoding in the setting `encoding`."
            ) from None
        finally:
            wrapped.detach()


def _without_mark(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield line.removeprefix("\ufeff") if number == 0 else line


def _marked(start: bytes) -> tuple[str | None, int]:
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if start.startswith(mark):
            return name, len(mark)
    return None, 0


def _nul_pattern(start: bytes) -> str | None:
    """UTF-16 without a mark shows as a NUL in nearly every second byte."""
    half = len(start) // 2
    if half < 8:
        return None
    even, odd = start[0 : 2 * half : 2].count(0), start[1 : 2 * half : 2].count(0)
    if odd > 0.7 * half and even < 0.1 * half:
        return "utf-16-le"
    if even > 0.7 * half and odd < 0.1 * half:
        return "utf-16-be"
    return None


def _ascii_based(encoding: str) -> bool:
    try:
        return '",;\t\n\r\0a1'.encode(encoding) == b'",;\t\n\r\0a1'
    except (UnicodeError, LookupError):
        return False


class _Scan:
    """One pass over bytes in an encoding that contains ASCII."""

    def __init__(self, quote: bytes) -> None:
        self.lines = 0
        self.invalid = 0
        self._beyond_ascii = 0
        self._high_bytes: set[int] = set()
        self._quote = quote
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._quoted = False
        self._carry = b""
        self._nul = self._begins_blank = False
        self._lone_cr = self._crlf = self._lf = False
        self._first = True

    def add(self, block: bytes) -> None:
        """Take in the next block."""
        if not block.isascii() or self._decoder.getstate()[0]:
            text = self._decoder.decode(block)
            self._weigh(text)
            self._high_bytes.update(b for b in set(block) if b > 127)
        self._nul = self._nul or b"\0" in block
        data = self._carry + block
        cut = data.rfind(b"\n") + 1
        self._carry = data[cut:]
        if cut:
            self._count(data[:cut])

    def end(self) -> None:
        """The last line need not end in a line end."""
        self._weigh(self._decoder.decode(b"", True))
        if self._carry.strip(b"\r\n"):
            self._count(self._carry + b"\n", added=True)

    @property
    def regular(self) -> bool:
        """Whether a fast parser can be trusted: no NUL, one kind of line end, every quote closed."""
        mixed = self._crlf and self._lf
        return not (self._nul or self._lone_cr or self._begins_blank or mixed or self._quoted)

    def best_encoding(self) -> str:
        """UTF-8 unless most of what lies beyond ASCII is not."""
        if self.invalid == 0 or self._beyond_ascii > self.invalid:
            return "utf-8"
        return "latin-1" if self._high_bytes & UNDEFINED_IN_CP1252 else "cp1252"

    def _weigh(self, text: str) -> None:
        if not text.isascii():
            kept = text.encode("utf-8", "ignore")
            bad = len(text) - len(kept.decode())
            self.invalid += bad
            self._beyond_ascii += len(kept.translate(None, ASCII))

    def _count(self, data: bytes, added: bool = False) -> None:
        if self._first:
            self._first = False
            self._begins_blank = data.removeprefix(codecs.BOM_UTF8)[:1] in (b"\n", b"\r")
        elif not self._quoted and (data.startswith((b"\n", b"\r\n"))):
            self.lines -= 1
        ends, pairs = data.count(b"\n"), data.count(b"\r\n")
        if not added:
            self._crlf = self._crlf or pairs > 0
            self._lf = self._lf or ends > pairs
        self._lone_cr = self._lone_cr or data.count(b"\r") > pairs
        blanks = b"\n\n" in data or b"\n\r\n" in data
        pieces = data.split(self._quote) if self._quote else [data]
        for number, piece in enumerate(pieces):
            if (number % 2 == 0) != self._quoted:
                self.lines += piece.count(b"\n")
                if blanks:
                    self.lines -= len(BLANK_LINE.findall(piece))
        self._quoted ^= len(pieces) % 2 == 0
