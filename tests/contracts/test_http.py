"""What holds for every answer: one error shape, the headers, and that nothing of the inside is told."""

from __future__ import annotations

import base64
import gc
import html
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from evervalue.api.settings import ServerSettings
from evervalue.api.snapshots import Reading, Statement
from evervalue.dashboard.app import create_app
from evervalue.warehouse.duckdb import connect
from tests.support.site import LOOPBACK, saas_data

PAGES = [
    "/",
    "/gems",
    "/segments",
    "/value",
    "/models",
    "/customers",
    "/customers/1093",
    "/cohorts",
    "/revenue",
    "/sources",
    "/sources/sales",
    "/act",
    "/act/targeting?budget=500",
    "/act/audiences",
    "/tables",
    "/tables/customers.lrfm",
]
DATA = [
    "/v1/headline",
    "/v1/customers",
    "/v1/gems",
    "/v1/segments",
    "/v1/clv",
    "/v1/clv/customers",
    "/v1/models",
    "/v1/models/card",
    "/v1/revenue",
    "/v1/revenue?by=product",
    "/v1/cohorts",
    "/v1/sources",
    "/v1/sources/sales",
    "/v1/runs/current",
    "/v1/what-if/1093?orders=2",
    "/v1/actions",
    "/v1/targeting?budget=500",
]
STANDING = ["/runs", "/changes", "/v1/runs", "/v1/compare"]
"""These tell of runs even where the published one cannot be shown."""
CITING = ("/act/targeting",)
"""Pages that name the publications their figures are from."""
DEEP = base64.urlsafe_b64encode(b"[" * 1490).decode()
SURROGATE = base64.urlsafe_b64encode(rb'["customer","\ud800","k",1]').decode()
WRONG = {
    "/v1/nowhere": 404,
    "/v1/customers/nobody": 404,
    "/v1/customers?tier=best": 422,
    "/v1/customers?limit=0": 422,
    "/v1/customers?limit=1001": 422,
    "/v1/customers?unknown=1": 422,
    "/v1/customers?sort=nothing": 400,
    "/v1/customers?after=x": 400,
    "/v1/customers?after=x&before=y": 400,
    f"/v1/customers?after={DEEP}": 400,
    f"/v1/customers?sort=customer&after={SURROGATE}": 400,
    "/v1/gems?sort=region": 400,
    "/v1/segments?part=nothing": 422,
    "/v1/clv?part=nothing": 422,
    "/v1/models?part=nothing": 422,
    "/v1/customers?p_alive_from=2": 422,
    "/v1/customers?clv_from=dear": 422,
    "/v1/headline?format=xml": 422,
    "/v1/runs/yesterday": 404,
    "/v1/sources/nothing": 404,
    "/v1/sources/sales?part=nothing": 422,
}
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = create_app(saas_data(), ServerSettings(allowed_hosts=("value.example",)))
    with TestClient(app, base_url=LOOPBACK, raise_server_exceptions=False, follow_redirects=False) as found:
        yield found


def is_problem(body: Any, status: int) -> bool:
    return (
        set(body) == {"type", "title", "status", "detail", "instance", "errors"}
        and body["status"] == status
        and body["type"].startswith("urn:evervalue:problem:")
        and bool(body["title"] and body["detail"])
    )


