"""What a contact emits: every figure has its source, and the ranges rise."""

from __future__ import annotations

from decimal import Decimal
from typing import get_args

import pytest

from evervalue.actions.factors import factors, read_factors
from evervalue.api.queries.targeting import Channel
from evervalue.core.errors import InputError

ONE = """
version = "1"
unit = "g"
[[factor]]
channel = "letter"
name = "Letter"
low = { grams = "1", year = 2001, source = "A", url = "https://example.org/a" }
central = { grams = "2", year = 2002, source = "B", url = "https://example.org/b" }
high = { grams = "3", year = 2003, source = "C", assumption = true }
"""


def test_every_channel_that_can_be_asked_for_has_a_cited_range() -> None:
    found = factors()
    assert {f.channel for f in found.factors} == set(get_args(Channel))
    for factor in found.factors:
        for level, figure in factor.figures():
            assert figure.source, (factor.channel, level)
            assert 2000 <= figure.year <= 2026
            assert figure.url.startswith("http") or figure.assumption


def test_kilograms_are_exact() -> None:
    letter = read_factors(ONE).of("letter")
    assert letter.kilograms(1_500) == {"low": Decimal("1.5"), "central": Decimal("3"), "high": Decimal("4.5")}


def test_an_unknown_channel_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="no channel 'fax'.*letter"):
        read_factors(ONE).of("fax")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('source = "A"', 'source = ""', "'low' of 'letter' lacks source"),
        ("year = 2002, ", "", "'central' of 'letter' lacks year"),
        (", assumption = true", "", "'high' of 'letter' lacks url"),
        ('grams = "1"', 'grams = "9"', "'letter' do not rise"),
    ],
)
def test_a_figure_without_its_source_is_refused(old: str, new: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_factors(ONE.replace(old, new))
