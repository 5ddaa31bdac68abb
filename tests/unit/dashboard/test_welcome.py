"""The first-run page: no file outside the folder, nothing overwritten, every fault in words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from evervalue.api.settings import ServerSettings
from evervalue.core.errors import InputError, SettingsError
from evervalue.dashboard.app import create_app
from evervalue.dashboard.pages import welcome
from evervalue.pipeline import connect
from evervalue.pipeline.settings import read_project
from tests.support.projects import SAAS
from tests.support.site import LOOPBACK

SALES = "order,day,client,price\n1,2024-01-13,zelda,5.50\n2,2024-02-14,ben,7\n3,2024-03-15,zelda,9\n"
FORM = {
    "file": "sales.csv",
    "ordered_at": "day",
    "customer_id": "client",
    "amount": "price",
    "order_id": "order",
    "project": "Our shop",
    "project_currency": "eur",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "shop"
    found.mkdir()
    (tmp_path / "secret.csv").write_text(SALES)
    return found


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    app = create_app(folder / "evervalue-data", ServerSettings(project=folder))
    with TestClient(app, base_url=LOOPBACK, follow_redirects=False) as found:
        yield found


def test_files_of_the_folder_are_offered_and_no_others(client: TestClient, folder: Path) -> None:
    (folder / "sales.csv").write_text(SALES)
    (folder / "notes.pdf").write_text("x")
    (folder / ".hidden.csv").write_text(SALES)
    (folder / "evervalue-data").mkdir(exist_ok=True)
    (folder / "evervalue-data" / "own.csv").write_text(SALES)
    (folder / "away.csv").symlink_to(folder.parent / "secret.csv")
    assert [c.name for c in connect.candidates(folder)] == ["sales.csv"]
    page = client.get("/")
    assert page.status_code == 200
    assert "/welcome/columns?file=sales.csv" in page.text
    assert "secret" not in page.text
    assert client.get("/gems", headers={"accept": "text/html"}).status_code == 503


@pytest.mark.parametrize(
    "name",
    [
        "../secret.csv",
        "away.csv",
        "/etc/passwd",
        "..",
        "",
        "nothing.csv",
        "a\0.csv",
        "notes.pdf",
        "x" * 5000 + ".csv",
    ],
)
def test_no_file_outside_the_folder_is_looked_at(client: TestClient, folder: Path, name: str) -> None:
    (folder / "away.csv").symlink_to(folder.parent / "secret.csv")
    (folder / "notes.pdf").write_text("x")
    with pytest.raises(InputError):
        connect.inside(folder, name)
    answer = client.get("/welcome/columns", params={"file": name})
    assert answer.status_code in (400, 422)
    assert "zelda" not in answer.text
    assert client.post("/welcome/columns", data={**FORM, "file": name}).status_code in (400, 422)
    assert not (folder / "evervalue.toml").exists()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/cron.csv", "cron.csv"),
        ("C:\\data\\a b.XLSX", "a-b.xlsx"),
        ("....csv", "sales.csv"),
        ("<script>.csv", "script.csv"),
        ("Umsätze (1).csv", "Umsätze-1.csv"),
        ("x" * 500 + ".csv", "x" * 100 + ".csv"),
    ],
)
def test_an_uploaded_file_has_a_name_that_is_one(
    client: TestClient, folder: Path, name: str, kept: str
) -> None:
    answer = client.post("/welcome/upload", params={"name": name}, content=SALES.encode())
    assert answer.status_code == 201
    assert answer.json()["data"]["file"] == f"incoming/{kept}"
    assert (folder / "incoming" / kept).read_text() == SALES
    assert [p.name for p in folder.parent.rglob("*.part")] == []


def test_an_upload_never_overwrites_and_has_a_limit(
    client: TestClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wanted in ("incoming/a.csv", "incoming/a-2.csv"):
        told = client.post("/welcome/upload?name=a.csv", content=b"x").json()
        assert told["data"]["file"] == wanted
    monkeypatch.setattr(welcome, "MOST_BYTES", 10)

    def pieces() -> Iterator[bytes]:
        yield from (b"12345678", b"12345678")

    for body in (b"x" * 11, pieces()):
        assert client.post("/welcome/upload?name=b.csv", content=body).status_code == 413
    assert client.post("/welcome/upload?name=b.csv", content=b"").status_code == 400
    assert client.post("/welcome/upload?name=b.exe", content=b"x").status_code in (400, 422)
    assert sorted(p.name for p in (folder / "incoming").iterdir()) == ["a-2.csv", "a.csv"]


def test_what_is_not_decided_is_asked_for_and_what_was_chosen_stays(client: TestClient, folder: Path) -> None:
    (folder / "sales.csv").write_text(SALES)
    answer = client.post("/welcome/columns", data={**FORM, "amount": "", "customer_id": "nobody"})
    assert answer.status_code == 422
    assert "“nobody” is no column of the file" in answer.text
    assert "say which column is the amount" in answer.text
    assert 'value="Our shop"' in answer.text
    twice = client.post("/welcome/columns", data={**FORM, "region": "price"})
    assert "olumn “price” is taken for several fields" in twice.text
    money = client.post("/welcome/columns", data={**FORM, "project_currency": 'E"\n'})
    assert money.status_code == 422
    assert not (folder / "evervalue.toml").exists()


def test_what_was_decided_is_what_is_written(folder: Path) -> None:
    (folder / "sales.csv").write_text(
        SALES.replace("2024-01-13", "03/04/2024")
        .replace("2024-02-14", "04/05/2024")
        .replace("2024-03-15", "05/06/2024")
    )
    looked = connect.look(folder, "sales.csv")
    assert "date_format" in looked.proposal.doubts
    assert looked.rows[0] == ("1", "03/04/2024", "zelda", "5.50")
    columns = {
        name: column for name, column in FORM.items() if name in ("ordered_at", "customer_id", "amount")
    }
    chosen = connect.Chosen({**columns, "category": "order"}, 'A "shop"\n[x]', "eur", "%d/%m/%Y", "")
    file = connect.write_settings(folder, looked, chosen)
    project = read_project(folder).settings
    assert (project.project.name, project.project.currency) == ('A "shop"\n[x]', "EUR")
    text = file.read_text("utf-8")
    assert 'date_format = "%d/%m/%Y"' in text
    assert "order_id" not in text
    assert 'category = "order"' in text
    with pytest.raises(SettingsError, match="never overwritten"):
        connect.write_settings(folder, looked, chosen)
    assert file.read_text("utf-8") == text


def test_settings_that_are_there_are_never_overwritten(client: TestClient, folder: Path) -> None:
    (folder / "sales.csv").write_text(SALES)
    (folder / "evervalue.toml").write_text("# mine\n")
    assert client.get("/welcome/columns?file=sales.csv").status_code == 400
    assert client.post("/welcome/columns", data=FORM).status_code == 400
    assert client.post("/welcome/upload?name=a.csv", content=b"x").status_code == 400
    assert "Start the first run" in client.get("/").text
    broken = client.post("/welcome/run")
    assert broken.status_code == 400
    assert "No source is named" in broken.text
    assert (folder / "evervalue.toml").read_text() == "# mine\n"


def test_the_saas_file_is_guessed_as_init_does(folder: Path) -> None:
    (folder / "SaaS-Sales.csv").write_bytes((SAAS / "SaaS-Sales.csv").read_bytes())
    looked = connect.look(folder, "SaaS-Sales.csv")
    assert looked.proposal.columns["customer_id"] == "Customer ID"
    assert looked.proposal.columns["margin"] == "Profit"
    connect.write_settings(folder, looked, connect.Chosen(looked.proposal.columns, "SaaS", "USD"))
    assert read_project(folder).settings.lrfm.monetary == "margin"


@pytest.mark.slow
def test_a_run_that_fails_is_told_with_the_setting_to_change(client: TestClient, folder: Path) -> None:
    (folder / "sales.csv").write_text(SALES)
    assert (
        client.post("/welcome/columns", data={**FORM, "amount": "client", "customer_id": "order"}).status_code
        == 303
    )
    deadline = time.monotonic() + 90
    while "The run did not come through" not in (page := client.get("/").text):
        assert time.monotonic() < deadline
        assert "/welcome/run" not in page, "a run that goes on is not started twice"
        time.sleep(0.3)
    assert "sources.sales" in page
    assert "zelda" not in page.split('class="why-it-failed"')[1].split("</p>")[0]
    assert "Run again" in page
    assert client.get("/v1/runs?part=failed").json()["meta"]["total"] == 1


def test_a_server_that_knows_no_folder_offers_nothing(tmp_path: Path) -> None:
    with TestClient(create_app(tmp_path), base_url=LOOPBACK) as client:
        assert client.get("/", headers={"accept": "text/html"}).status_code == 503
        assert client.post("/welcome/run").status_code == 400
        assert client.post("/welcome/upload?name=a.csv", content=b"x").status_code == 400
