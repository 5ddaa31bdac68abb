"""Which records of a numbered stream were read, where a server may deliver them out of order, and again."""

from __future__ import annotations

from bisect import bisect_right
from typing import Self


class Numbers:
    """A set of numbers from 1 up, kept as ranges: everything up to a floor, and spans above it.

    >>> read = Numbers.of("7 10-12")
    >>> 5 in read, 8 in read, 11 in read
    (True, False, True)
    >>> for n in (8, 9):
    ...     read.add(n)
    >>> str(read)
    '12'
    """

    def __init__(self, floor: int = 0) -> None:
        self._first: list[int] = [0]
        self._last: list[int] = [floor]

    @classmethod
    def of(cls, text: str) -> Self:
        """The set that `str` wrote."""
        floor, *spans = text.split()
        found = cls(int(floor))
        for span in spans:
            first, _, last = span.partition("-")
            found._first.append(int(first))
            found._last.append(int(last or first))
        return found

    def __str__(self) -> str:
        spans = [
            f"{a}" if a == b else f"{a}-{b}" for a, b in zip(self._first[1:], self._last[1:], strict=True)
        ]
        return " ".join([str(self._last[0]), *spans])

    def __contains__(self, n: int) -> bool:
        return n <= self._last[bisect_right(self._first, n) - 1]

    @property
    def last(self) -> int:
        """The highest of them."""
        return self._last[-1]

    def add(self, n: int) -> None:
        """Take a number in."""
        at = bisect_right(self._first, n) - 1
        if n <= self._last[at]:
            return
        joins_next = at + 1 < len(self._first) and self._first[at + 1] == n + 1
        if self._last[at] == n - 1:
            self._last[at] = n
            if joins_next:
                self._last[at] = self._last.pop(at + 1)
                del self._first[at + 1]
        elif joins_next:
            self._first[at + 1] = n
        else:
            self._first.insert(at + 1, n)
            self._last.insert(at + 1, n)

    def fill(self, floor: int) -> None:
        """Take in everything up to a number: none of it will come again."""
        if floor <= self._last[0]:
            return
        at = bisect_right(self._first, floor + 1) - 1  # the last span that the floor reaches or touches
        self._last[: at + 1] = [max(floor, self._last[at])]
        self._first[: at + 1] = [0]
