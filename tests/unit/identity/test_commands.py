"""Explaining customers, and deciding about them by hand, over the runs of a project."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evervalue.cli import app
from evervalue.cli import identity_commands as registered
from evervalue.core.clock import FixedClock
from evervalue.core.errors import AmbiguousInput, InputError, StorageError
from evervalue.identity import decisions
from evervalue.pipeline.settings import read_project
from evervalue.pipeline.warehouse_view import warehouse
from evervalue.warehouse.publish import Publisher
from tests.support.projects import project, published, run_project

SHOP = "order,date,customer,amount,mail\n1,2024-01-01,17,10,ann@firm.de\n2,2024-01-02,18,20,bob@firm.de\n"
CRM = "id,name,mail,phone\nA,Ann,ANN@firm.de,0\nB,Bob B,bob@firm.de,+4989123450\nC,Bob C,bob@firm.de,none\n"
TOML = """
[sources.shop]
path = "shop.csv"
[sources.shop.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
amount = "amount"
email = "mail"
[sources.crm]
path = "crm.csv"
provides = "customers"
[sources.crm.columns]
customer_id = "id"
customer_name = "name"
email = "mail"
phone = "phone"
"""
CLOCK = FixedClock(dt.datetime(2024, 3, 2, tzinfo=dt.UTC))
assert registered.identity is not None


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = project(tmp_path_factory.mktemp("once"), {"shop.csv": SHOP, "crm.csv": CRM}, TOML)
    run_project(found)
    return found


@pytest.fixture
def folder(once: Path, tmp_path: Path) -> Path:
    """A copy of the project, for tests that change it."""
    return Path(shutil.copytree(once, tmp_path / "project"))


def command(*args: object) -> str:
    result = CliRunner().invoke(app, ["identity", *map(str, args)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def customers(folder: Path) -> list[tuple[str, str]]:
    return [
        (a, b) for a, b in published(folder, "select customer_id, customer from curated.customers order by 1")
    ]


def test_identifiers_of_order_lines_and_customers_link(once: Path) -> None:
    assert customers(once) == [("crm:A", "Ann"), ("crm:B", "Bob C")]
    assert published(once, "select customer_id, revenue from curated.orders order by 1") == [
        ("crm:A", 10),
        ("crm:B", 20),
    ]


def test_explain_masks_unless_asked(once: Path) -> None:
    told = command("explain", "shop:17", once)
    assert "Customer crm:A" in told
    assert "a***@f***.de" in told
    assert "ann@firm.de" not in told.lower()
    assert "ann@firm.de" in command("explain", "17", once, "--reveal").lower()
    with pytest.raises(InputError, match="No customer is called 'crm:Z' \\(did you mean 'crm:"):
        command("explain", "crm:Z", once)


def test_list_shows_what_deserves_a_look(once: Path) -> None:
    told = command("list", once, "--suspicious")
    assert "crm:B" in told
    assert "placeholder" in told
    assert "crm:A" in command("list", once)


@pytest.mark.slow
def test_split_merge_and_undo(folder: Path) -> None:
    assert "Decision 1" in command("split", "crm:B", folder, "--records", "crm:C", "--why", "two people")
    run_project(folder)
    assert customers(folder) == [("crm:A", "Ann"), ("crm:B", "Bob B"), ("crm:C", "Bob C")]
    assert "Decision 2" in command("merge", "crm:A", "crm:C", folder, "--why", "married")
    run_project(folder)
    assert customers(folder) == [("crm:A", "Bob C"), ("crm:B", "Bob B")]
    assert published(folder, "select alias, customer_id from identity.aliases") == [("crm:C", "crm:A")]
    assert "merged by hand: married" in " ".join(command("explain", "crm:C", folder).split())
    assert "married" in command("list", folder)
    assert "Decision 2 (merge of crm:A, crm:C)" in command("undo", folder)
    run_project(folder)
    assert customers(folder) == [("crm:A", "Ann"), ("crm:B", "Bob B"), ("crm:C~2", "Bob C")]
    command("undo", folder, "--decision", 1)
    run_project(folder)
    assert customers(folder) == [("crm:A", "Ann"), ("crm:B", "Bob C")]


def test_decisions_that_make_no_sense_are_refused(folder: Path) -> None:
    with warehouse(read_project(folder), read_only=False) as con:
        with pytest.raises(InputError, match="are one customer already: crm:A"):
            decisions.merge(con, "crm:A", "shop:17", why="", clock=CLOCK)
        with pytest.raises(InputError, match="shop:18 is no record of crm:A"):
            decisions.split(con, "crm:A", ["shop:18"], why=None, clock=CLOCK)
        with pytest.raises(InputError, match="nothing would be left"):
            decisions.split(con, "crm:A", ["shop:17", "crm:A"], why=None, clock=CLOCK)
        with pytest.raises(InputError, match="no decision to undo"):
            decisions.undo(con, None, clock=CLOCK)
    with pytest.raises(InputError, match="Say why"):
        command("merge", "crm:A", "crm:B", folder)


def test_a_run_that_fails_remembers_nothing(folder: Path) -> None:
    before = published(folder, "from identity.registry order by all")
    (folder / "crm.csv").write_text(CRM.replace("A,Ann", "18,Ann"))
    with pytest.raises(AmbiguousInput, match="1 equal customer key"):
        run_project(folder)
    with warehouse(read_project(folder)) as con:
        assert con.execute("from identity.registry order by all").fetchall() == before


def no_space(*args: object, **more: object) -> None:
    raise StorageError("no space left")


def test_a_run_that_cannot_be_published_remembers_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = published(folder, "select * exclude (since_run) from identity.registry order by all")
    (folder / "crm.csv").write_text(CRM.replace("ANN@firm.de", "bob@firm.de"))
    with monkeypatch.context() as full:
        full.setattr(Publisher, "publish", no_space)
        with pytest.raises(StorageError):
            run_project(folder)
    (folder / "crm.csv").write_text(CRM)
    run_project(folder)
    assert published(folder, "select * exclude (since_run) from identity.registry order by all") == before