@pytest.mark.parametrize(("path", "status"), WRONG.items())
def test_errors_have_one_shape(client: TestClient, path: str, status: int) -> None:
    response = client.get(path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert is_problem(response.json(), status)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/customers", "/customers", "/theme"])
def test_nothing_can_be_changed_from_outside(client: TestClient, path: str, method: str) -> None:
    assert client.request(method, path).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        *DATA,
        *PAGES,
        "/v1/customers?format=csv",
        "/v1/customers?format=xlsx",
        "/v1/customers/1093",
        "/v1/openapi.json",
        "/v1/nowhere",
        "/v1/customers?tier=best",
        "/nowhere",
        "/theme",
    ],
)
def test_head_is_answered_like_get_without_the_body(client: TestClient, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert head.status_code == got.status_code
    assert set(head.headers) == set(got.headers)
    for name in ("content-type", "etag", "content-disposition", "vary"):
        assert head.headers.get(name) == got.headers.get(name)
    assert head.content == b""


def test_head_on_an_export_gives_its_snapshot_back(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    stream = Reading.stream

    def watched(self: Reading, statement: Statement) -> Iterator[Sequence[tuple[Any, ...]]]:
        for piece in stream(self, statement, 1):
            taken.append(len(piece))
            yield piece

    monkeypatch.setattr(Reading, "stream", watched)
    app = create_app(saas_data())
    with TestClient(app, base_url=LOOPBACK) as client:
        assert client.head("/v1/customers?format=csv").status_code == 200
        assert len(taken) < 99
        until = time.monotonic() + 20  # the answer is dropped on another thread
        while app.state.reader._opened.users and time.monotonic() < until:
            gc.collect()
            time.sleep(0.05)
        assert app.state.reader._opened.users == 0


def test_nothing_published_is_an_error_that_passes(tmp_path: Path) -> None:
    with TestClient(create_app(tmp_path), base_url=LOOPBACK) as client:
        for path in DATA:
            response = client.get(path)
            assert response.status_code == 503
            assert response.headers["retry-after"] == "10"
            assert is_problem(response.json(), 503)
            assert str(tmp_path) not in response.text


@pytest.mark.parametrize("where", ["file", "manifest", "settings"])
def test_a_run_that_cannot_be_opened_is_an_error_that_passes(tmp_path: Path, where: str) -> None:
    shutil.copytree(saas_data() / "runs", tmp_path / "runs")
    shutil.copy(saas_data() / "current", tmp_path / "current")
    run = next((tmp_path / "runs").iterdir())
    if where == "file":
        (run / "snapshot.duckdb").write_bytes(b"not a database")
    elif where == "manifest":
        (run / "manifest.json").unlink()
    else:
        (run / "snapshot.duckdb").unlink()
        connect(run / "snapshot.duckdb").close()
    with TestClient(create_app(tmp_path), base_url=LOOPBACK) as client:
        for path in (*DATA, *PAGES):
            response = client.get(path)
            assert response.status_code == 503
            assert "evervalue publish --rollback" in html.unescape(response.text)
            assert str(tmp_path) not in response.text
            if path.startswith("/v1"):
                assert is_problem(response.json(), 503)
            else:
                assert 'id="main"' in response.text


def test_a_failure_tells_nothing_of_the_inside(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(Reading, "result", broken)
    for path in (*DATA, *PAGES):
        response = client.get(path)
        assert response.status_code == 500
        assert "secret" not in response.text
        assert "Traceback" not in response.text
        assert "incident" in response.text
        assert response.headers["content-security-policy"] == POLICY
        if path.startswith("/v1"):
            assert is_problem(response.json(), 500)


@pytest.mark.parametrize("path", [*PAGES, *DATA, *STANDING, "/nowhere", "/v1/nowhere", "/theme"])
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "server" not in headers


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_not_stored_and_vary_as_they_do(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert {"HX-Request", "HX-Target", "Accept-Language", "Cookie"} <= set(headers["vary"].split(", "))


def test_a_foreign_host_name_is_refused(client: TestClient) -> None:
    for name in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""):
        response = client.get("/v1/headline", headers={"Host": name})
        assert response.status_code == 421
        assert is_problem(response.json(), 421)
    for name in ("localhost:1234", "127.0.0.1", "[::1]:80", "VALUE.example:443"):
        assert client.get("/v1/headline", headers={"Host": name}).status_code == 200


def test_a_reader_is_refused_with_a_page_that_needs_no_other_file(client: TestClient) -> None:
    for path in (*PAGES, "/static/0/app.css", "/nowhere"):
        response = client.get(path, headers={"Host": "evil.example", "Accept": "text/html,*/*;q=0.8"})
        assert response.status_code == 421
        assert response.headers["content-type"].startswith("text/html")
        assert response.headers["content-security-policy"] == POLICY
        assert response.headers["cache-control"] == "no-store"
        assert "<h1>Unknown host</h1>" in response.text
        assert "evil" not in response.text
        assert "/static" not in response.text
        assert "<script" not in response.text


def test_a_static_file_that_is_not_there_is_a_page_for_a_reader(client: TestClient) -> None:
    page = client.get("/static/0/app.css", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert 'id="main"' in page.text
    for accept in ("text/css,*/*;q=0.1", "*/*"):
        assert is_problem(client.get("/static/0/app.css", headers={"Accept": accept}).json(), 404)


def test_static_files_are_immutable_under_their_hash(client: TestClient) -> None:
    page = client.get("/gems").text
    script = next(part for part in page.split('"') if part.endswith("/app.js"))
    response = client.get(script)
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"].startswith("text/javascript")
    assert client.get("/static/000000000000/app.js").status_code == 404
    for name in ("..%2Fapp.py", "%2e%2e/app.py", "/etc/passwd", "vendor/VERSIONS.json"):
        assert client.get(script.replace("app.js", name)).status_code == 404


def test_pages_hold_no_script_and_name_no_other_host(client: TestClient) -> None:
    for path in PAGES:
        text = client.get(path).text
        for tag in text.split("<script")[1:]:
            head = tag.split(">")[0]
            assert 'src="/static/' in head or 'type="application/json"' in head
        assert " onclick=" not in text
        assert "javascript:" not in text
        if not path.startswith(CITING):
            assert "http://" not in text.replace(LOOPBACK, "")
            assert "https://" not in text


def test_the_theme_goes_back_to_this_site_alone(client: TestClient) -> None:
    for back in (
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "\\\\evil",
        "",
    ):
        response = client.get("/theme", params={"back": back})
        assert response.status_code == 303
        assert response.headers["location"] == "/"
    response = client.get("/theme", params={"back": "/gems?q=a"})
    assert response.headers["location"] == "/gems?q=a"
    assert response.headers["set-cookie"].startswith("theme=")
    assert "SameSite=lax" in response.headers["set-cookie"]


def test_every_route_is_described(client: TestClient) -> None:
    paths = client.get("/v1/openapi.json").json()["paths"]
    promised = {
        "customers", "customers/{customer_id}", "segments", "gems", "clv", "cohorts", "revenue", "audiences", "models",
        "runs", "sources",
    }  # fmt: skip
    assert {f"/v1/{name}" for name in promised} <= set(paths)
    for path, methods in paths.items():
        assert set(methods) <= {"get", "post", "delete"}, path
        for told in methods.values():
            assert told.get("description") or told.get("summary"), path


def test_page_api_and_export_say_the_same(client: TestClient) -> None:
    asked = "tier=mid&region=EMEA&sort=-revenue"
    api = [row["customer"] for row in client.get(f"/v1/customers?{asked}").json()["data"]]
    export = client.get(f"/v1/customers?{asked}&format=csv").text.splitlines()[1:]
    page = client.get(f"/customers?{asked}").text
    places = [page.index(f">{name.replace('&', '&amp;')}</a>") for name in api]
    assert places == sorted(places)
    assert len(export) == len(api) > 10
