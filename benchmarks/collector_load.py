"""Sends events to a collector as fast as it answers, or at a steady rate, and tells how long answers took.

`python -m benchmarks.collector_load PORT KEY EVENTS CONNECTIONS SECONDS RATE TAG`: EVENTS in a request (1: /v1/track);
RATE requests a second, 0 for as many as are answered. At a steady rate an answer's time counts from when its request
was due, so that a queue in front of a busy server is seen. Requests are built but for their number before the clock
starts.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections import deque
from typing import cast

import uvloop

PLACE = b"@@@@@@@@"
"""Stands where the number of the request comes: every event has an id that never comes again."""
WARM_SECONDS = 1.0
TICK_SECONDS = 0.001


def event(n: int) -> dict[str, object]:
    """An event as a shop sends it, about 600 bytes."""
    return {
        "type": "track",
        "event": "Product Viewed",
        "messageId": f"bench-TAG-{PLACE.decode()}-{n}",
        "userId": f"user-{n}",
        "anonymousId": "5b2b0f6c-6c4e-4a52-9d0a-1f6f4c3b2a10",
        "timestamp": "2026-11-22T12:00:00.000Z",
        "sentAt": "2026-11-22T12:00:00.250Z",
        "properties": {"product_id": "507f1f77bcf86cd799439011", "sku": "G-32", "name": "Monopoly", "price": 18.99,
                       "currency": "EUR", "category": "Games", "position": 3, "image_url": "https://shop.example/product/G-32.jpg"},
        "context": {"library": {"name": "analytics-python", "version": "2.3.5"}, "ip": "192.0.2.7", "locale": "de-DE",
                    "page": {"path": "/product/G-32", "title": "Monopoly", "url": "https://shop.example/product/G-32"}},
    }  # fmt: skip


def request(key: str, events: int, tag: str) -> bytes:
    """One request with a place for its number."""
    path, value = (
        ("track", event(0)) if events == 1 else ("batch", {"batch": [event(n) for n in range(events)]})
    )
    body = json.dumps(value).replace("TAG", tag).encode()
    basic = base64.b64encode(f"{key}:".encode()).decode()
    head = (
        f"POST /v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {basic}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Load:
    """What is sent and what is answered."""

    def __init__(self, whole: bytes, rate: float) -> None:
        self.whole = whole
        self.rate = rate
        self.n = 0
        self.took: list[float] = []
        self.statuses: dict[str, int] = {}
        self.idle: deque[Sender] = deque()
        self.due: deque[float] = deque()
        self.counting = False
        self.ending = False

    def next(self) -> bytes:
        """A request that was never sent."""
        self.n += 1
        return self.whole.replace(PLACE, b"%08x" % self.n)

    def answered(self, sender: Sender, status: bytes) -> None:
        """Note an answer and send the next request where there is one."""
        now = time.perf_counter()
        if self.counting:
            self.took.append(now - sender.begun)
            self.statuses[status.decode()] = self.statuses.get(status.decode(), 0) + 1
        if self.ending:
            return
        if not self.rate:
            sender.send(now)
        elif self.due:
            sender.send(self.due.popleft())
        else:
            self.idle.append(sender)


class Sender(asyncio.Protocol):
    """One connection, which waits for each answer."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.begun = 0.0
        self.status = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to write."""
        self.transport = cast("asyncio.WriteTransport", transport)

    def send(self, due: float) -> None:
        """Send the next request, which was due then."""
        self.begun = due
        self.transport.write(self.load.next())

    def data_received(self, data: bytes) -> None:
        """Take an answer, which is an object in JSON; it may come in two pieces, head and body."""
        if data.startswith(b"HTTP/1.1 "):
            self.status = data[9:12]
        if data.endswith(b"}"):
            self.load.answered(self, self.status)


async def run(port: int, whole: bytes, connections: int, seconds: float, rate: float) -> dict[str, object]:
    """What came of it."""
    loop = asyncio.get_running_loop()
    load = Load(whole, rate)
    senders = [
        (await loop.create_connection(lambda: Sender(load), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    begun = time.perf_counter()
    if not rate:
        for sender in senders:
            sender.send(time.perf_counter())
        await asyncio.sleep(WARM_SECONDS)
        load.counting, start, cpu = True, time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
    else:
        load.idle.extend(senders)
        sent, start, cpu = 0, begun, time.process_time()
        while (now := time.perf_counter()) < begun + WARM_SECONDS + seconds:
            if not load.counting and now > begun + WARM_SECONDS:
                load.counting, start, cpu = True, now, time.process_time()
            while (due := begun + sent / rate) <= now:
                sent += 1
                if load.idle:
                    load.idle.popleft().send(due)
                else:
                    load.due.append(due)
            await asyncio.sleep(TICK_SECONDS)
    took, spent = time.perf_counter() - start, time.process_time() - cpu
    load.counting, load.ending = False, True
    times = sorted(load.took)
    await asyncio.sleep(1.0)  # the last answers
    for sender in senders:
        sender.transport.close()
    return {
        "requests": len(times),
        "sent": load.n,
        "seconds": took,
        "statuses": load.statuses,
        "late": len(load.due),
        "p50_ms": 1000 * times[len(times) // 2],
        "p99_ms": 1000 * times[int(len(times) * 0.99)],
        "max_ms": 1000 * times[-1],
        "cpu_seconds": spent,
    }


def main() -> None:
    port, key, events, connections, seconds, rate, tag = sys.argv[1:]
    whole = request(key, int(events), tag)
    found = uvloop.run(run(int(port), whole, int(connections), float(seconds), float(rate)))
    print(json.dumps({**found, "pid": os.getpid(), "bytes": len(whole)}))


if __name__ == "__main__":
    main()
