"""Asks for live profiles and sends orders at steady rates, and tells how long answers took; one process.

`python -m benchmarks.live_load PAGES EVENTS KEY CUSTOMERS PROFILES ORDERS SECONDS`: PROFILES asked for and ORDERS sent
a second, of random customers. An answer's time counts from when its request was due, so that a queue is seen.
`python -m benchmarks.live_load PAGES EVENTS KEY CUSTOMERS stream TIMES`: how long after the acknowledgement of an order
the stream of the customer's profile tells it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import sys
import time
import uuid
from collections.abc import Callable

import uvloop

CONNECTIONS = 40


class Port:
    """Connections to one server, each used by one request at a time."""

    def __init__(self, port: int, connections: int = CONNECTIONS) -> None:
        self.port, self.connections = port, connections
        self.free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def open(self) -> Port:
        """Itself, connected."""
        for _ in range(self.connections):
            self.free.put_nowait(await asyncio.open_connection("127.0.0.1", self.port))
        return self

    async def ask(self, request: bytes) -> bool:
        """Whether the answer is a good one; it is read to its end."""
        reader, writer = await self.free.get()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = next(int(one[15:]) for one in head.split(b"\r\n") if one.startswith(b"content-length:"))
        await reader.readexactly(length)
        self.free.put_nowait((reader, writer))
        return head.startswith(b"http/1.1 200")


def profile(customers: int) -> bytes:
    """A question about somebody."""
    return f"GET /v1/customers/u{random.randrange(customers)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def order(key: str, who: str) -> bytes:
    """An order of somebody, of a number that never came."""
    number = str(uuid.uuid4())
    body = json.dumps({
        "type": "track", "event": "Order Completed", "userId": who, "messageId": number,
        "properties": {"order_id": number, "subtotal": 20, "currency": "USD"},
    }).encode()  # fmt: skip
    basic = base64.b64encode(f"{key}:".encode()).decode()
    head = f"Host: 127.0.0.1\r\nAuthorization: Basic {basic}\r\nContent-Length: {len(body)}\r\n\r\n"
    return b"POST /v1/track HTTP/1.1\r\n" + head.encode() + body


async def paced(
    port: Port, rate: float, seconds: float, make: Callable[[], bytes]
) -> list[tuple[float, bool]]:
    """Seconds from when each request was due to its answer, and whether it was a good one."""
    took: list[tuple[float, bool]] = []
    start = time.perf_counter()

    async def one(due: float) -> None:
        good = await port.ask(make())
        took.append((time.perf_counter() - start - due, good))

    waiting = []
    for n in range(int(rate * seconds)):
        due = n / rate
        if (pause := due - (time.perf_counter() - start)) > 0:
            await asyncio.sleep(pause)
        waiting.append(asyncio.create_task(one(due)))
    await asyncio.gather(*waiting)
    return took


def told(took: list[tuple[float, bool]]) -> dict[str, float]:
    """Median and 99th percentile, and how many were no good."""
    times = sorted(1000 * one for one, _ in took) or [0.0]
    at = {f"p{share}_ms": times[min(len(times) - 1, len(times) * share // 100)] for share in (50, 99)}
    return {**at, "requests": len(took), "bad": sum(not good for _, good in took)}


async def steady(
    pages: int, events: int, key: str, customers: int, rates: tuple[float, float], seconds: float
) -> None:
    """Profiles and orders side by side."""
    asked, sent = await Port(pages).open(), await Port(events).open()
    await paced(asked, rates[0] / 2, 4, lambda: profile(customers))  # warm
    found = await asyncio.gather(
        paced(asked, rates[0], seconds, lambda: profile(customers)),
        paced(sent, rates[1], seconds, lambda: order(key, f"u{random.randrange(customers)}")),
    )
    print(json.dumps({"profiles": told(found[0]), "orders": told(found[1])}))


async def streamed(pages: int, events: int, key: str, customers: int, times: int) -> None:
    """From the acknowledgement of an order to the stream that tells it."""
    sent = await Port(events, 1).open()  # one that is never idle for long
    took = []
    for _ in range(times):
        who = f"u{random.randrange(customers)}"
        reader, writer = await asyncio.open_connection("127.0.0.1", pages, limit=1 << 20)
        writer.write(f"GET /v1/live/{who} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        await reader.readuntil(b"\ndata: ")
        await reader.readline()
        await asyncio.sleep(random.uniform(0.05, 0.15))
        good = await sent.ask(order(key, who))
        acknowledged = time.perf_counter()
        await asyncio.wait_for(reader.readuntil(b"\ndata: "), 10)
        took.append((max(0.0, time.perf_counter() - acknowledged), good))
        writer.close()
    print(json.dumps(told(took)))


def main() -> None:
    pages, events, customers = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[4])
    if sys.argv[5] == "stream":
        uvloop.run(streamed(pages, events, sys.argv[3], customers, int(sys.argv[6])))
    else:
        rates = float(sys.argv[5]), float(sys.argv[6])
        uvloop.run(steady(pages, events, sys.argv[3], customers, rates, float(sys.argv[7])))


if __name__ == "__main__":
    main()
