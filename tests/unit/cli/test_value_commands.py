"""`evervalue clv` and `evervalue models`: what a person types and reads, and what a script gets."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import sqlglot
from typer import BadParameter

from evervalue.cli import app, backtest_commands, value_commands  # noqa: F401 - they register
from evervalue.core.errors import EvervalueError
from evervalue.warehouse.duckdb import connect
from tests.support.projects import SAAS, evervalue, project, published, run_project

COLUMNS = [
    "customer_id", "p_alive", "expected_orders", "orders_low", "orders_high", "expected_order_value", "expected_clv",
    "clv_low", "clv_high", "interval", "horizon_days", "discount_rate_annual", "model", "model_says", "currency",
]  # fmt: skip
QUICK = ("--model", "bg-nbd", "--spend", "gamma-gamma")


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sales of 40 customers over two years, some of whom leave."""
    rows = ["customer,date,amount"]
    for n in range(40):
        gap, last = 5 + 3 * n, 720 if n % 3 else 200
        rows += [
            f"c{n:02},{2022 + day // 365}-{day % 365 // 31 + 1:02}-{day % 31 % 28 + 1:02},{10 + n + day % 7}.50"
            for day in range(n, last, gap)
        ]
    path = tmp_path_factory.mktemp("sales") / "sales.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_the_table_leads_with_the_total_and_says_why(sales: Path, tmp_path: Path) -> None:
    done = evervalue("clv", sales, "--currency", "EUR", "--limit", "3", *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "40 customers are expected to bring" in text
    assert "EUR in the next 365 days (90% sure:" in text
    assert "Predicted by BG/NBD and Gamma-Gamma. BG/NBD was asked for." in text
    assert "37 more: --limit 0 shows all" in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_scripts_get_the_promised_columns(sales: Path, tmp_path: Path) -> None:
    done = evervalue(
        "clv", sales, "--format", "csv", "--horizon", "12W", "--interval", "0.8", *QUICK, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert list(rows[0]) == COLUMNS
    assert len(rows) == 40
    values = [Decimal(row["expected_clv"]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert {(row["horizon_days"], row["interval"], row["discount_rate_annual"]) for row in rows} == {
        ("84", "0.8", "0.1")
    }
    for row in rows:
        assert Decimal(row["clv_low"]) <= Decimal(row["clv_high"])
        assert 0 <= float(row["p_alive"]) <= 1

    assert evervalue("clv", sales, "-o", "v.json", *QUICK, cwd=tmp_path).returncode == 0
    (first, *_) = json.loads((tmp_path / "v.json").read_text())
    assert isinstance(first["expected_clv"], str)
    assert evervalue("clv", sales, "-o", "v.parquet", *QUICK, cwd=tmp_path).returncode == 0
    con = connect()
    types = dict(
        con.execute(f"select column_name, column_type from (describe '{tmp_path / 'v.parquet'}')").fetchall()
    )
    con.close()
    assert types["expected_clv"] == "DECIMAL(18,4)"
    assert types["p_alive"] == "DOUBLE"


@pytest.mark.slow
def test_a_shorter_horizon_at_a_higher_rate_is_worth_less(sales: Path, tmp_path: Path) -> None:
    def total(*options: str) -> Decimal:
        done = evervalue("clv", sales, "--format", "csv", *QUICK, *options, cwd=tmp_path)
        return sum((Decimal(r["expected_clv"]) for r in csv.DictReader(done.stdout.splitlines())), Decimal(0))

    assert total() > 5 * total("--horizon", "30d", "--discount-rate", "1") > 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--model", "bgnbd"), "--model: 'bgnbd' is not known (did you mean 'bg-nbd'?)"),
        (("--spend", "gamma"), "--spend: 'gamma' is not known (did you mean 'gamma-gamma'?)"),
        (("--model", "none"), "--model none leaves nothing to tell"),
        (("--horizon", "6m"), "--horizon: '6m' counts months"),
        (("--horizon", "inf", "--discount-rate", "0"), "--horizon and --discount-rate: an unlimited horizon"),
        (("--interval", "90"), "--interval: "),
        (("--discount-rate", "-1"), "--discount-rate: "),
        (("--currency", "euro"), "--currency: 'euro' is not a three-letter currency code"),
        (("--decimal", "x"), "--decimal: "),
        (("--date-format", "zz"), "--date-format: 'zz' has no % parts"),
    ],
)
def test_impossible_options_are_told_by_their_name(
    sales: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EvervalueError) as error:
        app(["clv", str(sales), *options], standalone_mode=False)
    assert says in str(error.value)
    assert "evervalue.toml" not in str(error.value)


@pytest.mark.parametrize(
    "options",
    [("clv", "--limit"), ("backtest", "--seed"), ("backtest", "--origins"), ("backtest", "--sample")],
)
def test_numbers_below_zero_are_told_by_the_option(sales: Path, options: tuple[str, str]) -> None:
    command, name = options
    with pytest.raises(BadParameter, match="greater than or equal") as error:
        app([command, str(sales), name, "-3"], standalone_mode=False)
    assert error.value.param is not None
    assert name in error.value.param.opts


def test_an_impossible_option_is_told_in_one_paragraph(sales: Path, tmp_path: Path) -> None:
    done = evervalue("clv", sales, "--interval", "90", cwd=tmp_path)
    assert done.returncode == 1
    assert "Error: --interval" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_file_that_no_model_fits_gets_a_rule_and_a_word(tmp_path: Path) -> None:
    rows = "".join(f"c{n},2024-01-{n:02},10\n" for n in range(1, 20))
    (tmp_path / "new.csv").write_text("customer,date,amount\n" + rows)
    done = evervalue("clv", "new.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Nobody bought a second time" in " ".join(done.stdout.split())
    assert "Everyone is taken to buy at one rate" in " ".join(done.stdout.split())
    assert "is the prior's: nothing is in it of these customers but how long" in " ".join(done.stdout.split())


@pytest.mark.slow
def test_models_are_listed_and_printed_as_sql(sales: Path, tmp_path: Path) -> None:
    toml = (
        '[sources.sales]\npath = "sales.csv"\n[sources.sales.columns]\nordered_at = "date"\ncustomer_id = "customer"\n'
        'amount = "amount"\n[value]\nmodel = "bg-nbd"\nspend = "gamma-gamma"\nhorizon = "90d"\n'
    )
    folder = project(tmp_path / "shop", {"sales.csv": sales.read_text()}, toml)
    run_project(folder)
    listed = evervalue("models", "list", folder, cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    for word in ("BG/NBD", "Gamma-Gamma", "alpha", "standard error", "was asked for."):
        assert word in listed.stdout
    sql = evervalue("models", "sql", folder, cwd=tmp_path).stdout
    scores = published(folder, sql)
    table = published(
        folder,
        "select customer_id, p_alive, expected_orders, orders_low, orders_high, expected_order_value::double, "
        "expected_clv::double from models.clv order by 1",
    )
    assert len(table) == 40
    for found, wanted in zip(scores, table, strict=True):
        assert found[0] == wanted[0]
        assert found[1:5] == pytest.approx(wanted[1:5], rel=1e-9)
        assert found[5:] == pytest.approx(wanted[5:], abs=0.5001e-4)
    spark = evervalue("models", "sql", folder, "--dialect", "spark", cwd=tmp_path).stdout
    assert isinstance(sqlglot.parse_one(spark, read="spark"), sqlglot.exp.Select)
    assert "as predict and models.clv are" in spark
    assert (
        "did you mean 'spark'"
        in evervalue("models", "sql", folder, "--dialect", "sparc", cwd=tmp_path).stderr
    )


@pytest.mark.slow
def test_models_need_a_published_run_with_models(tmp_path: Path) -> None:
    text = "order,date,customer,amount\n1,2024-01-01,Ann,10\n2,2024-01-09,Bob,10\n"
    folder = project(tmp_path, {"sales.csv": text}, value=True)
    assert "evervalue run" in evervalue("models", "list", folder, cwd=tmp_path).stderr
    run_project(folder)
    listed = evervalue("models", "list", folder, cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert "pooled rate" in listed.stdout
    toml = folder / "evervalue.toml"
    toml.write_text(toml.read_text() + '[value]\nmodel = "none"\n')
    run_project(folder)
    done = evervalue("models", "sql", folder, cwd=tmp_path)
    assert done.returncode == 1
    assert "has no fitted model" in done.stderr


@pytest.mark.slow
def test_the_example_is_explained(tmp_path: Path) -> None:
    columns = (
        "--customer",
        "Customer",
        "--order",
        "Order ID",
        "--date",
        "Order Date",
        "--monetary",
        "Profit",
    )
    done = evervalue("clv", SAAS / "SaaS-Sales.csv", *columns, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "99 customers are expected to bring" in " ".join(done.stdout.split())
    assert (
        "No dropout is identifiable in these data: a model in which every customer keeps buying"
        in " ".join(done.stderr.split())
    )


def test_scores_and_help_import_neither_numpy_nor_scipy(sales: Path, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom evervalue.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "found = {'numpy', 'scipy', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    for arguments in (["--help"], ["clv", "--help"], ["lrfm", str(sales)], ["gems", str(sales)]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
