"""Records of many systems become customers: what links, what does not, and ids that stay."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from evervalue.core.errors import AmbiguousInput
from evervalue.warehouse.duckdb import insert
from tests.support.mapped import Mapped

TABLES = ("identity.aliases", "identity.refused_identifiers", "identity.renamed", "curated.customer_keys")


def two_systems(**settings: Any) -> Mapped:
    mapped = Mapped(warehouse=True, **settings)
    mapped.source("shop", "customers")
    mapped.source("crm", "customers")
    return mapped


def customer(mapped: Mapped, source: str, key: str, **identifiers: str) -> None:
    mapped.add("customers", source, {"customer_id": key})
    for type, value in identifiers.items():
        mapped.add("identifiers", source, {"customer_id": key, "type": type, "value": value})


def ids(mapped: Mapped) -> dict[str, str]:
    """Record: customer id, after a run."""
    mapped.build(*TABLES)
    return dict(
        mapped.rows(
            "select namespace || ':' || customer_key, customer_id from curated.customer_keys order by 1"
        )
    )


def decide(mapped: Mapped, number: int, kind: str, *records: str) -> None:
    mapped.con.execute(
        "create table if not exists remembering.identity.decisions (decision_id bigint, kind text, record text, "
        "why text, decided_at timestamp, undone_at timestamp)"
    )
    rows = [(number, kind, record, "told so", f"2024-01-0{number}", None) for record in records]
    insert(mapped.con, "remembering.identity.decisions", rows)


def test_one_system_keeps_its_keys() -> None:
    mapped = Mapped()
    mapped.source("shop", "order_lines")
    mapped.sales("shop", ("1", "2024-01-01", "b", 1), ("2", "2024-01-02", "a", 1))
    assert ids(mapped) == {"shop:a": "a", "shop:b": "b"}
    assert mapped.rows("from identity.renamed") == []


def test_equal_addresses_and_numbers_link_over_systems() -> None:
    mapped = two_systems(country="DE")
    customer(mapped, "shop", "1", email=" Ann@Firm.DE ", phone="089 / 12 34 50")
    customer(mapped, "shop", "2", tax_number="DE 812 526 315")
    customer(mapped, "crm", "A", email="ann@firm.de")
    customer(mapped, "crm", "B", phone="+49 (0)89 123450")
    customer(mapped, "crm", "C", tax_number="812526315")
    customer(mapped, "crm", "D", email="ann+shop@firm.de")
    assert ids(mapped) == {
        "crm:A": "crm:A", "crm:B": "crm:A", "shop:1": "crm:A", "crm:C": "crm:C", "shop:2": "crm:C", "crm:D": "crm:D",
    }  # fmt: skip
    assert mapped.rows("select record_a, record_b, type, shown, reason from identity.links order by all") == [
        ("crm:A", "shop:1", "email", "a***@f***.de", "both carry the same email"),
        ("crm:B", "shop:1", "phone", "+49***50", "both carry the same phone"),
        ("crm:C", "shop:2", "tax_number", "DE***15", "both carry the same tax number"),
    ]


def test_external_ids_link_with_the_key_that_they_name() -> None:
    mapped = two_systems()
    customer(mapped, "shop", "17")
    customer(mapped, "shop", "18")
    customer(mapped, "crm", "A")
    mapped.add(
        "identifiers", "crm", {"customer_id": "A", "type": "external_id", "value": "17", "namespace": "shop"}
    )
    customer(mapped, "crm", "B", external_id="18")
    assert ids(mapped) == {"crm:A": "crm:A", "shop:17": "crm:A", "crm:B": "crm:B", "shop:18": "shop:18"}


@pytest.mark.parametrize(
    ("type", "value", "verdict"),
    [
        ("email", "n/a", "placeholder"),
        ("email", "noreply@firm.de", "placeholder"),
        ("email", "ann@example.com", "placeholder"),
        ("email", "ann at firm.de", "not_an_address"),
        ("phone", "0000000", "placeholder"),
        ("phone", "089 123450", "no_country"),
        ("phone", "+49 1234567 8", "placeholder"),
        ("phone", "call Ann", "not_a_number"),
        ("tax_number", "812526315", "no_country"),
        ("tax_number", "DE000000000", "placeholder"),
        ("tax_number", "none", "placeholder"),
        ("external_id", "unknown", "placeholder"),
    ],
)
def test_what_says_nothing_links_nobody_and_is_reported(type: str, value: str, verdict: str) -> None:
    mapped = two_systems()
    customer(mapped, "shop", "1", **{type: value})
    customer(mapped, "crm", "A", **{type: value})
    assert ids(mapped) == {"crm:A": "crm:A", "shop:1": "shop:1"}
    assert mapped.rows("select type, verdict, records from identity.refused_identifiers") == [
        (type, verdict, 2)
    ]


def test_unicode_widths_extensions_and_country_codes() -> None:
    mapped = two_systems(country="GB")
    customer(mapped, "shop", "1", phone="020 7946 0958 ext. 12")
    customer(mapped, "shop", "2", phone="０２０ ７９４６ ０９５９")
    customer(mapped, "shop", "3", email="ａｎｎ@firm.co.uk")
    customer(mapped, "crm", "A", phone="+44 20 7946 0958")
    customer(mapped, "crm", "B", phone="0044 20 7946 0959")
    customer(mapped, "crm", "C", email="<ann@firm.co.uk>")
    found = ids(mapped)
    assert found["shop:1"] != found["crm:A"]
    assert found["shop:2"] == found["crm:B"]
    assert found["shop:3"] == found["crm:C"]


def test_a_shared_mailbox_glues_nobody_together() -> None:
    mapped = two_systems()
    for n in range(6):
        customer(mapped, "crm", f"A{n}", email="team@firm.de" if n < 2 else "ann@firm.de")
        customer(mapped, "crm", f"B{n}", email="office@other.de" if n == 0 else "desk@big.de")
    customer(mapped, "shop", "1", email="office@other.de")
    found = ids(mapped)
    assert (
        found["crm:A0"] != found["crm:A1"]
    )  # a department's mailbox links where one record of a system carries it
    assert found["crm:A2"] == found["crm:A5"]
    assert found["shop:1"] == found["crm:B0"]
    assert len({found[f"crm:B{n}"] for n in range(1, 6)}) == 1
    customer(mapped, "crm", "B6", email="desk@big.de")
    found = ids(mapped)
    assert len({found[f"crm:B{n}"] for n in range(1, 7)}) == 6
    assert mapped.rows("select shown, verdict, records from identity.refused_identifiers order by 1") == [
        ("d***@b***.de", "shared", 6),
        ("t***@f***.de", "shared", 2),
    ]


def test_a_customer_of_too_many_records_loses_its_weak_links() -> None:
    mapped = two_systems(max_records=4)
    for n in range(5):
        customer(
            mapped, "crm", f"A{n}", email=f"a{n}@firm.de", phone=f"+4989123{n}50", tax_number="DE812526315"
        )
    for n in range(5):
        customer(mapped, "shop", f"{n}", email=f"a{n}@firm.de")
        customer(mapped, "shop", f"x{n}", phone=f"+4989123{n}50")
    found = ids(mapped)
    assert len({found[f"crm:A{n}"] for n in range(5)}) == 1  # by tax number
    assert len({found[f"shop:{n}"] for n in range(5)}) == 5
    assert mapped.rows(
        "select count(*) from identity.refused_identifiers where verdict = 'cluster_too_large'"
    ) == [(10,)]


def test_ids_stay_and_the_first_survives_a_merge() -> None:
    mapped = two_systems()
    customer(mapped, "shop", "1", email="ann@firm.de")
    assert ids(mapped) == {"shop:1": "1"}
    customer(mapped, "crm", "A", email="ann@firm.de")
    customer(mapped, "crm", "B")
    assert ids(mapped) == {"crm:A": "1", "crm:B": "crm:B", "shop:1": "1"}
    customer(mapped, "crm", "B", phone="+4989123450")
    customer(mapped, "shop", "1", phone="+4989123450")
    assert ids(mapped) == {"crm:A": "1", "crm:B": "1", "shop:1": "1"}
    assert mapped.rows("from identity.aliases") == [("crm:B", "1", "r3")]
    mapped.con.execute("delete from mapped.identifiers where type = 'phone'")
    assert ids(mapped) == {"crm:A": "1", "crm:B": "crm:B~2", "shop:1": "1"}
    assert mapped.rows("from identity.aliases") == [("crm:B", "crm:B~2", "r3")]
    assert mapped.rows("select customer_id, minted_run, retired_run from identity.customer_ids order by all") == [
        ("1", "r1", None), ("crm:B", "r2", "r3"), ("crm:B~2", "r4", None),
    ]  # fmt: skip


def test_a_record_that_goes_and_comes_back_is_who_it_was() -> None:
    mapped = two_systems()
    customer(mapped, "shop", "1", email="ann@firm.de")
    customer(mapped, "crm", "A", email="ann@firm.de")
    before = ids(mapped)
    assert before == {"crm:A": "crm:A", "shop:1": "crm:A"}
    for table in ("customers", "identifiers"):
        mapped.con.execute(f"create temp table kept_{table} as from mapped.{table} where source = 'shop'")
        mapped.con.execute(f"delete from mapped.{table} where source = 'shop'")
    assert ids(mapped) == {"crm:A": "crm:A"}
    assert mapped.rows("select customer_id, is_present from identity.registry where customer_key = '1'") == [
        ("crm:A", False)
    ]
    for table in ("customers", "identifiers"):
        mapped.con.execute(f"insert into mapped.{table} from kept_{table}")
    assert ids(mapped) == before


def test_an_id_given_for_a_key_is_not_given_for_another_record() -> None:
    mapped = Mapped(warehouse=True)
    mapped.source("shop", "customers")
    customer(mapped, "shop", "crm:A")
    assert ids(mapped) == {"shop:crm:A": "crm:A"}
    mapped.source("crm", "customers")
    customer(mapped, "crm", "A")
    assert ids(mapped) == {"shop:crm:A": "crm:A", "crm:A": "crm:A~2"}


def test_decisions_win_over_identifiers_and_the_last_one_over_the_others() -> None:
    mapped = two_systems()
    for system, key in (("shop", "1"), ("shop", "2"), ("crm", "A"), ("crm", "B")):
        customer(mapped, system, key, email="ann@firm.de")
    assert set(ids(mapped).values()) == {"crm:A"}
    decide(mapped, 1, "split", "shop:1", "crm:B")
    split = {"crm:A": "crm:A", "shop:2": "crm:A", "crm:B": "crm:B", "shop:1": "crm:B"}
    assert ids(mapped) == split
    customer(mapped, "crm", "C", email="ann@firm.de")
    assert ids(mapped) == {**split, "crm:C": "crm:A"}
    decide(mapped, 2, "merge", "shop:1", "crm:C")
    assert set(ids(mapped).values()) == {"crm:A"}
    decide(mapped, 3, "split", "shop:1")
    found = ids(mapped)
    assert found["shop:1"] not in {found["crm:A"], found["crm:B"]}
    assert mapped.rows("select distinct reason from identity.links where type = 'decision'") == []
    mapped.con.execute(
        "update remembering.identity.decisions set undone_at = decided_at where decision_id = 3"
    )
    assert len(set(ids(mapped).values())) == 1


def test_equal_keys_of_two_systems_are_refused_until_the_settings_decide() -> None:
    mapped = two_systems()
    for system in ("shop", "crm"):
        customer(mapped, system, "17")
        customer(mapped, system, "18")
    with pytest.raises(AmbiguousInput) as refused:
        mapped.build(*TABLES)
    says = str(refused.value)
    assert "sources.crm and sources.shop hold 2 equal customer keys, for example '17'" in says
    assert 'customer_keys = "company"' in says
    for given in ("company", "shop"):
        mapped.con.execute(
            f"update run.source_settings set customer_keys = '{given}', keys_given = true where source = 'shop' "
            f"or '{given}' = 'company'"
        )
        found = ids(mapped)
        assert found == (
            {"company:17": "17", "company:18": "18"}
            if given == "company"
            else {"shop:17": "shop:17", "shop:18": "shop:18", "company:17": "17", "company:18": "18"}
        )


def test_names_as_keys_are_not_shown() -> None:
    mapped = two_systems()
    for system in ("shop", "crm"):
        mapped.add("customers", system, {"customer_id": "Ann Smith", "customer_name": "Ann Smith"})
    with pytest.raises(AmbiguousInput) as refused:
        mapped.build(*TABLES)
    assert "1 equal customer key" in str(refused.value)
    assert "Ann" not in str(refused.value)


def test_costs_with_keys_of_their_own_are_asked_about_too() -> None:
    mapped = Mapped()
    mapped.source("shop", "order_lines")
    mapped.source("erp", "cost_entries")
    mapped.sales("shop", ("1", "2024-01-01", "17", 5))
    mapped.add(
        "cost_entries",
        "erp",
        {"amount": 1, "currency": "EUR", "customer_id": "17", "cost_date": dt.date(2024, 1, 1)},
    )
    with pytest.raises(AmbiguousInput, match="sources.erp and sources.shop hold 1 equal customer key"):
        mapped.build(*TABLES)
