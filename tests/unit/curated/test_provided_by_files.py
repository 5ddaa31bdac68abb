"""Costs, contracts, balances, income and identifiers from files: every row and every unit of money is accounted for."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from evervalue.core.errors import AmbiguousInput, SettingsError
from evervalue.pipeline.settings import settings_from
from tests.support.projects import project, published, run_project

FILES = {
    "shop.csv": """order,line,date,customer,amount,tel
1,1,2024-01-05,c1,100,+49 89 123450
2,2,2024-01-06,c2,50.5,
""",
    "costs.csv": """no,what,sum,day,order,who
1,cogs,60,2024-01-05,1,
2,cogs,20,2024-01-06,2,
3,ads,"3.33",2024-01-31,,
4,service,4,2024-01-10,,c2
5,ads,x,2024-01-31,,
6,ads,7,,,
6,ads,7,,,
""",
    "contracts.csv": """id,who,from,to,price,every,state
s1,c1,2023-11-01,,120,Yearly,active
s2,c2,2023-12-01,2024-01-15,5,monthly,canceled
s3,c1,2023-12-01,,5,fortnightly,active
""",
    "balances.csv": """account,who,day,balance
A1,c1,2024-01-01,1000
A1,c1,2024-01-01,1000
A1,c1,2024-01-16,2000.50
""",
    "income.csv": """who,account,until,interest,paid,fees
c1,A1,2024-01-31,0,2.5,4
c2,A2,2024-01-31,9,-1,0
""",
    "numbers.csv": """who,what,number
c2,VAT,DE 812 526 315
c3,Tax ID,DE812526315
c3,shoe size,44
""",
}
TOML = """
[lrfm]
monetary = "margin"
[sources.shop]
path = "shop.csv"
[sources.shop.columns]
order_id = "order"
line_id = "line"
ordered_at = "date"
customer_id = "customer"
amount = "amount"
phone = "tel"
[sources.erp]
path = "costs.csv"
provides = "cost_entries"
[sources.erp.columns]
entry_id = "no"
cost_kind = "what"
amount = "sum"
cost_date = "day"
order_id = "order"
customer_id = "who"
[sources.billing]
path = "contracts.csv"
provides = "subscriptions"
[sources.billing.columns]
subscription_id = "id"
customer_id = "who"
started_on = "from"
ended_on = "to"
amount = "price"
period = "every"
status = "state"
[sources.ledger]
path = "balances.csv"
provides = "balances"
[sources.ledger.columns]
account_id = "account"
customer_id = "who"
balance_date = "day"
balance = "balance"
[sources.bank]
path = "income.csv"
provides = "income"
[sources.bank.columns]
customer_id = "who"
account_id = "account"
period_end = "until"
interest_income = "interest"
interest_expense = "paid"
fees = "fees"
[sources.registry]
path = "numbers.csv"
provides = "identifiers"
[sources.registry.columns]
customer_id = "who"
type = "what"
value = "number"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    toml = TOML
    for name in ("shop", "erp", "billing", "ledger", "bank", "registry"):
        toml = toml.replace(f"[sources.{name}]\n", f'[sources.{name}]\ncustomer_keys = "company"\n')
    folder = project(tmp_path_factory.mktemp("files"), FILES, toml)
    run_project(folder)
    return folder


def test_every_row_and_all_money_is_accounted_for(folder: Path) -> None:
    assert published(
        folder,
        "select source, provides, rows_read, rows_stored, rows_duplicate, rows_quarantined, amount_read, "
        "amount_stored, amount_unexplained from curated.reconciliation order by source",
    ) == [
        ("bank", "income", 2, 1, 0, 1, 13, 4, 0),
        ("billing", "subscriptions", 3, 2, 0, 1, 130, 125, 0),
        ("erp", "cost_entries", 7, 4, 0, 3, Decimal("101.33"), Decimal("87.33"), 0),
        ("ledger", "balances", 3, 2, 1, 0, Decimal("4000.5"), Decimal("3000.5"), 0),
        ("registry", "identifiers", 3, 2, 0, 1, 0, 0, 0),
        ("shop", "order_lines", 2, 2, 0, 0, Decimal("150.5"), Decimal("150.5"), 0),
    ]
    assert published(folder, "select source, reason, row_count from run.quarantine order by all") == [
        ("bank", "bad_interest_expense", 1), ("billing", "bad_period", 1), ("erp", "bad_number", 1),
        ("erp", "missing_period", 2), ("registry", "bad_type", 1),
    ]  # fmt: skip


def test_what_they_come_to(folder: Path) -> None:
    # c2 and c3 share a tax number: c2 is who they are.
    assert published(folder, "select customer_key, customer_id from curated.customer_keys order by 1") == [
        ("c1", "c1"), ("c2", "c2"), ("c3", "c2"),
    ]  # fmt: skip
    assert published(folder, "select order_key, margin from curated.orders order by 1") == [
        # The statement bears 4 of 154.50 of the advertising, the first order 100, the second 50.50.
        ("bank/A1 2024-01-31 c1", Decimal("1.4138")),
        ("shop/1", Decimal("37.8447")),
        ("shop/2", Decimal("25.4115")),
    ]
    assert published(folder, "select sum(allocated), sum(unallocated) from curated.cost_totals") == [
        (Decimal("87.33"), 0)
    ]
    assert published(
        folder, "select month::text, sum(mrr), sum(change) from curated.mrr_by_month group by 1 order by 1"
    ) == [("2023-11-01", 10, 10), ("2023-12-01", 15, 5), ("2024-01-01", 10, -5)]
    assert published(folder, "select average_balance, known_days from curated.balance_by_month") == [
        (Decimal("1062.5313"), 16)
    ]


def test_equal_keys_are_asked_about_first(tmp_path: Path) -> None:
    with pytest.raises(
        AmbiguousInput, match="sources.bank and sources.billing hold 1 equal customer key, for example 'c1'"
    ):
        run_project(project(tmp_path, FILES, TOML))


def test_settings_name_what_is_missing() -> None:
    table = {"path": "x.csv", "provides": "cost_entries", "columns": {"amount": "sum"}}
    with pytest.raises(
        SettingsError, match="columns lacks one of line_id, order_id, cost_date, period_start"
    ):
        settings_from({"sources": {"erp": table}})
    table = {"path": "x.csv", "provides": "subscriptions", "columns": {"amount": "sum"}}
    with pytest.raises(SettingsError, match="columns lacks subscription_id and customer_id and started_on"):
        settings_from({"sources": {"billing": table}})
    with pytest.raises(SettingsError, match="'Germany' is not a country"):
        settings_from(
            {"identity": {"country": "Germany"}, "sources": {"a": {"path": "x", "columns": {"amount": "a"}}}}
        )
