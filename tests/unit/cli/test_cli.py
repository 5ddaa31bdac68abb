"""The command line: what a person types, what is printed, and what exit code a script sees."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest

from evervalue.pipeline.tables import all_models
from evervalue.warehouse.duckdb import connect
from tests.support.projects import ROOT, SAAS, evervalue, project, published, saas_project

FILE = SAAS / "SaaS-Sales.csv"
COLUMNS = ("--customer", "Customer", "--order", "Order ID", "--date", "Order Date", "--monetary", "Profit")
with (ROOT / "tests" / "data" / "saas_top10.csv").open(encoding="utf-8") as _file:
    TOP10 = list(csv.DictReader(_file))


def test_lrfm_of_a_file_gives_the_published_rows_to_the_last_digit(tmp_path: Path) -> None:
    done = evervalue("lrfm", FILE, *COLUMNS, "--as-of", "2024-01-01", "--format", "csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert len(rows) == 99
    assert [{k: row[k] for k in TOP10[0]} for row in rows[:10]] == TOP10
    tiers = [row["customer_value"] for row in rows]
    assert [tiers.count(t) for t in ("High-Value", "Mid-Value", "Low-Value")] == [14, 43, 42]
    assert list(rows[0]) == [
        "customer", "length_days", "recency_days", "frequency", "monetary",
        "l_score", "r_score", "f_score", "m_score", "lrfm_score", "customer_value",
    ]  # fmt: skip


def test_money_in_json_is_a_string_and_parquet_keeps_decimals(tmp_path: Path) -> None:
    assert evervalue("lrfm", FILE, *COLUMNS, "-o", "scores.json", cwd=tmp_path).returncode == 0
    assert json.loads((tmp_path / "scores.json").read_text())[0]["monetary"] == "10308.6297"
    assert evervalue("lrfm", FILE, *COLUMNS, "-o", "scores.parquet", cwd=tmp_path).returncode == 0
    con = connect()
    assert con.execute(f"select max(monetary) from '{tmp_path / 'scores.parquet'}'").fetchone() == (
        Decimal("10308.6297"),
    )
    con.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scores.json", "scores.parquet"]


def test_gems_of_a_file_say_why_and_what_to_do(tmp_path: Path) -> None:
    done = evervalue("gems", FILE, *COLUMNS, "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    gems = {gem["customer"]: gem for gem in json.loads(done.stdout)}
    assert len(gems) == 14
    assert gems["Siemens"]["action"] == gems["Bank of America Corp."]["action"] == "account_management"
    assert gems["Walt Disney"]["action"] == gems["Airbus"]["action"] == "reactivate"
    assert gems["Valero Energy"]["orders_to_high"] == 1
    assert gems["Bank of America Corp."]["orders_to_high"] is None
    assert gems["Coca-Cola"]["low_scores"] == "L3 R3 F1"


def test_the_top_n_rule_takes_the_mid_value_customers_among_them(tmp_path: Path) -> None:
    done = evervalue("gems", FILE, *COLUMNS, "--top", "20", "--format", "json", cwd=tmp_path)
    assert len(json.loads(done.stdout)) == 11


def test_a_file_with_few_customers_is_scored_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("customer,date,amount\nAnn,2024-01-05,10\n")
    done = evervalue("lrfm", "one.csv", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["l_score"], row["r_score"], row["f_score"], row["m_score"]) == (1, 4, 1, 1)
    assert "fewer customers (1) than score bins (4)" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("", (), "is empty"),
        ("customer,date,amount\n", (), "no row"),
        ("who,when,much\nAnn,2024-01-01,5\n", ("--customer", "whoo"), "did you mean 'who'"),
        ("customer,date,amount\nAnn,03/04/2022,5\n", (), "--date-format"),
        ("customer,date,amount\nAnn,2022-01-01,103.086.297\n", (), "--decimal"),
        ('customer,date,amount\nAnn,2022-01-01,"1.234,56"\nBob,2022-01-02,"1,234.56"\n', (), "1.234,56"),
    ],
)
def test_bad_files_are_told_in_one_paragraph(
    tmp_path: Path, text: str, options: tuple[str, ...], says: str
) -> None:
    (tmp_path / "bad.csv").write_text(text)
    done = evervalue("lrfm", "bad.csv", *options, cwd=tmp_path)
    assert done.returncode == 1
    assert says in done.stderr
    assert [line[:6] for line in done.stderr.splitlines()].count("Error:") == 1
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_missing_file_a_bad_date_and_a_bad_format_are_told(tmp_path: Path) -> None:
    for args, says in (
        (("lrfm", "nowhere.csv"), "nowhere.csv"),
        (("lrfm", FILE, "--as-of", "yesterday"), "--as-of yesterday is not a date"),
        (("lrfm", FILE, "--format", "jsn"), "did you mean 'json'"),
        (("lrfm", FILE, "--bins", "1"), "bins"),
        (("run", "."), "evervalue init"),
        (("sql", "customers.lrmf"), "did you mean 'customers.lrfm'"),
    ):
        done = evervalue(*args, cwd=tmp_path)
        assert done.returncode == 1, (args, done.stderr)
        assert says in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_init_run_and_doctor_lead_from_a_file_to_a_published_run(tmp_path: Path) -> None:
    done = evervalue("init", "shop", "--from", FILE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = evervalue("init", "shop", "--from", FILE, cwd=tmp_path)
    assert again.returncode == 1
    assert "--force" in again.stderr
    done = evervalue("run", cwd=tmp_path / "shop")
    assert done.returncode == 0, done.stderr
    assert "99 customers" in done.stdout
    assert published(tmp_path / "shop", "select customers, gems > 0 from insight.headline") == [(99, True)]
    done = evervalue("doctor", cwd=tmp_path / "shop")
    assert done.returncode == 0, done.stdout
    assert "checksum right" in done.stdout


def test_run_tells_the_story_and_publish_goes_back(tmp_path: Path) -> None:
    folder = saas_project(tmp_path)
    first = evervalue("run", folder, cwd=tmp_path)
    assert "99 customers: 14 High-Value, 43 Mid-Value, 42 Low-Value." in first.stdout
    assert "Half of the top 10 profit performers are Mid-Value (11 of the top 20)." in first.stdout
    assert "9,994" in first.stdout
    evervalue("run", folder, "--as-of", "2023-01-01", cwd=tmp_path)
    assert published(folder, "select as_of::text from customers.cutoff") == [("2023-01-01",)]
    back = evervalue("publish", folder, "--rollback", cwd=tmp_path)
    assert "orders before 2024-01-01" in back.stdout
    assert published(folder, "select as_of::text from customers.cutoff") == [("2024-01-01",)]
    assert "current" in evervalue("publish", folder, cwd=tmp_path).stdout


@pytest.mark.slow
def test_the_demo_runs_the_example_of_a_clone(tmp_path: Path) -> None:
    done = evervalue("demo", "--no-serve", "--example", saas_project(tmp_path, value=True), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "14 hidden gems" in done.stdout


@pytest.mark.parametrize("dialect", ["duckdb", "spark", "redshift", "snowflake", "bigquery"])
def test_sql_is_printed_for_every_dialect(tmp_path: Path, dialect: str) -> None:
    done = evervalue("sql", "customers.history", "--dialect", dialect, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "customers.cutoff" in done.stdout
    assert "$as_of" not in done.stdout


def test_printed_sql_runs_as_it_is_and_gives_the_table(tmp_path: Path) -> None:
    from evervalue.warehouse.dialects import sql_for
    from evervalue.warehouse.publish import Publisher
    from tests.support.projects import run_project

    folder = saas_project(tmp_path)
    run_project(folder)
    con = Publisher(folder / "evervalue-data").current().open()
    for model in all_models():
        if model.sql and not any(read.startswith(("mapped.", "raw.")) for read in model.reads):
            again = con.execute(sql_for(model, "duckdb")).fetchall()
            assert sorted(map(str, again)) == sorted(map(str, con.execute(f"from {model.name}").fetchall()))
    con.close()


def test_sources_shows_how_each_doubt_was_settled(tmp_path: Path) -> None:
    folder = project(tmp_path, {"sales.csv": "order,date,customer,amount\n1,2024-01-31,Ann,1.5\n"})
    evervalue("run", folder, cwd=tmp_path)
    done = evervalue("sources", "list", folder, "--files", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "sales.csv" in done.stdout
    assert "loaded" in done.stdout


@pytest.mark.slow
def test_refused_rows_are_listed_mended_and_taken_back(tmp_path: Path) -> None:
    lines = "order,date,customer,amount\n1,2024-01-31,Ann,1.5\n2,2024-02-30,Bob,2\n3,2024-02-01,,3\n"
    folder = project(tmp_path / "shop", {"sales.csv": lines})
    assert evervalue("run", folder, cwd=tmp_path).returncode == 0
    listed = evervalue("quarantine", "list", folder, cwd=tmp_path)
    assert "bad_date" in listed.stdout
    assert "missing_customer" in listed.stdout
    done = evervalue("quarantine", "export", folder, "--source", "sales", "-o", "mend.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    mend = tmp_path / "mend.csv"
    mend.write_text(mend.read_text().replace("2024-02-30", "2024-02-28"))
    done = evervalue("quarantine", "replay", folder, "--source", "sales", "--from", mend, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 row mended: 1 left quarantine." in done.stdout
    evervalue("run", folder, cwd=tmp_path)
    assert published(
        folder, "select rows_read, rows_stored, rows_quarantined from curated.reconciliation"
    ) == [(3, 2, 1)]
    assert published(
        folder, "select customer, last_order_date::text from customers.lrfm where customer = 'Bob'"
    ) == [("Bob", "2024-02-28")]


@pytest.mark.slow
def test_rows_that_contradict_one_another_are_mended_the_same_way(tmp_path: Path) -> None:
    lines = "order,date,customer,amount\n1,2024-01-31,Ann,1.5\n1,2024-01-31,Bob,2\n3,2024-02-01,Ann,3\n"
    folder = project(tmp_path / "shop", {"sales.csv": lines})
    assert evervalue("run", folder, cwd=tmp_path).returncode == 0
    assert "order_of_several_customers" in evervalue("quarantine", "list", folder, cwd=tmp_path).stdout
    evervalue("quarantine", "export", folder, "--source", "sales", "-o", "mend.csv", cwd=tmp_path)
    mend = tmp_path / "mend.csv"
    mend.write_text(mend.read_text().replace("1,2024-01-31,Bob", "2,2024-01-31,Bob"))
    done = evervalue("quarantine", "replay", folder, "--source", "sales", "--from", mend, cwd=tmp_path)
    assert "1 row mended: 1 left quarantine." in done.stdout, done.stderr
    evervalue("run", folder, cwd=tmp_path)
    assert published(
        folder, "select rows_read, rows_stored, rows_quarantined from curated.reconciliation"
    ) == [(3, 3, 0)]
    assert "No row is in quarantine." in evervalue("quarantine", "list", folder, cwd=tmp_path).stdout


def test_rows_that_are_not_scored_are_told(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "order,date,customer,amount\n1,2024-01-01,A,1\n1,2024-01-01,B,2\n2,2024-01-02,C,5\n3,2024-01-32,C,5\n4,2024-01-03,,5\n"
    )
    done = evervalue("lrfm", "s.csv", "--order", "order", cwd=tmp_path)
    said = " ".join(done.stderr.split())
    assert done.returncode == 0, done.stderr
    assert "2 rows of 5 refused and not scored (order_of_several_customers; first row 1" in said
    assert "1 row of 5 refused and not scored (bad_date; first row 4" in said
    assert "1 row of 5 refused and not scored (missing_customer; first row 5" in said


def test_an_export_is_safe_for_spreadsheets_and_for_what_it_is_pointed_at(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text('order,date,customer,amount\n1,2024-01-01,"=cmd|calc",1\n')
    assert "\n'=cmd|calc," in evervalue("lrfm", "s.csv", "--format", "csv", cwd=tmp_path).stdout
    done = evervalue("lrfm", "s.csv", "-o", "/dev/null", "--format", "csv", cwd=tmp_path)
    assert done.returncode == 1
    assert "is not a file" in done.stderr
    assert Path("/dev/null").is_char_device()
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert evervalue("lrfm", "s.csv", "-o", "link.csv", cwd=tmp_path).returncode == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("customer,")
