"""A file that cannot be opened is told for what it is: held by another process, or damaged."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from evervalue.core.errors import Busy, StorageError
from evervalue.warehouse.duckdb import connect, insert

HEADER, DATA = 4096, 12_288


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database file with a table; its own name is no sign of a lock."""
    path = tmp_path / "block.duckdb"
    with connect(path) as con:
        con.execute("create table t as select range as n from range(100000)")
    return path


@pytest.mark.parametrize("at", [HEADER, DATA])
def test_a_file_with_a_wrong_block_is_damaged(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at : at + 8192] = b"\xff" * 8192
    file.write_bytes(content)
    with pytest.raises(StorageError, match=r"is damaged .*evervalue publish --rollback"):
        connect(file, read_only=True)


def test_a_file_that_was_cut_or_is_no_database_is_damaged(file: Path) -> None:
    content = file.read_bytes()
    for left in (content[:DATA], b"", b"not a database"):
        file.write_bytes(left)
        with pytest.raises(StorageError, match=r"is damaged .*evervalue publish --rollback"):
            connect(file, read_only=True)


def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="Cannot open"):
        connect(tmp_path / "lock" / "none.duckdb", read_only=True)


def test_a_file_that_another_process_holds_is_busy(file: Path) -> None:
    code = f"import duckdb; con = duckdb.connect({str(file)!r}); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy, match="Another process is using"):
            connect(file)
        holder.communicate("\n")


def test_numbers_that_are_not_finite_are_written_as_such() -> None:
    with connect() as con:
        con.execute("create table t (n integer, x double)")
        insert(con, "t", enumerate([1.5e-300, math.inf, -math.inf, math.nan, None]))
        found = [row[0] for row in con.execute("select x from t order by n").fetchall()]
    assert found[:3] == [1.5e-300, math.inf, -math.inf]
    assert math.isnan(found[3])
    assert found[4] is None
