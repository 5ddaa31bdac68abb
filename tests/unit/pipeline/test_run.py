"""A run: what it publishes, that it repeats itself, and that a failed one changes nothing."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from evervalue.core.errors import Busy, CheckFailed, EvervalueError, InputError, SettingsError
from evervalue.pipeline.settings import read_project
from evervalue.warehouse.duckdb import connect
from evervalue.warehouse.publish import Publisher
from tests.support.projects import LINES, evervalue, project, published, run_project, saas_project

SALES = "order,date,customer,amount\n1,2024-01-01,Ann,10\n2,2024-01-05,Ann,20\n3,2024-01-03,Bob,30\n"


@pytest.fixture(scope="module")
def saas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = saas_project(tmp_path_factory.mktemp("saas"))
    run_project(folder)
    return folder


def test_the_example_tells_its_story(saas: Path) -> None:
    (row,) = published(
        saas,
        "select customers, high_value, mid_value, low_value, top10_mid, top20_mid, gems, monetary, revenue, orders "
        "from insight.headline",
    )
    assert row == (99, 14, 43, 42, 5, 11, 14, Decimal("286397.0217"), Decimal("2297200.8603"), 5009)


def test_every_row_and_cent_of_the_example_is_accounted_for(saas: Path) -> None:
    (row,) = published(
        saas,
        "select rows_read, rows_stored, rows_duplicate, rows_quarantined, amount_read, amount_stored, "
        "amount_unexplained, margin_stored, margin_unexplained from curated.reconciliation",
    )
    total, zero = Decimal("2297200.8603"), Decimal(0)
    assert row == (9994, 9994, 0, 0, total, total, zero, Decimal("286397.0217"), zero)


def test_a_run_records_what_it_was_made_of(saas: Path) -> None:
    manifest = Publisher(read_project(saas).data_dir).current().manifest
    assert manifest["inputs"][0]["sha256"].startswith("cd7522252635c387")
    assert manifest["as_of"] == "2024-01-01"
    assert manifest["settings_sha256"] == read_project(saas).settings.sha256
    assert manifest["versions"]["duckdb"]
    assert {"table": "customers.lrfm", "rows": 99}.items() <= next(
        t for t in manifest["tables"] if t["table"] == "customers.lrfm"
    ).items()
    (sql,) = published(saas, "select sql from run.tables where table_name = 'customers.lrfm'")[0]
    assert "list_filter" in sql


def test_the_same_input_gives_the_same_tables_bit_for_bit(tmp_path: Path) -> None:
    folder = saas_project(tmp_path)
    run_project(folder)
    first = _contents(folder)
    run_project(folder)
    assert _contents(folder) == first


def test_row_order_changes_no_result(saas: Path, tmp_path: Path) -> None:
    folder = saas_project(tmp_path)
    file = folder / "SaaS-Sales.csv"
    head, *lines = file.read_text("utf-8-sig").splitlines()
    file.write_text("\n".join([head, *reversed(lines)]), "utf-8")
    run_project(folder)
    for table in ("customers.lrfm", "insight.hidden_gems", "insight.tiers", "insight.revenue_by_month"):
        assert published(folder, f"from {table} order by all") == published(
            saas, f"from {table} order by all"
        )


def test_a_failed_check_publishes_nothing_and_readers_keep_the_old_run(tmp_path: Path) -> None:
    folder = project(tmp_path, {"sales.csv": SALES})
    first = run_project(folder).snapshot.run_id
    toml = (folder / "evervalue.toml").read_text()
    (folder / "evervalue.toml").write_text(toml.replace('monetary = "revenue"', 'monetary = "margin"'))
    with pytest.raises(CheckFailed, match=r"3 rows where .*allow_missing_cost"):
        run_project(folder)
    publisher = Publisher(read_project(folder).data_dir)
    assert publisher.current_id() == first
    assert [p.name for p in publisher.runs_dir.iterdir()] == [first]


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    folder = project(tmp_path, {"sales.csv": SALES})
    run_project(folder)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, duckdb; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()",
            str(read_project(folder).data_dir / "warehouse.duckdb"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy, match="Another process is using"):
            run_project(folder)
    finally:
        holder.communicate("")
    assert run_project(folder).snapshot.run_id.endswith("-002")


@pytest.mark.slow
def test_ctrl_c_leaves_the_published_run_as_it_was(tmp_path: Path) -> None:
    folder = project(tmp_path, {"sales.csv": SALES})
    first = run_project(folder).snapshot.run_id
    rows = "".join(f"{n},2024-01-{n % 28 + 1:02},c{n % 5000},{n % 97}.25\n" for n in range(600_000))
    (folder / "more.csv").write_text("order,date,customer,amount\n" + rows)
    (folder / "evervalue.toml").write_text(
        (folder / "evervalue.toml").read_text().replace('path = "sales.csv"', 'path = "*.csv"')
    )
    running = subprocess.Popen(
        [sys.executable, "-c", "from evervalue.cli import main; main()", "run", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(1.5)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "Stopped. Nothing was published" in err
    assert "Traceback" not in err
    publisher = Publisher(read_project(folder).data_dir)
    assert publisher.current_id() == first
    assert len(published(folder, "from customers.lrfm")) == 2
    run_project(folder)
    assert published(folder, "select rows_read from curated.reconciliation") == [(600_003,)]


def test_a_full_disk_is_told_in_one_paragraph_and_changes_nothing(tmp_path: Path) -> None:
    folder = project(tmp_path, {"sales.csv": SALES})
    first = run_project(folder).snapshot.run_id

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    done = evervalue("run", folder, cwd=tmp_path, preexec_fn=small_files)
    assert done.returncode == 1, done.stderr
    assert [line[:7] for line in done.stderr.splitlines()].count("Error: ") == 1
    assert "could not be written" in done.stderr
    assert "Traceback" not in done.stderr
    publisher = Publisher(read_project(folder).data_dir)
    assert publisher.current_id() == first
    assert len(published(folder, "from customers.lrfm")) == 2
    assert not list(publisher.runs_dir.glob("*.partial"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    folder = project(tmp_path, {"sales.csv": SALES})
    folder.chmod(0o500)
    try:
        with pytest.raises(EvervalueError, match="cannot go on|Cannot open"):
            run_project(folder)
    finally:
        folder.chmod(0o700)


def test_a_run_that_is_left_without_an_order_says_where_the_rows_are(tmp_path: Path) -> None:
    rows = "order,date,customer,amount\n1,2024-01-01,,5\n2,2024-01-02,,6\n"
    with pytest.raises(InputError, match="of 2 rows of orders, 2 are in quarantine and 0 were set aside"):
        run_project(project(tmp_path / "shop", {"sales.csv": rows}))


def test_orders_after_the_cutoff_are_left_out_and_counted(tmp_path: Path) -> None:
    import datetime as dt

    folder = project(tmp_path, {"sales.csv": SALES})
    run_project(folder, as_of=dt.date(2024, 1, 4))
    assert published(folder, "select as_of, later_orders from customers.cutoff") == [(dt.date(2024, 1, 4), 1)]
    assert published(folder, "select customer, frequency, recency_days from customers.lrfm order by 1") == [
        ("Ann", 1, 3),
        ("Bob", 1, 1),
    ]


def test_settings_faults_are_gathered(tmp_path: Path) -> None:
    toml = (
        LINES.replace("order_id", "order_idd") + '[lrfm]\nbinz = 5\n[project]\ntime_zone = "Europe/Berlinn"\n'
    )
    folder = project(tmp_path, {"sales.csv": SALES}, toml)
    with pytest.raises(SettingsError) as raised:
        read_project(folder)
    for said in ("order_idd", "did you mean 'order_id'", "binz", "did you mean 'bins'", "Europe/Berlin"):
        assert said in str(raised.value)


def _contents(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    con = Publisher(read_project(folder).data_dir).current().open()
    tables = con.execute(
        "select table_schema || '.' || table_name from information_schema.tables where table_schema <> 'run' order by 1"
    ).fetchall()
    found = {name: con.execute(f"from {name}").fetchall() for (name,) in tables}
    con.close()
    return found


def test_a_snapshot_is_read_only(saas: Path) -> None:
    snapshot = Publisher(read_project(saas).data_dir).current()
    snapshot.verify()
    con = connect(snapshot.path, read_only=True)
    with pytest.raises(Exception, match="read-only"):
        con.execute("delete from customers.lrfm")
    con.close()


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[gems]\nmin_m_score = 9\n", "above the highest score, 4"),
        ("[gems]\ntop_n = 99999999999999999999\n", "gems.top_n"),
        ("[lrfm]\nhigh_value_at = 9\nmid_value_at = 10\n", "must lie in this order"),
        (
            '[[actions.rules]]\naction = "a"\ntitle = "A"\nsays = "A."\nl = [4, 1]\n',
            "must be [lowest, highest]",
        ),
        ('[[actions.rules]]\naction = "a"\ntitle = "A"\nsays = "A."\nl = [1, 4]\n', "must fit everyone"),
    ],
)
def test_impossible_settings_are_told(tmp_path: Path, toml: str, says: str) -> None:
    folder = project(
        tmp_path, {"sales.csv": SALES}, LINES + toml + ("" if "[lrfm]" in toml else "[lrfm]\nbins = 4\n")
    )
    with pytest.raises(SettingsError) as raised:
        read_project(folder)
    assert says in str(raised.value)
