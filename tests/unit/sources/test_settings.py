"""Settings that the engine or Python would choke on are refused in our words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from evervalue.core.errors import SettingsError
from evervalue.sources.mapping_settings import DATE_PARTS
from evervalue.sources.raw_zone import heads
from evervalue.sources.settings import RESERVED_NAMES, files_source
from evervalue.warehouse.duckdb import connect
from tests.support.sources import COLUMNS


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"encoding": "rot13"}, "sources.sales.encoding: 'rot13' is not an encoding of text"),
        ({"encoding": "base64"}, "sources.sales.encoding: 'base64' is not an encoding of text"),
        ({"encoding": "undefined"}, "'undefined' is not an encoding"),
        ({"encoding": "utf\0"}, "is not an encoding"),
        (
            {"path": "~nosuchuser/x"},
            "sources.sales.path: '~nosuchuser/x' names a home folder that is not known",
        ),
        ({"path": "a\0b"}, "sources.sales.path: the path holds a NUL"),
        ({"kinds": {"return": {"column": "amount", "below": float("nan")}}}, "kinds.return.below: "),
        ({"kinds": {"return": {"column": "amount", "below": float("-inf")}}}, "kinds.return.below: "),
        ({"date_format": "%Q%"}, "sources.sales.date_format: '%Q' in '%Q%' is no part of a date"),
        ({"date_format": "%d/%m/%Y %"}, "'%' in '%d/%m/%Y %' is no part of a date"),
    ],
)
def test_settings_are_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(says)):
        files_source("sales", {"path": "sales.csv", "columns": COLUMNS, **values})


@pytest.mark.parametrize(
    "values",
    [
        {"encoding": "CP1252"},
        {"date_format": "%-d/%-m/%Y %H:%M %p%%"},
        {"kinds": {"return": {"column": "amount", "below": -0.5}}},
    ],
)
def test_settings_are_taken(values: dict[str, Any]) -> None:
    files_source("sales", {"path": "sales.csv", "columns": COLUMNS, **values})


@pytest.mark.parametrize("part", sorted(DATE_PARTS))
def test_the_engine_reads_every_part_of_a_date_that_may_be_set(part: str) -> None:
    con = connect()
    assert con.execute(f"select try_strptime('x', '{part}')").fetchone() is not None


def test_no_source_is_called_as_a_table_of_the_raw_zone() -> None:
    tables = {head.table.removeprefix("raw.") for head in heads() if head.table.startswith("raw.")}
    assert tables == RESERVED_NAMES
