"""Texts of a binary log, which come as bytes in each column's character set, decoded as the server would.

Python's codecs are not the server's: `utf16` in MySQL begins with the high byte, `latin1` has letters where cp1252 has
none, some sets Python does not know. Of sets with one byte a letter the server is asked what each byte is.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any

PREFIX = "evervalue_"
SAME = {
    "utf8": "utf_8", "utf8mb3": "utf_8", "utf8mb4": "utf_8", "utf16": "utf_16_be", "ucs2": "utf_16_be",
    "utf16le": "utf_16_le", "utf32": "utf_32_be", "gb2312": "gb2312", "gbk": "gbk", "cp932": "cp932",
}  # fmt: skip
"""Character sets that Python reads alike, every character of two bytes compared; big5, sjis, euckr, ujis are not."""
_tables: dict[str, str] = {}


def codec(collation: str, ask: Callable[[str], Any]) -> str | None:
    """The name of Python's codec for texts of a collation; None where there is none that reads all as the server does.

    `ask` gives the first row of an answer of the server.
    """
    charset = collation.partition("_")[0].lower()
    if charset in SAME:
        return SAME[charset]
    name = f"{PREFIX}{charset}"
    if name not in _tables:
        row = ask(
            f"select maxlen from information_schema.character_sets where character_set_name = '{charset}'"
        )
        if row is None or int(row[0]) != 1:
            return None
        _tables[name] = _letters(charset, ask)
    return name


def _letters(charset: str, ask: Callable[[str], Any]) -> str:
    """What each byte is."""
    each = ", ".join(
        f"hex(convert(convert(x'{byte:02x}' using {charset}) using utf8mb4))" for byte in range(256)
    )
    found = [bytes.fromhex(cell or "").decode() for cell in ask(f"select {each}")]
    return "".join(letter if len(letter) == 1 else "?" for letter in found)


def _find(name: str) -> codecs.CodecInfo | None:
    table = _tables.get(name)
    if table is None:
        return None

    def decode(data: Any, errors: str = "strict") -> tuple[str, int]:
        return codecs.charmap_decode(data, errors, table)

    def encode(text: str, errors: str = "strict") -> tuple[bytes, int]:
        return codecs.charmap_encode(text, errors, codecs.charmap_build(table))

    return codecs.CodecInfo(encode, decode, name=name)


codecs.register(_find)
