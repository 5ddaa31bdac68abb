"""One command serves pages and takes events: the collector beside the server, kept there, and ended with it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from evervalue.collector.keys import WriteKeys
from evervalue.core.clock import SystemClock
from tests.support.live_shop import LiveShop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> LiveShop:
    return LiveShop(tmp_path_factory.mktemp("served") / "shop")


class Served:
    """`evervalue serve` over a project whose settings have a source of events."""

    def __init__(self, shop: LiveShop) -> None:
        command = [sys.executable, "-u", "-c", "from evervalue.cli import main; main()", "serve", "."]
        self.process = subprocess.Popen(
            [*command, "--port", "0", "--collect-port", "0", "--open"],
            cwd=shop.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            line = self.process.stdout.readline()
            assert line, said
            said += line
        self.pages, self.events = (
            int(port) for port in (re.findall(r"127\.0\.0\.1:(\d+)", said)[at] for at in (0, 1))
        )
        keys = WriteKeys(shop.data, SystemClock())
        self.key = keys.create("web")
        keys.close()

    def send(self, message: dict[str, object]) -> int:
        con = http.client.HTTPConnection("127.0.0.1", self.events, timeout=10)
        authorization = "Basic " + b64encode(f"{self.key}:".encode()).decode()
        con.request("POST", "/v1/track", json.dumps(message), {"Authorization": authorization})
        status = con.getresponse().status
        con.close()
        return status

    def orders(self, key: str) -> int:
        with urlopen(f"http://127.0.0.1:{self.pages}/v1/customers/{key}?part=live") as answer:
            found = json.load(answer)["data"]
        return int(found["frequency"])

    def collector(self) -> int:
        """The process that takes events."""
        lists = Path(f"/proc/{self.process.pid}/task").glob("*/children")  # of each thread its own
        children = [int(pid) for one in lists for pid in one.read_text().split()]
        found = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return found[-1]


@pytest.fixture
def served(shop: LiveShop) -> Iterator[Served]:
    found = Served(shop)
    yield found
    found.process.kill()
    found.process.wait()
    assert found.process.stdout is not None
    found.process.stdout.close()


@pytest.mark.slow
def test_events_are_taken_beside_the_pages_and_again_after_the_collector_died(
    shop: LiveShop, served: Served
) -> None:
    was = 0
    for n in range(2):
        assert served.send({**shop.buys("c1", f"s{n}", 10), "messageId": f"s{n}"}) == 200
        orders = served.orders("c1")
        assert orders > was
        was = orders
        if not n:
            os.kill(served.collector(), signal.SIGKILL)
            for _ in range(200):
                time.sleep(0.1)
                try:
                    if served.send({"event": "x", "userId": "c1"}) == 200:
                        break
                except OSError:
                    continue
            else:
                raise AssertionError("it was not started again")
    collector = served.collector()
    stream = http.client.HTTPConnection("127.0.0.1", served.pages, timeout=10)
    stream.request("GET", "/v1/live/c1")
    answer = stream.getresponse()
    assert b"event: profile" in answer.readline()
    begun = time.monotonic()
    served.process.send_signal(signal.SIGINT)
    served.process.wait(30)
    assert time.monotonic() - begun < 8  # an open stream is not waited for
    assert not Path(f"/proc/{collector}").exists()
    answer.close()
    stream.close()


@pytest.mark.slow
def test_the_collector_ends_with_a_server_that_was_killed(served: Served) -> None:
    collector = served.collector()
    served.process.kill()
    served.process.wait()
    for _ in range(100):
        if not Path(f"/proc/{collector}").exists():
            return
        time.sleep(0.1)
    raise AssertionError("the collector outlived its server")
