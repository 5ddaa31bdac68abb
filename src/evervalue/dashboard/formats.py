"""Numbers, money and dates in the reader's own notation. Exact values go beside them, in titles and exports."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.core import negotiate_locale
from babel.dates import format_date, format_datetime
from babel.localedata import locale_identifiers
from babel.numbers import (
    format_compact_currency,
    format_compact_decimal,
    format_currency,
    format_decimal,
    format_percent,
)

DEFAULT_LOCALE = "en_US"
NOTHING = "–"
Number = int | float | Decimal


@dataclass(frozen=True)
class Formats:
    """The notation of one reader and one currency."""

    locale: str
    currency: str

    @property
    def language_tag(self) -> str:
        """The locale as browsers write it: en-US."""
        return self.locale.replace("_", "-")

    def number(self, value: Number | None, digits: int = 0) -> str:
        """A count or a measure, with `digits` decimals."""
        if value is None:
            return NOTHING
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return format_decimal(value, format=pattern, locale=self.locale)

    def about(self, value: Number) -> str:
        """A factor with one decimal where it has one: 3, 2.7."""
        return format_decimal(value, format="#,##0.#", locale=self.locale)

    def short_number(self, value: Number | None) -> str:
        """A count that fits on a tile: 99, 12.3K, 1M."""
        if value is None:
            return NOTHING
        if -10_000 < value < 10_000:
            return self.number(value)
        return format_compact_decimal(value, locale=self.locale, fraction_digits=1)

    def money(self, value: Number | None) -> str:
        """Money to the cent (or what the currency has)."""
        return NOTHING if value is None else format_currency(value, self.currency, locale=self.locale)

    def whole_money(self, value: Number | None) -> str:
        """Money without its cents, for tables."""
        if value is None:
            return NOTHING
        pattern = _whole(self.locale)
        return format_currency(
            value, self.currency, locale=self.locale, format=pattern, currency_digits=False
        )

    def short_money(self, value: Number | None) -> str:
        """Money that fits on a tile or a bar: $286.4K."""
        if value is None:
            return NOTHING
        if -1000 < value < 1000:
            return self.whole_money(value)
        return format_compact_currency(value, self.currency, locale=self.locale, fraction_digits=1)

    def exact(self, value: Number | None) -> str:
        """Money to the last digit that is stored, for titles."""
        if value is None:
            return ""
        exponent = value.as_tuple().exponent if isinstance(value, Decimal) else -2
        return f"{self.currency} {self.number(value, max(-int(exponent), 0))}"

    def percent(self, share: Number | None, digits: int = 0) -> str:
        """A share: 0.26 is 26%."""
        if share is None:
            return NOTHING
        pattern = "#,##0" + ("." + "0" * digits if digits else "") + "%"
        own = Locale.parse(self.locale).percent_formats[None].pattern
        return format_percent(share, format=own.replace("#,##0", pattern[:-1]), locale=self.locale)

    def date(self, value: dt.date | None) -> str:
        """A day: Dec 31, 2023."""
        return NOTHING if value is None else format_date(value, format="medium", locale=self.locale)

    def month(self, value: dt.date) -> str:
        """A month: Dec 2023."""
        return format_date(value, format="MMM y", locale=self.locale)

    def moment(self, value: dt.datetime | None) -> str:
        """An instant, in UTC."""
        return (
            NOTHING if value is None else format_datetime(value, format="medium", locale=self.locale) + " UTC"
        )


@lru_cache(maxsize=64)
def _whole(locale: str) -> str:
    """The locale's currency pattern without decimals."""
    return str(Locale.parse(locale).currency_formats["standard"].pattern).replace(".00", "")


@lru_cache(maxsize=256)
def locale_of(accept_language: str) -> str:
    """The known locale that an Accept-Language header likes best.

    >>> locale_of("de-CH,de;q=0.9,en;q=0.8"), locale_of("xx"), locale_of("")
    ('de_CH', 'en_US', 'en_US')
    """
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:500].split(",")):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        if tag and tag != "*" and weight > 0:
            wanted.append((-weight, place, tag.replace("-", "_")))
    names = [tag for _, _, tag in sorted(wanted)]
    found = negotiate_locale(names, _known(), sep="_")
    try:
        chosen = Locale.parse(found or DEFAULT_LOCALE)
    except (UnknownLocaleError, ValueError):
        return DEFAULT_LOCALE
    return DEFAULT_LOCALE if str(chosen) == "en" else str(chosen)


@lru_cache(maxsize=1)
def _known() -> tuple[str, ...]:
    return tuple(locale_identifiers())
