"""What is read of a customer in one look-up is what the tables say, value for value."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evervalue.api import profile as profiles
from evervalue.api.profile import Profile, profile
from evervalue.api.queries import customer as one
from evervalue.api.settings import ServerSettings
from evervalue.api.snapshots import Reading, Row, SnapshotReader, Statement
from evervalue.insight.profiles import MOST, VERSION
from evervalue.live.figures import Figures, figures
from tests.support.projects import project, run_project
from tests.support.site import revenue_data, saas_data

KEYS = Statement("select customer_id from insight.customer_list", {})
ODD = """
[project]
name = "Odd"
currency = "USD"
[lrfm]
monetary = "revenue"
[sources.erp]
path = "sales.csv"
[sources.erp.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
customer_name = "name"
amount = "amount"
region = "region"
[sources.erp.attributes]
plan = "plan"
"""


def odd(folder: Path) -> Path:
    """Customers with as many orders as a text holds and with one more, and words that JSON must escape."""
    rows = ["order,date,customer,name,amount,region,plan"]
    for customer, orders in (("few", MOST), ("many", MOST + 1)):
        rows += [
            f"{customer}{n},2023-{1 + n % 12:02}-{1 + n % 28:02},{customer},{customer},{n}.25,,p{n % 3}"
            for n in range(orders)
        ]
    rows.append('q,2023-05-05,odd,"Zoë ""\\\n\u2028 \x01 \U0001f600",1e3,"a,b]","[null,"')
    rows += ["b1,2023-05-05,back,Back,10,,", "b2,2023-05-06,back,Back,-4,,"]
    run_project(project(folder / "odd", {"sales.csv": "\n".join(rows) + "\n"}, ODD))
    return folder / "odd" / "evervalue-data"


@contextmanager
def reading(data: Path) -> Iterator[Reading]:
    reader = SnapshotReader(data, ServerSettings())
    with reader.lease() as found:
        yield found
    reader.close()


def said(found: Profile) -> tuple[Row, list[Row], list[Row], list[tuple[str, str]], Figures]:
    return (
        found.row,
        found.attributes(),
        found.orders(),
        sorted(found.keys()),
        figures(found.days(), found.reading.run.as_of),
    )


@pytest.mark.parametrize("data", [saas_data, revenue_data, odd])
def test_one_look_up_says_what_the_tables_say(
    data: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reading(odd(tmp_path) if data is odd else data()) as found:  # type: ignore[operator]
        keys = [row["customer_id"] for row in found.rows(KEYS)]
        written = {key: profile(found, key) for key in keys}
        monkeypatch.setattr(profiles, "_is_written_down", lambda _: False)
        for key, one_look_up in written.items():
            asked = profile(found, key)
            assert one_look_up is not None
            assert one_look_up.told is not None
            assert asked is not None
            assert asked.told is None
            assert said(one_look_up) == said(asked)
            types = [{name: type(value) for name, value in p.row.items()} for p in (one_look_up, asked)]
            assert types[0] == types[1]
    assert len(keys) >= 4


def test_many_orders_are_asked_of_the_table(tmp_path: Path) -> None:
    with reading(odd(tmp_path)) as found:
        few, many = profile(found, "few"), profile(found, "many")
        assert few is not None
        assert few.told is not None
        assert few.told.orders is not None
        assert len(few.told.orders) == len(few.orders()) == MOST
        assert many is not None
        assert many.told is not None
        assert many.told.orders is None
        assert len(many.orders()) == profiles.ORDERS
        assert sum(day.orders for day in many.days()) == MOST + 1
        assert profile(found, "nobody") is None


def test_many_keys_and_attributes_are_asked_of_their_tables(tmp_path: Path) -> None:
    rows = ["order,date,customer,name,amount,region,plan"]
    rows += [f"o{n},2023-{1 + n % 12:02}-01,many,Many,1,,plan {n}" for n in range(MOST + 1)]
    run_project(project(tmp_path / "many", {"sales.csv": "\n".join(rows) + "\n"}, ODD))
    with reading(tmp_path / "many" / "evervalue-data") as found:
        many = profile(found, "many")
        assert many is not None
        assert many.told is not None
        assert many.told.attributes is None
        assert many.attributes() == found.rows(one.attributes("many"))
        assert len(many.attributes()) == MOST + 1
        assert many.keys() == (("erp", "many"),)


def test_texts_are_the_same_whichever_customers_are_written_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = Statement("select * from insight.customer_profile order by customer_id", {})
    with reading(odd(tmp_path / "at once")) as found:
        whole = found.rows(texts)
    monkeypatch.setattr("evervalue.insight.profiles.ROWS_AT_ONCE", 40)
    with reading(odd(tmp_path / "in parts")) as found:
        assert found.rows(texts) == whole


def test_a_text_of_another_version_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with reading(saas_data()) as found:
        key = found.rows(KEYS)[0]["customer_id"]
        now = profile(found, key)
        monkeypatch.setattr("evervalue.insight.profiles.VERSION", VERSION + 1)
        then = profile(found, key)
        assert now is not None
        assert then is not None
        assert then.told is None
        assert said(then) == said(now)
        assert then.row == found.row(one.of_list(key))
