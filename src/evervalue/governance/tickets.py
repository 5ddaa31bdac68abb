"""What somebody shows to be let in: 256 random bits, of which only a hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets

BYTES = 32


def ticket() -> str:
    """A new one, as text for a cookie, a link or a header.

    >>> len(ticket())
    43
    """
    return secrets.token_urlsafe(BYTES)


def kept(shown: str) -> str:
    """What is kept of one; 256 random bits need nothing slower against guessing.

    >>> kept("a")[:12]
    'ca978112ca1b'
    """
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()


def signed(secret: bytes, purpose: str, text: str) -> str:
    """A mark on a text that only who holds the server's secret can make, for one purpose alone."""
    return hmac.new(secret, f"{purpose}\n{text}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two texts are equal, told in a time that says nothing about where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
