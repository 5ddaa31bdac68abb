"""Numbers, money and dates in the reader's own notation. Exact values go beside them, in titles and exports."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.core import negotiate_locale
from babel.dates import format_date, format_datetime, format_skeleton
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
WRITTEN = 8192
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
        return NOTHING if value is None else _number(self.locale, value, digits)

    def about(self, value: Number) -> str:
        """A factor with one decimal where it has one: 3, 2.7."""
        return format_decimal(value, format="#,##0.#", locale=_locale(self.locale))

    def short_number(self, value: Number | None) -> str:
        """A count that fits on a tile: 99, 12.3K, 1M."""
        if value is None:
            return NOTHING
        if -10_000 < value < 10_000:
            return self.number(value)
        return format_compact_decimal(value, locale=_locale(self.locale), fraction_digits=1)

    def money(self, value: Number | None) -> str:
        """Money to the cent (or what the currency has)."""
        return NOTHING if value is None else _money(self.locale, self.currency, value)

    def whole_money(self, value: Number | None) -> str:
        """Money without its cents, for tables."""
        return NOTHING if value is None else _whole_money(self.locale, self.currency, value)

    def short_money(self, value: Number | None) -> str:
        """Money that fits on a tile or a bar: $286.4K."""
        if value is None:
            return NOTHING
        if -1000 < value < 1000:
            return self.whole_money(value)
        return _short_money(self.locale, self.currency, value)

    def exact(self, value: Number | None) -> str:
        """Money to the last digit that is stored, for titles."""
        if value is None:
            return ""
        exponent = value.as_tuple().exponent if isinstance(value, Decimal) else -2
        return f"{self.currency} {self.number(value, max(-int(exponent), 0))}"

    def percent(self, share: Number | None, digits: int = 0) -> str:
        """A share: 0.26 is 26%."""
        return NOTHING if share is None else _percent(self.locale, share, digits)

    def date(self, value: dt.date | None) -> str:
        """A day: Dec 31, 2023."""
        return NOTHING if value is None else _date(self.locale, value, "medium")

    def month(self, value: dt.date) -> str:
        """A month: Dec 2023."""
        return _date(self.locale, value, "MMM y")

    def moment(self, value: dt.datetime | None, *, short: bool = False) -> str:
        """An instant, in UTC; `short` leaves out year and seconds, for axes."""
        if value is None:
            return NOTHING
        if short:
            day, hour = (format_skeleton(part, value, locale=_locale(self.locale)) for part in ("MMMd", "Hm"))
            return f"{day} {hour}"
        return format_datetime(value, format="medium", locale=_locale(self.locale)) + " UTC"

    def moment_of(self, stamp: str) -> str:
        """An instant as the state keeps it ('2024-01-02T03:04:05Z'), to the minute, in UTC."""
        value = dt.datetime.fromisoformat(stamp).replace(tzinfo=None)
        return format_datetime(value, format="short", locale=_locale(self.locale)) + " UTC"


# A page writes hundreds of numbers, and a snapshot's numbers come again and again: they are written once.


@lru_cache(maxsize=64)
def _locale(name: str) -> Locale:
    return Locale.parse(name)


@lru_cache(maxsize=WRITTEN)
def _number(locale: str, value: Number, digits: int) -> str:
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return format_decimal(value, format=pattern, locale=_locale(locale))


@lru_cache(maxsize=WRITTEN)
def _money(locale: str, currency: str, value: Number) -> str:
    return format_currency(value, currency, locale=_locale(locale))


@lru_cache(maxsize=WRITTEN)
def _whole_money(locale: str, currency: str, value: Number) -> str:
    pattern = _whole_pattern(locale)
    return format_currency(value, currency, locale=_locale(locale), format=pattern, currency_digits=False)


@lru_cache(maxsize=WRITTEN)
def _short_money(locale: str, currency: str, value: Number) -> str:
    return format_compact_currency(value, currency, locale=_locale(locale), fraction_digits=1)


@lru_cache(maxsize=WRITTEN)
def _percent(locale: str, share: Number, digits: int) -> str:
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    own = str(_locale(locale).percent_formats[None].pattern)
    return format_percent(share, format=own.replace("#,##0", pattern), locale=_locale(locale))


@lru_cache(maxsize=WRITTEN)
def _date(locale: str, value: dt.date, pattern: str) -> str:
    return format_date(value, format=pattern, locale=_locale(locale))


@lru_cache(maxsize=64)
def _whole_pattern(locale: str) -> str:
    """The locale's currency pattern without decimals."""
    return str(_locale(locale).currency_formats["standard"].pattern).replace(".00", "")


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
