"""The format of an output: asked for, or by the name's ending; a name that says none is refused, not written as CSV."""

from __future__ import annotations

from pathlib import Path

import pytest

from evervalue.cli.export import chosen_format
from evervalue.core.errors import SettingsError


@pytest.mark.parametrize("name", ["o.xyz", "o", "o.csv.gz", "o.table"])
def test_an_ending_that_is_no_format_is_refused(name: str) -> None:
    with pytest.raises(
        SettingsError, match=r"ends in \.csv, \.json or \.parquet, or say which with --format"
    ):
        chosen_format(None, Path(name))


@pytest.mark.parametrize(
    ("asked", "name", "chosen"),
    [(None, "o.CSV", "csv"), (None, "o.json", "json"), (None, "o.parquet", "parquet"), ("csv", "o.txt", "csv"),
     (None, None, "table")],
)  # fmt: skip
def test_the_format_that_is_written(asked: str | None, name: str | None, chosen: str) -> None:
    assert chosen_format(asked, Path(name) if name else None) == chosen
