"""Streams on the command line: read beside HTTP, checked, and shown with what waits in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kinesis import Kinesis, kinesis_server, stream
from tests.support.projects import evervalue
from tests.support.streaming import Log, body
from tests.unit.cli.test_event_commands import send, server

TOML = """
[sources.web]
kind = "events"
stream = "kinesis://us-east-1/clicks"
start = "oldest"
options = {{ endpoint = "{endpoint}" }}
"""


@pytest.fixture(scope="module")
def clicks() -> Iterator[Kinesis]:
    with kinesis_server() as address, stream(address, 1) as found:
        yield found


def test_a_stream_is_read_beside_http_and_shown(clicks: Kinesis, tmp_path: Path) -> None:
    (tmp_path / "evervalue.toml").write_text(TOML.format(endpoint=clicks.url))
    log = Log(tmp_path / "evervalue-data")
    clicks.put([body(f"s{n}") for n in range(50)])
    key = evervalue("keys", "create", "web", cwd=tmp_path).stdout.strip()
    with server(tmp_path) as (_, url):
        assert send(url, key, "s7") == 200
        assert send(url, key, "h1") == 200
        log.stored(51)
    assert (log.tally().accepted, log.tally().duplicate) == (52, 1)
    clicks.put([body("later")])
    shown = evervalue("events", "streams", "--format", "json", cwd=tmp_path).stdout.splitlines()
    assert [json.loads(line) for line in shown] == [
        {
            "source": "web", "stream": "kinesis://us-east-1/clicks", "part": "shardId-000000000000",
            "position": "50", "behind_records": None, "behind_seconds": 0.0,
        }
    ]  # fmt: skip
    assert "shardId-000000000000" in evervalue("events", "streams", cwd=tmp_path).stdout
    checked = evervalue("sources", "check", "--source", "web", cwd=tmp_path).stdout
    assert "✓ web, stream: kinesis://us-east-1/clicks can be read: 1 shard" in checked


@pytest.mark.slow
def test_a_stream_that_is_not_there_is_told_while_http_goes_on(clicks: Kinesis, tmp_path: Path) -> None:
    text = TOML.format(endpoint=clicks.url).replace("us-east-1/clicks", "us-east-1/absent")
    (tmp_path / "evervalue.toml").write_text(text)
    key = evervalue("keys", "create", "web", cwd=tmp_path).stdout.strip()
    with server(tmp_path) as (_, url):
        assert send(url, key, "h1") == 200
    for command in (["events", "streams"], ["sources", "check", "--source", "web"]):
        done = evervalue(*command, cwd=tmp_path)
        assert done.returncode == 1
        assert "there is no stream 'absent' in us-east-1" in " ".join((done.stdout + done.stderr).split())
