"""How many of a currency's smallest units make one: what amounts that payment systems count in them are divided by."""

from __future__ import annotations

from evervalue.warehouse.duckdb import literal

WHOLE = (
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
)  # fmt: skip
"""Currencies that are counted as they are."""

THOUSANDTHS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
"""Currencies of which a thousandth is counted."""


def exponent(currency: str) -> int:
    """Decimals of a currency's smallest unit, as payment systems count it: 2 for dollars, 0 for yen, 3 for dinars.

    ISO 4217, but for three of which the payment systems keep their own count: the krona of Iceland and the shilling of
    Uganda have none and are counted in hundredths all the same, the ariary of Madagascar is counted whole.
    """
    return 0 if currency in WHOLE else 3 if currency in THOUSANDTHS else 2


def exponent_sql(currency: str) -> str:
    """The same as SQL, over SQL of a three-letter code."""
    whole, thousandths = (", ".join(map(literal, codes)) for codes in (WHOLE, THOUSANDTHS))
    return f"(case when {currency} in ({whole}) then 0 when {currency} in ({thousandths}) then 3 else 2 end)"
