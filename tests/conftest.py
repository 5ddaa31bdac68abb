"""What every test may ask for, and what the summary says about tests that could not run."""

from __future__ import annotations

import os

# Before numpy is imported: a worker a processor, and threads of linear algebra on top, wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support import cdnow, s3

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.mariadb import MariaDB
    from tests.support.postgres import Postgres

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"

os.environ["TZ"] = "UTC"
time.tzset()

# A loaded machine is slow, not wrong. The same examples every time, so that a failure is the change's own; `make proof`
# looks further, at others.
settings.register_profile("check", deadline=None, derandomize=True)
settings.register_profile("full", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("EVERVALUE_PROOF", "check"))

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ABSENT = "data set '{name}' is not in ../shared/data"
absent: Counter[str] = Counter()
skipped_in_browser: list[str] = []


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Public data that lies in the repository; its README names sources and licences."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def saas_sales() -> Path:
    """The example company's sales file."""
    return ROOT / "examples" / "saas" / "SaaS-Sales.csv"


@pytest.fixture(scope="session")
def cdnow_sample() -> Path:
    """The CDNOW sample as published: 6,919 transactions of 2,357 customers, parted by spaces."""
    return cdnow.path()


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """A function from a data set's name to its folder beside the repository; skips where it is absent."""

    def folder(name: str) -> Path:
        if not (SHARED / name).is_dir():
            pytest.skip(ABSENT.format(name=name))
        return SHARED / name

    return folder


@pytest.fixture(scope="session")
def full_proof() -> bool:
    """Whether `make proof` runs: sizes that `make check` reduces are then used whole."""
    return os.environ.get("EVERVALUE_PROOF") == "full"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the Chromium that `make test` found or installed; skips where there is none."""
    path = os.environ.get("EVERVALUE_CHROMIUM", "/usr/bin/chromium")
    if not os.access(path, os.X_OK):
        pytest.skip("no Chromium; `make test` installs it or says how")
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """The browser, started once; a process can have one alone."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL server, one a worker, started when a test first asks for it."""
    from tests.support.postgres import Postgres

    server = Postgres().start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A running MariaDB server with its binary log on, one a worker; skips where `make test` has installed none."""
    from tests.support.mariadb import MariaDB, binary

    try:
        binary()
    except FileNotFoundError as error:
        if browser_tests_must_run():
            raise
        pytest.skip(str(error))
    server = MariaDB().start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """host:port of an object store that lives as long as the tests."""
    with s3.moto_server() as address:
        yield address


@pytest.fixture(name="s3")
def s3_store(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[s3.Store]:
    """An object store with an empty bucket `crm`, which the environment leads to."""
    with s3.store(s3_address, monkeypatch) as store:
        yield store


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark a test by what it asks for, so that no one has to remember."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "shared_data" in fixtures:
            item.add_marker("shared")
        if "chromium" in fixtures:
            item.add_marker("browser")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note browser tests that were skipped, and data sets that were absent; workers report here too."""
    if report.skipped and (found := re.search(ABSENT.format(name="([^']+)"), str(report.longrepr))):
        absent[found[1]] += 1
    if report.skipped and "browser" in report.keywords:
        skipped_in_browser.append(report.nodeid)


def browser_tests_must_run() -> bool:
    """Whether `make check` runs, where no test may be skipped for want of a browser or a server."""
    return bool(os.environ.get("EVERVALUE_NO_SKIPPED_BROWSER_TESTS"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run of `make check` in which a browser test was skipped."""
    if skipped_in_browser and browser_tests_must_run() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which data sets were absent and which browser tests did not run."""
    if absent:
        sets = ", ".join(f"{name} {count}" for name, count in sorted(absent.items()))
        terminalreporter.write_line(f"Absent from ../shared/data, with the tests skipped for it: {sets}")
    if skipped_in_browser:
        verdict = "FAILED, they must run here: " if browser_tests_must_run() else ""
        terminalreporter.write_line(f"{verdict}{len(skipped_in_browser)} browser tests were skipped")
