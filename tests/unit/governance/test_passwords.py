"""Passwords, and attempts to guess them."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evervalue.core.clock import FixedClock
from evervalue.core.errors import InputError
from evervalue.governance.passwords import Passwords, checked, generated
from evervalue.governance.people import People
from evervalue.governance.roles import Role
from evervalue.governance.settings import Access

NOW = dt.datetime(2024, 5, 6, tzinfo=dt.UTC)
GOOD = "a long enough sentence"


class Counting(Passwords):
    """Passwords that count how often the slow part runs."""

    def __init__(self) -> None:
        super().__init__(memory_kib=8, rounds=1, lanes=1)
        self.slow = 0

    def fits(self, kept: str | None, password: str) -> bool:
        self.slow += 1
        return super().fits(kept, password)


@pytest.fixture
def people(tmp_path: Path) -> People:
    found = People(tmp_path, FixedClock(NOW), Access(), passwords=Counting())
    found.accounts.add("ann", Role.ADMIN, GOOD, by="test")
    return found


@pytest.mark.parametrize(
    "weak",
    ["", "short", "a" * 30, "Password1234", "annannannann", "ann.lee.123456", "changeme12345", "x" * 257],
)
def test_weak_passwords_are_refused(weak: str) -> None:
    with pytest.raises(InputError):
        checked(weak, "ann.lee")


def test_good_passwords_are_kept_as_argon2id_with_the_parameters_of_rfc_9106() -> None:
    kept = Passwords().kept(checked(GOOD, "ann"))
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert Passwords().fits(kept, GOOD)
    assert not Passwords().fits(kept, GOOD + "x")
    assert checked(generated(), "ann")


def test_the_same_password_from_another_keyboard_is_the_same() -> None:
    cheap = Passwords(memory_kib=8, rounds=1, lanes=1)
    assert cheap.fits(cheap.kept("Zoe\u0308 and her ﬁsh"), "Zo\u00eb and her fish")


def test_an_unknown_name_is_looked_for_as_long_as_a_known_one(people: People) -> None:
    passwords = people.accounts.passwords
    assert isinstance(passwords, Counting)
    for name in ("ann", "eve"):
        before = passwords.slow
        assert people.sign_in(name, "not the password", "10.0.0.1") == (None, 0)
        assert passwords.slow == before + 1


def test_older_parameters_are_renewed_when_somebody_signs_in(people: People, tmp_path: Path) -> None:
    newer = People(tmp_path, FixedClock(NOW), Access(), passwords=Passwords(memory_kib=16, rounds=1, lanes=1))
    assert newer.sign_in("ann", GOOD, "")[0] is not None
    found = newer.accounts.named("ann")
    assert found is not None
    assert "m=16," in str(found.password)
    assert newer.sign_in("ann", GOOD, "")[0] is not None


def test_attempts_at_the_same_moment_are_counted_each(people: People) -> None:
    """Were they counted after the slow part, all of them would pass before the first one failed."""
    with ThreadPoolExecutor(10) as threads:
        found = list(
            threads.map(lambda n: people.sign_in("ann", "not the password", f"10.0.0.{n}"), range(25))
        )
    passwords = people.accounts.passwords
    assert isinstance(passwords, Counting)
    assert passwords.slow == 5
    assert sum(wait > 0 for _, wait in found) == 20


def test_ids_of_two_shapes_are_one_name(people: People) -> None:
    for name in ("ANN", "ａｎｎ", " ann "):
        with pytest.raises(InputError, match="already"):
            people.accounts.add(name, Role.VIEWER, GOOD, by="test")
    with pytest.raises(InputError, match="cannot be a name"):
        people.accounts.add("local", Role.VIEWER, GOOD, by="test")
