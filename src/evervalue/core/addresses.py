"""Addresses as somebody sent them."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def split(address: str) -> SplitResult:
    """The parts of an address; none of one that is none.

    >>> split("https://a.example/b").netloc, split("http://[bad").netloc
    ('a.example', '')
    """
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")
