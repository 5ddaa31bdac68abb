"""A run that takes over what did not change gives the tables of a rebuild from nothing, whatever was delivered."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from evervalue.core.errors import StorageError
from evervalue.pipeline import delta
from evervalue.warehouse.publish import Publisher
from tests.support.projects import project, published, run_project
from tests.support.told import Told

SETTINGS = """
[identity]
country = "DE"
[sources.shop]
path = "shop"
customer_keys = "shop"
[sources.shop.columns]
line_id = "line"
order_id = "order"
ordered_at = "date"
customer_id = "customer"
product_id = "product"
amount = "amount"
margin = "margin"
email = "email"

[sources.till]
path = "till"
customer_keys = "till"
duplicates = "drop"
[sources.till.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
product_id = "product"
amount = "amount"
margin = "margin"
email = "email"

[sources.crm]
path = "crm.csv"
provides = "customers"
customer_keys = "shop"
[sources.crm.columns]
customer_id = "customer"
customer_name = "name"
[sources.crm.attributes]
region = "region"

[lrfm]
monetary = "margin"
ties = "share"
"""
HEAD = "line,order,date,customer,product,amount,margin,email"
COMPARED = ("curated", "customers", "insight", "models")
"""Schemas whose tables a rebuild gives once more."""


class Deliveries:
    """Two shops whose files come, change and go; numbers of lines and orders, customers and addresses collide.

    Beside them a list of customers of one of the shops, whose names and regions change.
    """

    def __init__(self, folder: Path, seed: int, *, value: str) -> None:
        self.random = random.Random(seed)
        self.folder = project(folder, {}, f'{SETTINGS}[value]\nmodel = "{value}"\n')
        self.people = {f"s{n}": [f"Name {n}", "north"] for n in range(30)}
        self.list()
        self.n = 0
        for name in ("shop", "till"):
            (folder / name).mkdir()
            for _ in range(4):
                self.add(name)

    def line(self, shop: str) -> str:
        chance = self.random
        self.n += 1
        customer = f"{shop[0]}{chance.randrange(30)}"
        # Now and then a number that another line has already, an address of somebody else, a return.
        line = chance.randrange(1, self.n + 1) if chance.random() < 0.03 else self.n
        order = f"{customer}-{chance.randrange(8)}" if chance.random() < 0.97 else f"x{chance.randrange(4)}"
        amount = chance.randrange(100, 9000) / 100 * (-1 if chance.random() < 0.08 else 1)
        address = (
            f"{chance.choice((customer, customer, f's{chance.randrange(60)}'))}@mail.biz"
            if chance.random() < 0.1
            else ""
        )
        date = f"2024-0{chance.randrange(1, 4)}-{chance.randrange(1, 28):02}"
        cell = "?" if chance.random() < 0.01 else f"{amount / 3:.2f}"
        return f"{line},{order},{date},{customer},p{chance.randrange(5)},{amount:.2f},{cell},{address}"

    def add(self, shop: str) -> None:
        self.n += 1
        rows = [self.line(shop) for _ in range(self.random.randrange(1, 25))]
        (self.folder / shop / f"{self.n:06}.csv").write_text("\n".join([HEAD, *rows]) + "\n")

    def list(self) -> None:
        rows = [",".join((key, *facts)) for key, facts in self.people.items()]
        (self.folder / "crm.csv").write_text("\n".join(["customer,name,region", *rows]) + "\n")

    def step(self) -> None:
        """Nothing, the list of customers, or one to three files of the shops come, change or are taken out."""
        if self.random.random() < 0.15:
            return
        if self.random.random() < 0.3:
            self.people[f"s{self.random.randrange(30)}"][self.random.randrange(2)] = (
                f"x{self.random.randrange(9)}"
            )
            self.list()
            if self.random.random() < 0.5:
                return
        for _ in range(self.random.randrange(1, 4)):
            shop = self.random.choice(("shop", "till"))
            files = sorted((self.folder / shop).iterdir())
            what = self.random.random()
            if what < 0.5:
                self.add(shop)
            else:
                file = self.random.choice(files)
                head, *rows = file.read_text().splitlines()
                at = self.random.randrange(len(rows))
                rows[at : at + 1] = [] if what < 0.7 and len(rows) > 1 else [self.line(shop)]
                file.write_text("\n".join([head, *rows]) + "\n")


LEFT_OUT = {
    "insight.customer_profile": "(select customer_id, profile->1, profile->2, profile->4 from insight.customer_profile)"
}
"""Tables without what attributes were before."""


def contents(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    # What attributes were before hangs on the loads that found them, which a folder that was read once does not know.
    tables = published(
        folder,
        f"select table_name from run.tables where split_part(table_name, '.', 1) in {COMPARED} "
        "and table_name <> 'curated.customer_attributes'",
    )
    found = {
        str(table): published(folder, f"from {LEFT_OUT.get(table, table)} order by all")
        for (table,) in tables
    }
    registry = (
        "select namespace, customer_key, customer_id from identity.registry where is_present order by all"
    )
    return found | {"identity.registry": published(folder, registry)}


@pytest.mark.parametrize(
    ("seed", "steps"), [(1, 2), *(pytest.param(seed, 10, marks=pytest.mark.slow) for seed in range(2, 7))]
)
def test_taking_over_equals_building_anew(
    tmp_path: Path, seed: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "MOST", 1.0)  # also where most customers changed
    shops = Deliveries(tmp_path / "shops", seed, value="auto" if seed == 2 else "none")
    run_project(shops.folder)
    taken_over = untouched = 0
    for step in range(steps):
        shops.step()
        if step % 4 == 3:  # what was loaded for a run that broke off is taken in by the next one
            with monkeypatch.context() as broken:
                broken.setattr(Publisher, "publish", no_space)
                with pytest.raises(StorageError):
                    run_project(shops.folder)
            shops.step()
        told = Told()
        run_project(shops.folder, progress=told)
        taken_over += "Lines taken over" in told.steps
        untouched += "Taken over" in told.steps
        shutil.rmtree(tmp_path / "anew", ignore_errors=True)
        shutil.copytree(shops.folder, tmp_path / "anew", ignore=shutil.ignore_patterns("evervalue-data"))
        run_project(tmp_path / "anew")
        now, anew = contents(shops.folder), contents(tmp_path / "anew")
        assert now.keys() == anew.keys()
        for table in now:
            assert now[table] == anew[table], table
    assert taken_over, "no run took anything over, so nothing was shown"
    assert untouched, "no run left a table as it was"


def no_space(*args: object, **more: object) -> None:
    raise StorageError("no space left")
