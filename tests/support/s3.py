"""A store that speaks the S3 protocol, on loopback, and a go-between that can be told to fail as real ones do."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.client
import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
}
UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE")


@dataclass
class Answer:
    """What the go-between answers in place of the store."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    """Length to claim, where it is not that of the body: the connection is then closed too early."""


Fault = Callable[[str, str, Callable[..., Answer]], Answer | None]
"""Of (method, path with query, what asks the store): an answer, or None to let the request through."""


@dataclass
class Store:
    """The store as a test sees it: a bucket `crm`, and what is asked of it."""

    address: str
    """host:port of the store itself."""
    endpoint: str
    """URL of the go-between, which AWS_ENDPOINT_URL names."""
    bucket: str = "crm"
    asked: list[tuple[str, str]] = field(default_factory=list)
    """(method, path with query) of every request that came through the go-between."""
    fault: Fault | None = None

    def put(self, key: str, body: str | bytes, **options: Any) -> None:
        """Write an object."""
        data = body.encode() if isinstance(body, str) else body
        self._client().put_object(Bucket=self.bucket, Key=key, Body=data, **options)

    def delete(self, key: str) -> None:
        """Take an object away."""
        self._client().delete_object(Bucket=self.bucket, Key=key)

    def fetched(self) -> list[str]:
        """Keys of the objects that were asked for since the last time, in order."""
        prefix = f"/{self.bucket}/"
        keys = [
            p.partition("?")[0].removeprefix(prefix)
            for m, p in self.asked
            if m == "GET" and p.startswith(prefix)
        ]
        self.asked.clear()
        return [key for key in keys if key and not key.startswith("?")]

    def _client(self) -> Any:
        return _client_of(self.address)


@functools.cache
def _client_of(address: str) -> Any:
    """A client of the store itself, for what tests put there."""
    session = importlib.import_module("botocore.session").Session()
    session.set_credentials(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
    by_path = importlib.import_module("botocore.config").Config(s3={"addressing_style": "path"})
    return session.create_client(
        "s3", endpoint_url=f"http://{address}", region_name="us-east-1", config=by_path
    )


@contextmanager
def moto_server() -> Iterator[str]:
    """host:port of a store that is stopped at the end."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"{host}:{port}"
    finally:
        server.stop()


@contextmanager
def store(address: str, patch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store with the bucket `crm` behind a go-between, and the environment that leads there."""
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()
    found = Store(address, "")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _go_between(found))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    found.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    for name, value in KEYS.items():
        patch.setenv(name, value)
    for name in UNSET:
        patch.delenv(name, raising=False)
    patch.setenv("AWS_ENDPOINT_URL", found.endpoint)
    found._client().create_bucket(Bucket=found.bucket)
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refusal(status: int, code: str, message: str = "", *, inside: str = "", **headers: str) -> Answer:
    """An answer that refuses as the protocol does."""
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{inside}</Error>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, text.encode(), {"Content-Type": "application/xml", **named})


def always(answer: Answer, *, objects: bool) -> Fault:
    """Answers every request so: those for objects, or those that list the bucket."""

    def fault(method: str, path: str, ask: Callable[..., Answer]) -> Answer | None:
        return answer if ("list-type" not in path) == objects else None

    return fault


def cut_off(times: int) -> Fault:
    """Breaks off the first transfers of objects in the middle."""
    left = [times]

    def fault(method: str, path: str, ask: Callable[..., Answer]) -> Answer | None:
        if "list-type" in path or left[0] == 0:
            return None
        left[0] -= 1
        answer = ask()
        return Answer(answer.status, answer.body[: len(answer.body) // 2], answer.headers, len(answer.body))

    return fault


def damaged(times: int) -> Fault:
    """Changes a byte of the first objects that come through, which keep the checksum of what they were."""
    left = [times]

    def fault(method: str, path: str, ask: Callable[..., Answer]) -> Answer | None:
        if "list-type" in path or left[0] == 0:
            return None
        left[0] -= 1
        answer = ask()
        answer.headers["x-amz-checksum-sha256"] = base64.b64encode(
            hashlib.sha256(answer.body).digest()
        ).decode()
        return Answer(answer.status, bytes([answer.body[0] ^ 1]) + answer.body[1:], answer.headers)

    return fault


def _go_between(found: Store) -> type[BaseHTTPRequestHandler]:
    class GoBetween(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found.asked.append((self.command, self.path))
            answer = found.fault(self.command, self.path, self._ask) if found.fault else None
            answer = answer or self._ask()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            length = len(answer.body) if answer.length is None else answer.length
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = length != len(answer.body)

        do_HEAD = do_GET  # noqa: N815 - the name that the base class calls

        def _ask(self, path: str | None = None) -> Answer:
            connection = http.client.HTTPConnection(found.address, timeout=30)
            passed = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request(self.command, path or self.path, headers=passed)
            said = connection.getresponse()
            body = said.read()
            dropped = ("content-length", "connection", "transfer-encoding", "date", "server")
            headers = {name: value for name, value in said.getheaders() if name.lower() not in dropped}
            connection.close()
            return Answer(said.status, body, headers)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return GoBetween
