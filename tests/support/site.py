"""The web application, really running on a free loopback port, over really published data."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from evervalue.core.listening import listen
from evervalue.pipeline.settings import read_project
from tests.support.projects import project, run_project, saas_project

LOOPBACK = "http://127.0.0.1"


@functools.cache
def saas_data() -> Path:
    """The data directory of the SaaS example, published once a test session."""
    folder = saas_project(_folder("saas") / "project", value=True)
    run_project(folder)
    return read_project(folder).data_dir


@functools.cache
def revenue_data() -> Path:
    """A small company without costs: returns, a customer without a sale, awkward names, and few customers."""
    rows = [
        "order,date,customer,amount",
        "1,2024-01-02,=cmd|' /C calc'!A0,10.50",
        "2,2024-01-03,Zoë & Søn <script>alert(1)</script>,20",
        "3,2024-02-04,a/b?c#d%20e,30",
        "4,2024-02-05,..,40",
        "5,2024-03-06,Plain,50",
        "6,2024-03-07,Plain,-5",
        '7,2024-03-08,"two\nlines",60',
    ]
    toml = """
[project]
name = "Small shop"
currency = "EUR"
[sources.sales]
path = "sales.csv"
[sources.sales.columns]
order_id = "order"
ordered_at = "date"
customer_name = "customer"
amount = "amount"
[sources.sales.kinds]
return = { column = "amount", below = 0 }
"""
    folder = project(_folder("shop") / "project", {"sales.csv": "\n".join(rows) + "\n"}, toml, value=True)
    run_project(folder)
    return read_project(folder).data_dir


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The address of the application while it runs."""
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", proxy_headers=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.02)
    try:
        yield f"{LOOPBACK}:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=15)
        listening.close()


def _folder(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"evervalue-{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
