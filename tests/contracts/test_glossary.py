"""The glossary is what the heads say."""

from __future__ import annotations

from pathlib import Path

from evervalue.pipeline.glossary import glossary
from evervalue.pipeline.tables import all_models

ROOT = Path(__file__).parents[2]


def test_the_glossary_is_up_to_date() -> None:
    found = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    assert found == glossary(), "run: evervalue glossary -o docs/glossary.md"


def test_units_of_time_end_the_names_of_columns() -> None:
    wrong = [
        f"{m.name}.{name}"
        for m in all_models()
        for name, column in m.head.columns.items()
        if column.unit == "day" and not name.endswith("_days")
    ]
    assert not wrong


def test_money_is_decimal_in_every_table() -> None:
    wrong = [
        f"{m.name}.{name} is {column.type}"
        for m in all_models()
        for name, column in m.head.columns.items()
        if column.unit == "currency" and not column.type.startswith("decimal")
    ]
    assert not wrong
