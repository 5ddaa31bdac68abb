"""Scores that others published come out of a run, to the last digit."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

from tests.support.projects import published, run_project, saas_project


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def scores(folder: Path, columns: list[str]) -> dict[str, tuple[str, ...]]:
    """Every customer's columns, as text."""
    selected = ", ".join(f"{name}::text" for name in columns)
    return {row[0]: row for row in published(folder, f"SELECT {selected} FROM customers.lrfm")}


def test_saas_top_ten(data_dir: Path, tmp_path: Path) -> None:
    """The study's table: customers, profits, the four scores and the tier."""
    expected = rows(data_dir / "saas_top10.csv")
    run_project(saas_project(tmp_path / "saas"))

    found = scores(tmp_path / "saas", list(expected[0]))
    best = sorted(found.values(), key=lambda row: float(row[1]), reverse=True)[:10]
    assert best == [tuple(row.values()) for row in expected]


def test_saas_headline(tmp_path: Path) -> None:
    run_project(saas_project(tmp_path / "saas"))
    headline = published(
        tmp_path / "saas",
        "SELECT customers, high_value, mid_value, low_value, top10_mid, top20_mid, gems, monetary::text, revenue::text"
        " FROM insight.headline",
    )
    assert headline == [(99, 14, 43, 42, 5, 11, 14, "286397.0217", "2297200.8603")]


def test_rfm_package(data_dir: Path, tmp_path: Path) -> None:
    """Five bins with shared scores give what the documentation of the R package rfm prints."""
    folder = Path(shutil.copytree(data_dir / "rfm_reference", tmp_path / "rfm"))
    run_project(folder)

    expected = rows(folder / "published_scores.csv")
    found = scores(folder, list(expected[0]))
    assert len(found) == 995
    for row in expected:
        assert found[row["customer"]] == (
            *list(row.values())[:3],
            f"{row['monetary']}.0000",
            *list(row.values())[4:],
        )
