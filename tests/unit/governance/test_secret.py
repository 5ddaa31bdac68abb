"""The server's secret is its own: made at the first start, and no default that everybody knows."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
from pathlib import Path

import pytest

from evervalue.core.clock import FixedClock
from evervalue.core.errors import SettingsError, StorageError
from evervalue.governance.people import People
from evervalue.governance.secret import FILE, made, server_secret
from evervalue.governance.settings import Access, SignInSettings, access_for

NOW = dt.datetime(2024, 5, 6, tzinfo=dt.UTC)
KNOWN = (
    "\2\1thisismyscretkey\1\2\\e\\y\\y\\h",
    "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
    "thisISaSECRET_1234thisISaSECRET_1234",
    "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
    "TEST_NON_DEV_SECRET_TEST_NON_DEV_SECRET",
    "your-super-secret-and-long-secret-key-here",
    "0123456789abcdef0123456789abcdef",
)


@pytest.mark.parametrize("secret", [*KNOWN, "short", "a" * 64, "abcabcabc" * 8])
def test_superset_cve_2023_27524_a_known_or_weak_secret_is_refused(
    tmp_path: Path, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the default key of the settings signed sessions on thousands of servers."""
    monkeypatch.setenv("EVERVALUE_SECRET", secret.replace("\0", ""))
    people = People(tmp_path, FixedClock(NOW), Access(SignInSettings(secret="${EVERVALUE_SECRET}")))
    with pytest.raises(SettingsError, match="evervalue people secret"):
        people.begin()


def test_a_secret_may_not_stand_in_the_settings_and_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="environment variable"):
        SignInSettings(secret=made())
    people = People(tmp_path, FixedClock(NOW), Access(SignInSettings(secret="${NOT_SET_HERE}")))
    with pytest.raises(SettingsError, match="NOT_SET_HERE"):
        people.begin()


def test_a_made_secret_is_taken() -> None:
    found = {server_secret(Path("unused"), made()) for _ in range(50)}
    assert len(found) == 50


def test_each_server_makes_its_own_and_keeps_it_to_itself(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    first = server_secret(one)
    assert server_secret(one) == first
    assert server_secret(other) != first
    assert (one / FILE).stat().st_mode & 0o777 == 0o600
    assert len(list(one.iterdir())) == 1


def test_processes_that_start_at_once_have_the_same(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert len(set(pool.map(server_secret, [tmp_path] * 6))) == 1


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_file_that_others_may_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    server_secret(tmp_path)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(StorageError, match="may be read by others"):
        server_secret(tmp_path)
    (tmp_path / FILE).chmod(0o600)
    (tmp_path / FILE).write_text("x")
    with pytest.raises(StorageError, match="damaged"):
        server_secret(tmp_path)


def test_the_file_of_accounts_is_its_owners_alone(tmp_path: Path) -> None:
    people = People(tmp_path / "data", FixedClock(NOW), Access())
    people.audit.note("denied")
    for path in (tmp_path / "data").glob("state.db*"):
        assert path.stat().st_mode & 0o077 == 0, path.name


def test_the_door_is_open_on_this_machine_alone_and_only_where_asked_for() -> None:
    plain = SignInSettings()
    assert access_for(plain, "127.0.0.1", is_open=True) is None
    local = access_for(plain, "127.0.0.1")
    assert local is not None
    assert not local.by_account
    for far in (
        access_for(plain, "0.0.0.0"),
        access_for(plain, "192.168.1.5"),
        access_for(plain, "127.0.0.1", sign_in=True),
        access_for(plain, "127.0.0.1", is_proxied=True),
        access_for(SignInSettings(accounts=True), "localhost"),
        access_for(SignInSettings(public_url="https://value.example.com"), "127.0.0.1"),
    ):
        assert far is not None
        assert far.by_account
    for settings, host, more in (
        (plain, "0.0.0.0", {}),
        (plain, "192.168.1.5", {}),
        (plain, "127.0.0.1", {"is_proxied": True}),
        (plain, "127.0.0.1", {"sign_in": True}),
        (SignInSettings(accounts=True), "127.0.0.1", {}),
        (SignInSettings(public_url="https://value.example.com"), "127.0.0.1", {}),
    ):
        with pytest.raises(SettingsError, match="Take --open away"):
            access_for(settings, host, is_open=True, **more)
