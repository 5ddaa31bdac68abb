"""The server as a user starts it: one process or several, and an address that is taken."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from urllib.request import urlopen

import pytest

from evervalue.core.listening import AddressTaken, listen, own_names
from evervalue.dashboard.serve import serve
from tests.support.site import saas_data

SERVE = """
import sys
from pathlib import Path
from evervalue.dashboard.serve import serve

if __name__ == "__main__":
    serve(Path(sys.argv[1]), port=0, workers=int(sys.argv[2]), ready=lambda address: print(address, flush=True))
"""


@contextmanager
def started(folder: Path, workers: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and the address it announced."""
    script = folder / "start.py"
    script.write_text(SERVE, "utf-8")
    command = [sys.executable, str(script), str(saas_data()), str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_announced_address_answers_and_ctrl_c_ends_it_quietly(tmp_path: Path, workers: int) -> None:
    with started(tmp_path, workers) as (process, address):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        for _ in range(6):
            with urlopen(address + "v1/headline", timeout=20) as answer:
                assert answer.status == 200
                assert b'"gems":14' in answer.read()
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=30)
        assert "Traceback" not in complaints
        assert process.returncode in (0, -signal.SIGINT, 128 + signal.SIGINT)


def test_a_request_that_cannot_be_read_is_told_so_in_our_own_shape(tmp_path: Path) -> None:
    with started(tmp_path, 1) as (_, address):
        port = int(address.rstrip("/").rpartition(":")[2])
        for asked, kind in (
            (b"GET /v1/headline?a=1 HTTP/1.1\r\n\r\n", "application/problem+json"),
            (b"GET /customers HTTP/1.1\r\n\r\n", "text/html; charset=utf-8"),
            (b"\x16\x03\x01\r\n\r\n", "text/html; charset=utf-8"),
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(asked)
                answer = HTTPResponse(connection)
                answer.begin()
                text = answer.read().decode()
            assert answer.status == 400
            assert answer.headers["content-type"] == kind
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "Host header" in text
            if kind == "application/problem+json":
                assert json.loads(text)["instance"] == "/v1/headline"
            else:
                assert "<h1>The request cannot be read</h1>" in text


def test_an_address_that_is_taken_is_told_before_anything_starts(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as held:
        held.listen()
        with pytest.raises(AddressTaken, match="--port"):
            serve(tmp_path, port=held.getsockname()[1])


def test_only_this_machine_is_listened_on_unless_asked() -> None:
    with listen("127.0.0.1", 0) as held:
        assert held.getsockname()[0] == "127.0.0.1"
        assert held.proto == socket.IPPROTO_TCP, "or small answers wait 40 ms"
    assert own_names("127.0.0.1") == ("127.0.0.1",)
    assert socket.gethostname() in own_names("0.0.0.0")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")
def test_a_port_of_a_server_that_ended_is_free_at_once(tmp_path: Path) -> None:
    with started(tmp_path, 1) as (_, address):
        port = int(address.rstrip("/").rsplit(":", 1)[1])
        with urlopen(address + "v1/headline", timeout=20) as answer:
            assert answer.status == 200
    with listen("127.0.0.1", port) as again:
        assert again.getsockname()[1] == port
