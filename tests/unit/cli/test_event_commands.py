"""Events on the command line: a key is made, a server takes events, and what came is shown."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evervalue.collector.log import LOG, Delivery, EventLog
from evervalue.collector.messages import Event, judged
from tests.support.projects import evervalue, project

HEAD = "order,date,customer,amount\n1,2024-01-01,c,1\n"


@contextmanager
def server(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [
        sys.executable,
        "-u",
        "-c",
        "from evervalue.cli import main; main()",
        "collect",
        ".",
        "--port",
        "0",
    ]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://\S+?:\d+/", process.stdout.readline())
            assert found is not None
            yield process, found[0]
        finally:
            process.kill()


def send(url: str, key: str, message_id: str) -> int:
    body = json.dumps({"userId": "u1", "event": "Signed Up", "messageId": message_id}).encode()
    headers = {"Authorization": "Basic " + b64encode(f"{key}:".encode()).decode()}
    with urllib.request.urlopen(urllib.request.Request(f"{url}v1/track", body, headers)) as answer:
        return int(answer.status)


def test_events_are_taken_shown_and_counted(tmp_path: Path) -> None:
    folder = project(tmp_path / "shop", {"sales.csv": HEAD})
    key = evervalue("keys", "create", "web", cwd=folder).stdout.strip()
    assert re.fullmatch(r"evw_[\w-]{32}", key)
    with server(folder) as (process, url):
        assert [send(url, key, name) for name in ("a", "b", "a")] == [200, 200, 200]
        process.send_signal(signal.SIGKILL)
    with server(folder) as (process, url):
        assert send(url, key, "b") == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)
    shown = evervalue("events", "tail", "--no-follow", cwd=folder).stdout
    assert shown.count("Signed Up") == 2
    lines = evervalue("events", "tail", "--no-follow", "-n", "1", "--format", "json", cwd=folder).stdout
    assert json.loads(lines)["messageId"] == "b"
    assert re.search(r"web\s+4\s+2\s+2\s+0", evervalue("events", "count", cwd=folder).stdout)
    listed = evervalue("keys", "list", cwd=folder).stdout
    assert key[:8] in listed
    assert key not in listed
    assert "lets nobody in" in evervalue("keys", "revoke", key[:8], cwd=folder).stdout


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    folder = project(tmp_path / "shop", {"sales.csv": HEAD})
    bad = evervalue("keys", "create", "My Site", cwd=folder)
    assert bad.returncode == 1
    assert "cannot name a source of events" in bad.stderr
    assert (
        "No key that is in use begins with 'evw_'" in evervalue("keys", "revoke", "evw_", cwd=folder).stderr
    )


def test_an_event_is_one_line_and_cannot_steer_the_terminal(tmp_path: Path) -> None:
    folder = project(tmp_path / "shop", {"sales.csv": HEAD})
    event = judged(
        {"type": "track", "userId": "u1", "event": "\x1b[2Ja\nbé\x9b"}, None, sent=None, received_us=0
    )
    assert isinstance(event, Event)
    (folder / "evervalue-data").mkdir(exist_ok=True)
    log = EventLog(folder / "evervalue-data" / LOG)
    log.write([Delivery("web", 0, [event])])
    log.close()
    shown = evervalue("events", "tail", "--no-follow", cwd=folder).stdout
    assert shown.splitlines()[0].endswith("?[2Ja?bé?")
