"""Personal data goes into the log of events and nowhere else: not into lines, metrics, answers or what is said."""

from __future__ import annotations

import gzip
import json
import logging
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evervalue.collector import app as endpoint
from evervalue.collector import standing
from evervalue.collector.log import LOG, EventLog
from evervalue.collector.records import Delivery
from evervalue.collector.writer import Writer
from evervalue.core.errors import StorageError
from tests.support.watching import Watching, watching

NAME, MAIL, PHONE, USER, ADDRESS = (
    "Ada-Lovelace", "ada@personal.example", "+4917012345", "user-4711-personal", "203.0.113.77",
)  # fmt: skip
PERSON: dict[str, Any] = {
    "userId": USER,
    "anonymousId": f"anon-{USER}",
    "traits": {"name": NAME, "email": MAIL, "phone": PHONE},
    "properties": {"email": MAIL, "name": NAME},
    "context": {"ip": ADDRESS, "traits": {"email": MAIL}},
}
MARKS = (NAME, "Lovelace", MAIL, "personal.example", "4711", PHONE, USER, ADDRESS)


class Failing(EventLog):
    """A log that fails as it is told, with what it was given in the message."""

    how = ""

    def write(self, deliveries: Sequence[Delivery]) -> None:
        body = deliveries[0].taken[0].body.decode() if deliveries[0].taken else ""
        if self.how == "disk":
            raise StorageError("The disk is full.")
        if self.how == "crash":
            raise ValueError(f"unforeseen: {body}")
        super().write(deliveries)


def answers(found: Watching, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, str]]:
    """What comes back from every path that an event may take: status and text."""
    told: dict[str, tuple[int, str]] = {}

    def send(name: str, path: str, body: Any, **more: Any) -> None:
        answer = found.web.send(path, body, **more)
        told[name] = answer.status, json.dumps(answer.body) + json.dumps(answer.headers)

    event = {**PERSON, "event": f"Bought by {NAME}", "messageId": "m1"}
    send("good", "/v1/track", event)
    send("again", "/v1/track", event)
    send(
        "partly",
        "/v1/batch",
        {"batch": [{**event, "type": "track"}, {**PERSON, "type": "track"}, MAIL, {"type": NAME}]},
    )
    for n, bad in enumerate(
        (
            {**PERSON, "event": {"email": MAIL}},
            {**PERSON, "event": "E", "timestamp": MAIL},
            {**PERSON, "event": "E", "timestamp": "0001-01-01"},
            {**PERSON, "event": "E", "properties": MAIL},
            {**PERSON, "event": "E", "properties": {"x": MAIL * 3000}},
            {"event": MAIL},
            [MAIL],
        )
    ):  # fmt: skip
        send(f"bad {n}", "/v1/track", bad)
    send("no json", "/v1/track", f'{{"userId": "{MAIL}" oops'.encode())
    send("half a pair", "/v1/track", f'{{"userId": "{MAIL}\\ud800", "x": NaN}}'.encode())
    send("no gzip", "/v1/track", MAIL.encode(), Content_Encoding="gzip")
    send("broken gzip", "/v1/track", gzip.compress(json.dumps(event).encode())[:-9], Content_Encoding="gzip")
    send("bytes", "/v1/track", MAIL.encode() + b"\xff")
    send("no key", "/v1/track", event, key="")
    send("wrong key", "/v1/track", event, key=MAIL)
    send("wrong key in body", "/v1/track", {**event, "writeKey": MAIL}, key="")
    send("too large", "/v1/batch", {"batch": [{**event, "x": MAIL * 40_000}]})
    send("no method", "/v1/track", None, method="GET")
    monkeypatch.setattr(Writer, "put", lambda *_: False)
    send("busy", "/v1/track", {**event, "messageId": "m2"})
    monkeypatch.undo()
    for how in ("disk", "crash"):
        Failing.how = how
        send(how, "/v1/track", {**event, "messageId": f"m-{how}"})
    Failing.how = ""

    def broken(*_: Any) -> None:
        raise ValueError(f"unforeseen: {event}")

    monkeypatch.setattr(endpoint, "judge", broken)
    send("fault", "/v1/track", {**event, "messageId": "m3"})
    monkeypatch.undo()
    return told


def test_nothing_personal_leaves_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    caplog.set_level(logging.DEBUG)
    with watching(data, open_log=lambda: Failing(data / LOG)) as found:
        found.beat(canary=True, minute=True)
        told = answers(found, monkeypatch)
        with socket.create_connection(
            ("127.0.0.1", found.web.port)
        ) as raw:  # what is no HTTP, and a line cut off
            raw.sendall(f"{MAIL} {NAME} HTTP/9\r\nHost: {MAIL}\r\n\r\n".encode())
            raw.settimeout(10)
            told["no http"] = 400, raw.recv(10_000).decode("latin-1")
        found.beat(canary=True, minute=True)
        pages = {
            path: str(found.web.send(path, method="GET").body) for path in ("/metrics", "/readyz", "/healthz")
        }
        stored = [event.body for event in found.web.log().read(0)]
        refused = found.web.log().refused(None, 100)
    assert {status for status, _ in told.values()} >= {200, 400, 401, 413, 429, 500, 503}
    assert any(MAIL.encode() in body for body in stored), "it was really sent"
    assert any(MAIL.encode() in event.body for event in refused)
    said = {
        **{name: text for name, (_, text) in told.items()},
        **pages,
        "lines": found.written.getvalue(),
        "standing": (data / standing.STANDING).read_text(),
        "silences": (data / standing.SILENCES).read_text(),
        "reasons": " ".join(event.says for event in refused),
    }
    assert "refused source=web" in said["lines"]
    assert said["lines"].count('fault="ValueError at test_no_personal_data.py:') == 2
    for where, text in said.items():
        for mark in (*MARKS, found.web.key, found.watch._canary.key):
            assert mark not in text, f"{mark} in {where}"
