"""The API asked as its own description allows: no error of the server, and answers in the promised shape."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from evervalue.dashboard.app import PAGES, create_app
from tests.support.site import LOOPBACK, saas_data, serving
from tests.unit.api.test_empty_values import WRONG, asked

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_whatever_the_description_allows(tmp_path: Path, full_proof: bool) -> None:
    """Schemathesis asks every route, changing ones too, with values that fit the description and some that do not."""
    folder = tmp_path / "data"
    shutil.copytree(saas_data(), folder, ignore=shutil.ignore_patterns("warehouse*", "state.db*"))
    program = Path(sys.executable).with_name("schemathesis")
    with serving(create_app(folder)) as address:
        done = subprocess.run(
            [
                str(program), "run", f"{address}/v1/openapi.json", "--phases", "fuzzing", "--checks", CHECKS,
                "--max-examples", "200" if full_proof else "12", "--exclude-path-regex", "/live/", "--no-color",
                "--continue-on-failure", "--seed", "7",
            ],
            capture_output=True, text=True, check=False, cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


@pytest.mark.slow
def test_no_address_breaks_a_page() -> None:
    rng = random.Random(3)
    names = sorted({name for _, name in asked()} | {"pair", "against", "id", "columns"})
    paths = [
        route.path
        for page in PAGES
        for route in page.ROUTES
        if "{" not in route.path and "GET" in (route.methods or ())
    ]
    assert len(paths) > 12
    with TestClient(create_app(saas_data()), base_url=LOOPBACK, raise_server_exceptions=False) as client:
        for path in (
            *paths,
            "/customers/1093",
            "/customers/nobody",
            "/sources/sales",
            "/tables/run.settings",
        ):
            for name in names:
                value = rng.choice(WRONG)
                answer = client.get(path, params={name: value}, headers={"accept": "text/html"})
                assert answer.status_code < 500, (path, name, value, answer.text[-600:])
                assert "Traceback" not in answer.text
