"""Processes that share an address are dealt connections evenly, and nobody else gets the address."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from evervalue.core.listening import AddressTaken, listen
from evervalue.core.sharing import SharingLoop, share


def test_two_loops_share_an_address_evenly() -> None:
    with ThreadPoolExecutor(1) as thread:  # the main one may have Playwright's loop going on
        took = thread.submit(dealt, 100).result()
    assert sum(took) == 100
    assert min(took) > 20


def dealt(connections: int) -> list[int]:
    """How many of the connections each of two loops took."""
    address = listen("127.0.0.1", 0)
    guard = share(address)
    assert guard is not None
    took = [0, 0]

    def serve(loop: SharingLoop, place: int) -> asyncio.Server:
        def counted() -> asyncio.Protocol:
            took[place] += 1
            return asyncio.Protocol()

        return loop.run_until_complete(loop.create_server(counted, sock=address))

    loops = [SharingLoop(), SharingLoop()]
    servers = [serve(loop, place) for place, loop in enumerate(loops)]
    clients = [socket.create_connection(address.getsockname()) for _ in range(connections)]
    for loop in loops:
        loop.run_until_complete(asyncio.sleep(0.2))
    for one in (*clients, address, guard):
        one.close()
    for loop, server in zip(loops, servers, strict=True):
        loop.run_until_complete(asyncio.sleep(0.2))  # the other ends are seen to be closed
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.close()
    return took


def test_an_address_that_is_shared_is_taken_before_anybody_listens() -> None:
    address = listen("127.0.0.1", 0)
    guard = share(address)
    assert guard is not None
    port = address.getsockname()[1]
    with pytest.raises(AddressTaken):
        listen("127.0.0.1", port)
    for one in (guard, address):
        one.close()
    listen("127.0.0.1", port).close()


def test_an_address_that_is_shared_is_taken_for_others() -> None:
    address = listen("127.0.0.1", 0)
    guard = share(address)
    assert guard is not None
    beside = socket.socket(address.family, address.type, address.proto)
    beside.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    beside.bind(address.getsockname())
    beside.listen()
    with pytest.raises(AddressTaken):
        listen("127.0.0.1", address.getsockname()[1])
    for one in (beside, address, guard):
        one.close()
