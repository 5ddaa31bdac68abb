"""Who is let in, remembered for a moment: the keys are asked once a second for each, not once a request."""

from __future__ import annotations

REMEMBERED_SECONDS = 1.0
"""How long a key that was revoked may still let in."""
MOST = 1000


class Remembered:
    """Sources by the Authorization header that led to them. Who is not known is asked about every time.

    Parameters
    ----------
    seconds
        How long an answer is good.
    """

    def __init__(self, seconds: float = REMEMBERED_SECONDS) -> None:
        self.seconds = seconds
        self._let_in: dict[bytes, tuple[str, float]] = {}

    def known(self, header: bytes, now: float) -> str | None:
        """The source that a header led to a moment ago (`now` and `let_in` by one clock, in seconds)."""
        found = self._let_in.get(header)
        return found[0] if found is not None and now < found[1] else None

    def let_in(self, header: bytes, source: str, now: float) -> None:
        """Remember where a header led."""
        if len(self._let_in) >= MOST:  # a key has many spellings: "key:" and anything
            self._let_in.clear()
        self._let_in[header] = (source, now + self.seconds)
