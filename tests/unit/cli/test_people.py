"""The door as a user meets it: the link that serve prints, accounts by command, several processes."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

COMMAND = [sys.executable, "-u", "-c", "from evervalue.cli import main; main()"]
TOML = """
[sources.sales]
path = "sales.csv"
[sources.sales.columns]
order_id = "order"
ordered_at = "date"
customer_name = "customer"
amount = "amount"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "evervalue.toml").write_text(TOML)
    return tmp_path


@contextmanager
def served(folder: Path, *options: str) -> Iterator[str]:
    """What `evervalue serve` says until it answers."""
    process = subprocess.Popen(
        [*COMMAND, "serve", str(folder), "--port", "0", *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    try:
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        yield said
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def people(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "people", *arguments]
    nothing = subprocess.DEVNULL
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=nothing, check=False)


def ask(
    port: int, path: str, cookie: str = "", form: dict[str, str] | None = None
) -> tuple[int, str, str, str]:
    """Status, place, cookies and text of an answer."""
    con = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Accept": "text/html", **({"Cookie": cookie} if cookie else {})}
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    con.request("GET" if form is None else "POST", path, urlencode(form) if form else None, headers)
    answer = con.getresponse()
    cookies = [line.partition(";")[0] for line in answer.headers.get_all("set-cookie") or []]
    found = (answer.status, answer.headers.get("location", ""), "; ".join(cookies), answer.read().decode())
    con.close()
    return found


def test_serve_prints_a_link_that_opens_it_once(folder: Path) -> None:
    with served(folder) as said:
        link = re.search(r"http://127\.0\.0\.1:(\d+)/(\?once=[\w-]{43})", said)
        assert link, said
        port = int(link[1])
        assert ask(port, "/account")[:2] == (303, "/signin?back=%2Faccount")
        status, place, cookie, _ = ask(port, "/account" + link[2])
        assert (status, place) == (303, "/account")
        assert ask(port, "/account", cookie)[0] == 200
        assert ask(port, "/" + link[2])[2] == ""
        further = people(folder, "link", "--port", str(port)).stdout.strip()
        assert ask(port, "/?" + urlsplit(further).query)[2].startswith("evervalue-session")
    assert (folder / "evervalue-data" / "server.secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_the_open_door_is_said_to_be_open_and_is_for_this_machine_alone(folder: Path) -> None:
    with served(folder, "--open") as said:
        assert "The door is open" in said
        port = int(re.findall(r"127\.0\.0\.1:(\d+)", said)[0])
        assert ask(port, "/account")[0] == 200
    for options in (["--host", "0.0.0.0"], ["--trust-proxy", "127.0.0.1"]):
        command = [*COMMAND, "serve", str(folder), "--open", *options]
        refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert refused.returncode == 1
        assert "Take --open away" in refused.stderr


@pytest.mark.slow
def test_accounts_hold_in_every_process_and_begin_by_a_command(folder: Path) -> None:
    with served(folder, "--sign-in", "--workers", "2") as said:
        assert "evervalue people add NAME" in said
        assert "once=" not in said
        port = int(re.findall(r"127\.0\.0\.1:(\d+)", said)[0])
        assert "Nobody has an account here yet" in ask(port, "/signin")[3]
        added = people(folder, "add", "ann", "--role", "admin")
        password = added.stdout.splitlines()[-1]
        assert re.fullmatch("[a-z2-9]{5}(-[a-z2-9]{5}){3}", password), added
        assert people(folder, "remove", "ann").returncode == 1
        _, _, cookie, text = ask(port, "/signin")
        found = re.search('name="csrf" value="([^"]+)"', text)
        assert found, text
        sent = {"csrf": found[1], "name": "ann", "password": password}
        status, place, session, _ = ask(port, "/signin", cookie, sent)
        assert (status, place) == (303, "/")
        assert {ask(port, "/account", session)[0] for _ in range(6)} == {200}
        people(folder, "password", "ann")
        assert {ask(port, "/account", session)[0] for _ in range(6)} == {303}
        statuses = [ask(port, "/signin", cookie, {**sent, "password": "x" * 20})[0] for _ in range(8)]
        assert statuses == [401] * 5 + [429] * 3
    assert password not in (folder / "evervalue-data" / "state.db").read_bytes().decode("latin-1")


@pytest.mark.slow
def test_keys_and_events_by_command(folder: Path) -> None:
    made = people(folder, "keys", "add", "nightly", "--right", "read", "--right", "export", "--days", "10")
    assert made.stdout.startswith("evk_"), made
    listed = people(folder, "keys", "list").stdout
    assert "read export" in " ".join(listed.split())
    key_id = re.search("[0-9a-f]{8}", listed)
    assert key_id
    assert people(folder, "keys", "revoke", key_id[0]).returncode == 0
    assert people(folder, "keys", "revoke", key_id[0]).returncode == 1
    assert "key-revoked" in people(folder, "events").stdout
    assert people(folder, "keys", "add", "x", "--right", "everything").returncode == 1
    assert len(people(folder, "secret").stdout.strip()) >= 43


def test_a_folder_that_is_no_project_gets_no_accounts(tmp_path: Path) -> None:
    refused = people(tmp_path, "add", "ann")
    assert refused.returncode == 1
    assert "evervalue.toml" in refused.stderr
    assert not list(tmp_path.iterdir())
