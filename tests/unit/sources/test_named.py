"""A project begun with what lies in a bucket: the settings are those of local files, and little is fetched for them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evervalue.cli import (
    app,
    project_commands,  # noqa: F401 - it registers
)
from evervalue.core.errors import InputError, SourceUnavailable
from evervalue.pipeline.start import start_project
from tests.support.s3 import Store
from tests.support.sources import Warehouse
from tests.unit.sources.test_guess_tables import SHOP

SALES = "Order,Date,Customer ID,Customer,Revenue\n" + "".join(
    f"{n},2024-{n % 12 + 1:02}-{n % 28 + 1:02},K{n % 7},Name {n % 7},{n}.50\n" for n in range(1, 61)
)


def begun(folder: Path, sources: str | Path | Sequence[str | Path]) -> tuple[dict[str, Any], str]:
    """The settings that were written, and their text."""
    text = start_project(folder, sources).file.read_text("utf-8")
    return tomllib.loads(text), text


def test_one_object_is_looked_at_as_a_file_is(s3: Store, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(SALES, "utf-8")
    s3.put("in/sales.csv", SALES)
    there, text = begun(tmp_path / "a", "s3://crm/in/sales.csv")
    here, same = begun(tmp_path / "b" / "a", tmp_path / "sales.csv")
    assert there["sources"]["sales"].pop("path") == "s3://crm/in/sales.csv"
    assert here["sources"]["sales"].pop("path") == "../../sales.csv"
    assert there == here
    assert there["sources"]["sales"]["columns"]["amount"] == "Revenue"
    assert "looking at sales.csv (60 rows)" in text
    assert "looking at sales.csv (60 rows)" in same
    assert s3.fetched() == ["in/sales.csv"]


def test_of_objects_that_differ_in_digits_one_is_fetched_and_the_pattern_is_kept(
    s3: Store, tmp_path: Path
) -> None:
    for month in range(1, 13):
        s3.put(f"in/sales-2024-{month:02}.csv", SALES.replace("2024-", f"{2012 + month}-"))
    settings, text = begun(tmp_path / "p", "s3://crm/in/*.csv")
    assert s3.fetched() == ["in/sales-2024-01.csv"]
    source = settings["sources"]["sales"]
    assert (source["path"], source["columns"]["order_id"]) == ("s3://crm/in/*.csv", "Order")
    assert "(its first 60 rows)" in text
    warehouse = Warehouse(tmp_path)
    report = warehouse.load_all({"sales": source}).sources["sales"]
    assert (report.rows_read, report.rows_mapped) == (720, 720)


def test_several_tables_of_a_bucket_are_looked_up_in_one_another(s3: Store, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, text in SHOP.items():
        s3.put(f"shop/{name}", text)
        (tmp_path / "in" / name).write_text(text, "utf-8")
    there, _ = begun(tmp_path / "a", "s3://crm/shop/")
    assert sorted(s3.fetched()) == sorted(f"shop/{name}" for name in SHOP)
    here, _ = begun(tmp_path / "b", tmp_path / "in")
    for name, table in there["sources"]["sales"]["tables"].items():
        assert table.pop("path") == f"s3://crm/shop/{name}.csv"
        assert here["sources"]["sales"]["tables"][name].pop("path") == f"../in/{name}.csv"
    assert there | {"project": here["project"]} == here


def test_parts_of_a_table_beside_others_are_named_by_a_pattern(s3: Store, tmp_path: Path) -> None:
    for name, text in SHOP.items():
        s3.put(f"shop/{name}", text)
    head, *rows = SHOP["positionen.csv"].splitlines()
    s3.delete("shop/positionen.csv")
    for n, part in enumerate((rows[:2], rows[2:])):
        s3.put(f"shop/positionen_{n}.csv", "\n".join([head, *part]) + "\n")
    tables = begun(tmp_path / "p", "s3://crm/shop/*.csv")[0]["sources"]["sales"]["tables"]
    assert tables["positionen"]["path"] == "s3://crm/shop/positionen_*.csv"


def test_what_cannot_be_begun_with_is_told(
    s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put("in/sales.csv", SALES)
    with pytest.raises(InputError, match="s3://crm/out/ means no object"):
        start_project(tmp_path / "p", "s3://crm/out/")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(SourceUnavailable, match="AWS_ACCESS_KEY_ID"):
        start_project(tmp_path / "p", "s3://crm/in/sales.csv")
    assert not (tmp_path / "p").exists()


def test_the_command_takes_an_object(s3: Store, tmp_path: Path) -> None:
    s3.put("in/sales.csv", SALES)
    done = CliRunner().invoke(app, ["init", str(tmp_path / "p"), "--from", "s3://crm/in/sales.csv"])
    assert done.exit_code == 0, done.output
    assert 'path = "s3://crm/in/sales.csv"' in (tmp_path / "p" / "evervalue.toml").read_text("utf-8")
