"""`evervalue backtest FILE`: findings before the table, rows for machines, clear refusals."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from evervalue.cli import app, backtest_commands  # noqa: F401 - it registers the command
from evervalue.core.errors import EvervalueError
from evervalue.warehouse.duckdb import connect
from tests.support.projects import evervalue
from tests.unit.library.test_backtest import ORDERS

COLUMNS = ("--customer", "customer_id", "--date", "order_date", "--monetary", "monetary")
ASKED = ("--horizon", "120d", "--origins", "1", "--model", "bg-nbd")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backtest") / "orders.csv"
    ORDERS.write_csv(path)
    return path


def test_the_table_begins_with_who_wins(file: Path, tmp_path: Path) -> None:
    done = evervalue("backtest", file, *COLUMNS, *ASKED, "--plot", "plots.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("BG/NBD is the only model tested"))
    assert all(line.startswith("A rule without a model wins: ") for line in lines[:first])
    assert "Money, all origins together" in lines
    assert "Orders, all origins together" in lines
    assert any(line.startswith("past rate (no model)") for line in lines)
    assert (tmp_path / "plots.png").read_bytes().startswith(b"\x89PNG")


def test_rows_for_machines(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = evervalue("backtest", file, *COLUMNS, *ASKED, "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert list(rows[0]) == [
        "target", "origin", "customers", "model", "model_name", "naive", "measure", "value", "n",
        "best_naive", "difference", "difference_low", "difference_high", "verdict",
    ]  # fmt: skip
    held = [
        row for row in rows if row["model"] == "bg-nbd" and row["origin"] is None and row["measure"] == "crps"
    ]
    assert {row["target"] for row in held} == {"orders", "value"}
    assert all(row["best_naive"] and row["verdict"] in ("better", "worse", "level") for row in held)
    log = {
        row["model"]: row["value"] for row in rows if row["measure"] == "log_score" and row["origin"] is None
    }
    assert log["zero"] is None, "what it held impossible happened: there is no finite score"
    assert log["bg-nbd"] < 0

    monkeypatch.chdir(tmp_path)
    for name in ("rows.csv", "rows.parquet"):
        app(["backtest", str(file), *COLUMNS, *ASKED, "-o", name, "--quiet"], standalone_mode=False)
    with (tmp_path / "rows.csv").open() as opened:
        assert [row["measure"] for row in csv.DictReader(opened)] == [row["measure"] for row in rows]
    con = connect()
    counted = con.execute(f"select count(*) from '{tmp_path / 'rows.parquet'}'").fetchone()
    con.close()
    assert counted == (len(rows),)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--horizon", "900d"), "leaves no day before it"),
        (("--model", "bgnbd"), "did you mean 'bg-nbd'?"),
        (("--spend", "gamma"), "is no spend model"),
        (("--as-of", "tomorrow"), "--as-of tomorrow is not a date"),
        (("--format", "xlsx"), "No format is called 'xlsx'"),
        ((*ASKED, "--plot", "plots.docx"), "ends in .png, .svg or .pdf"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    options: tuple[str, ...], says: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EvervalueError, match=re.escape(says)):
        app(["backtest", str(file), *COLUMNS, *options, "--quiet"], standalone_mode=False)
    assert not list(tmp_path.iterdir())
