"""Money in Python: decimals of four places, as tables hold it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

PLACES = Decimal("0.0001")
WIDE = Context(prec=60, rounding=ROUND_HALF_UP)
"""Wider than any sum of amounts, so that nothing is rounded on the way."""


def rounded(amount: Decimal) -> Decimal:
    """An amount to four places, half away from zero."""
    return amount.quantize(PLACES, ROUND_HALF_UP, WIDE)


def divided(amount: Decimal, n: int) -> Decimal:
    """An amount shared by a whole number above 0, to four places, half away from zero: `money_divide` of the tables.

    Examples
    --------
    >>> divided(Decimal("-0.0001"), 2)
    Decimal('-0.0001')
    """
    ticks = int(amount.scaleb(4, WIDE))
    whole = (2 * abs(ticks) + n) // (2 * n)
    return Decimal(whole if ticks >= 0 else -whole).scaleb(-4, WIDE)
