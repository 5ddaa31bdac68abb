"""Which files a path means, and that they keep their names from wherever the program is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from evervalue.core.errors import InputError
from evervalue.sources.files import find_files, path_means
from tests.support.sources import Warehouse

HEADER = "order,date,customer,amount\n"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    (tmp_path / "project").mkdir()
    return Warehouse(tmp_path / "project")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for i, name in enumerate(("a.csv", "b.csv")):
        (folder / name).write_text(f"{HEADER}{i},2022-01-05,{name[0]},5.5\n")
    return folder


@pytest.mark.parametrize(
    "pattern", ["../data/*.csv", "../data", "{tmp}/data/*.csv", "{tmp}/data", "../*/*.csv", "../**/*.csv"]
)
@pytest.mark.parametrize(
    "later", ["../data/*.csv", "../data", "{tmp}/data/[ab].csv", "{tmp}/project/../data"]
)
def test_rows_of_a_removed_file_stay_however_the_path_is_written(
    warehouse: Warehouse, data: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, later: str
) -> None:
    tmp = data.parent
    monkeypatch.chdir(tmp)
    warehouse.folder = Path("project")
    warehouse.load(pattern.format(tmp=tmp))
    (data / "a.csv").unlink()
    monkeypatch.chdir(tmp / "project")
    warehouse.folder = Path()
    report = warehouse.load(later.format(tmp=tmp)).sources["sales"]
    assert (report.files_kept, report.files_left_out) == ([f"{tmp}/data/a.csv"], [])
    assert sorted(warehouse.mapped("customer_id")) == [("a",), ("b",)]


@pytest.mark.parametrize("path", ["../data/a.csv", "{tmp}/data/a.csv", "{tmp}/link/a.csv"])
def test_the_only_file_is_gone_wherever_it_lay(warehouse: Warehouse, data: Path, path: str) -> None:
    (data.parent / "link").symlink_to(data)
    path = path.format(tmp=data.parent)
    warehouse.load(path)
    (data / "a.csv").unlink()
    report = warehouse.load(path)
    assert report.sources["sales"].rows_mapped == 1
    assert "is not there any more; its rows are kept" in report.warnings[-1]


def test_a_link_that_is_set_to_another_file_is_a_corrected_file(warehouse: Warehouse, data: Path) -> None:
    link = warehouse.folder / "latest.csv"
    link.symlink_to(data / "a.csv")
    warehouse.load("latest.csv")
    link.unlink()
    link.symlink_to(data / "b.csv")
    assert warehouse.load("latest.csv").sources["sales"].files_replaced == ["latest.csv"]
    assert warehouse.mapped("customer_id") == [("b",)]


def test_a_star_does_not_reach_into_folders(tmp_path: Path) -> None:
    assert path_means("in/*.csv", tmp_path, "in/a.csv")
    assert not path_means("in/*.csv", tmp_path, "in/old/a.csv")
    for shown in ("in/a.csv", "in/old/a.csv", "in/old/older/a.csv"):
        assert path_means("in/**/*.csv", tmp_path, shown)
    assert not path_means("in/**/*.csv", tmp_path, "a.csv")
    assert path_means("in", tmp_path, "in/a.csv")
    assert not path_means("in", tmp_path, "in/old/a.csv")


def test_a_folder_with_brackets_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "of [2024]"
    folder.mkdir()
    (folder / "a.csv").write_text(HEADER)
    assert [f.shown for f in find_files("*.csv", folder, "sales")] == ["a.csv"]


def test_the_home_folder_of_nobody(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="home folder of somebody who is not known"):
        find_files("~nosuchuser/x.csv", tmp_path, "sales")


def test_a_path_given_without_settings_is_told_without_them(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^nofile.csv is not there\. A path is relative to the current folder\.$"
    ):
        find_files("nofile.csv", tmp_path, None)
    with pytest.raises(InputError, match=r"^sources.sales: nofile.csv .* the folder of evervalue.toml\.$"):
        find_files("nofile.csv", tmp_path, "sales")
