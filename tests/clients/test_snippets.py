"""What docs/collector.md says to set in an SDK is what makes it send to us: each snippet is run as it stands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.clients.conftest import NODE, SDKS
from tests.support.collecting import Collecting, collecting

DOCS = Path(__file__).parents[2] / "docs" / "collector.md"
PROPERTIES = {"order_id": "1001", "revenue": 25, "currency": "EUR"}


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCS.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Collecting]:
    with collecting(tmp_path / "data") as found:
        yield found


def filled(snippet: str, web: Collecting) -> str:
    """The snippet with a key and an address that there are."""
    assert "WRITE_KEY" in snippet
    assert "127.0.0.1:8766" in snippet
    return snippet.replace("WRITE_KEY", web.key).replace("127.0.0.1:8766", f"127.0.0.1:{web.port}")


def assert_order_is_stored(web: Collecting) -> None:
    until = time.monotonic() + 10
    while not (found := web.log().read(0)) and time.monotonic() < until:
        time.sleep(0.05)
    (body,) = [json.loads(event.body) for event in found]
    assert (body["type"], body["event"], body["properties"]) == ("track", "Order Completed", PROPERTIES)


def test_every_sdk_has_its_snippet() -> None:
    assert [len(snippets(language)) for language in ("python", "js", "html")] == [2, 1, 2]


@pytest.mark.parametrize("n", [0, 1], ids=["segment", "rudderstack"])
def test_python(web: Collecting, n: int) -> None:
    subprocess.run([sys.executable, "-c", filled(snippets("python")[n], web)], check=True, timeout=60)
    assert_order_is_stored(web)


def test_node(web: Collecting, sdks: Path) -> None:
    subprocess.run([NODE, "-e", filled(snippets("js")[0], web)], cwd=SDKS, check=True, timeout=60)
    assert_order_is_stored(web)


@pytest.mark.parametrize("n", [0, 1], ids=["asks-for-settings", "told-where"])
def test_browser(web: Collecting, browser: Browser, files: Path, shop: str, n: int) -> None:
    (files / f"snippet{n}.html").write_text(filled(snippets("html")[n], web))
    context = browser.new_context()
    try:
        context.new_page().goto(f"{shop}/snippet{n}.html")
        assert_order_is_stored(web)
    finally:
        context.close()
