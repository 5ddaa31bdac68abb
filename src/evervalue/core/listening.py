"""An address to serve on: a socket that was bound before anything else starts, and the names it goes by."""

from __future__ import annotations

import socket
from contextlib import suppress

from evervalue.core.errors import EvervalueError

ANY_ADDRESS = ("0.0.0.0", "::", "")


class AddressTaken(EvervalueError):
    """The port is in use, or may not be used."""


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address.

    Raises
    ------
    AddressTaken
        The address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # TCP by name: only then does asyncio send small answers at once instead of waiting for the last one's receipt
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        found.close()
        raise AddressTaken(
            f"Cannot listen on {host} port {port} ({error.strerror or error}). "
            "Another program may be using it: take another one with --port."
        ) from None
    found.set_inheritable(True)
    return found


def own_names(host: str) -> tuple[str, ...]:
    """Names under which this machine is asked for, where it listens on more than the loopback address."""
    if host not in ANY_ADDRESS:
        return (host,)
    name = socket.gethostname()
    names = {name, socket.getfqdn()}
    with suppress(OSError):
        names.update(str(info[4][0]) for info in socket.getaddrinfo(name, None))
    return tuple(sorted(names))


def shown_address(host: str, port: int) -> str:
    """The address as a person would type it."""
    name = f"[{host}]" if ":" in host else "localhost" if host in ANY_ADDRESS else host
    return f"http://{name}:{port}/"
