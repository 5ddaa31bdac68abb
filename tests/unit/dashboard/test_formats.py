"""Numbers, money and dates in several notations."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from evervalue.dashboard.formats import Formats, locale_of

US, DE, JP = Formats("en_US", "USD"), Formats("de_DE", "EUR"), Formats("ja_JP", "JPY")


def test_money() -> None:
    assert US.money(Decimal("10308.6297")) == "$10,308.63"
    assert US.whole_money(Decimal("-111.5")) == "-$112"
    assert US.short_money(Decimal("286397.0217")) == "$286.4K"
    assert US.short_money(Decimal("940.2")) == "$940"
    assert DE.whole_money(Decimal("10308.6297")) == "10.309\xa0€"
    assert JP.money(Decimal("1200")) == "￥1,200"
    assert US.exact(Decimal("10308.6297")) == "USD 10,308.6297"
    assert US.money(None) == US.whole_money(None) == US.short_money(None) == "–"
    assert US.exact(None) == ""


def test_numbers_and_shares() -> None:
    assert US.number(1368) == "1,368"
    assert US.number(2.65, 1) == "2.6"
    assert DE.number(1368.5, 1) == "1.368,5"
    assert (US.about(3.02), US.about(2.66)) == ("3", "2.7")
    assert US.short_number(9999) == "9,999"
    assert US.short_number(1_234_567) == "1.2M"
    assert US.percent(0.2571, 1) == "25.7%"
    assert DE.percent(Decimal("0.43")) == "43\xa0%"
    assert US.percent(None) == "–"


def test_dates() -> None:
    assert US.date(date(2023, 12, 31)) == "Dec 31, 2023"
    assert Formats("en_GB", "GBP").date(date(2023, 12, 31)) == "31 Dec 2023"
    assert DE.month(date(2023, 12, 1)) == "Dez. 2023"
    assert US.date(None) == "–"


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("en-GB,en;q=0.9", "en_GB"),
        ("en", "en_US"),
        ("fr;q=0.5,de;q=0.8", "de"),
        ("xx-YY", "en_US"),
        ("*", "en_US"),
        ("de;q=zero,fr", "fr"),
        ("../../etc;q=1", "en_US"),
        ("zh-Hant-TW", "zh_Hant_TW"),
    ],
)
def test_the_reader_says_which_notation(header: str, locale: str) -> None:
    assert locale_of(header) == locale


@pytest.mark.parametrize("locale", ["en_US", "de_CH", "fr", "ar_EG", "hi_IN", "sv_SE", "zh_Hant_TW"])
@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD", "XXX"])
def test_every_notation_writes_everything(locale: str, currency: str) -> None:
    formats = Formats(locale, currency)
    for value in (Decimal("-1234567.8912"), Decimal(0), 0.5, 10**9):
        for written in (formats.money(value), formats.whole_money(value), formats.short_money(value)):
            assert any(c.isdigit() for c in written)
    assert formats.percent(0.5)
    assert formats.date(date(2024, 2, 29))
