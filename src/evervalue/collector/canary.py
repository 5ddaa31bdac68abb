"""The canary: an event that the collector sends to itself over HTTP, and looks for in the log.

A process that is there, and a file that is there, do not yet mean that events are taken. So once a minute one goes the
whole way: over the socket that is listened on, through the key, the verdict, the queue and the commit, and back out of
the log. It belongs to a source that no settings and no key of a user can name, is let in by a key that lives in the
memory of this process alone, and is taken out of the log again once it was found.
"""

from __future__ import annotations

import base64
import datetime as dt
import http.client
import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from evervalue.collector.keys import Keys
from evervalue.collector.records import CANARY, Log
from evervalue.core.clock import Clock
from evervalue.core.errors import EvervalueError

PERIOD_SECONDS = 60.0
PERIODS = 3
"""So many periods without a success are one too many."""
PATIENCE_SECONDS = 10.0
"""How long the answer is waited for: less than the collector waits for its disk."""
KEPT_SECONDS = 600
"""Canaries of other processes on the same log are left for so long, for theirs to find them."""


class Door(Protocol):
    """Who may write."""

    def source_of(self, key: str) -> str | None:
        """The source that a key is for; None where it is none."""


class WithCanary:
    """The write keys of a project, and the one of the canary.

    Parameters
    ----------
    keys
        Those of the project.
    """

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.key = f"evc_{secrets.token_urlsafe(24)}"

    def source_of(self, key: str) -> str | None:
        """The source that a key is for; None where it is none.

        Raises
        ------
        StorageError
            The keys cannot be read.
        """
        if key.startswith("evc_") and secrets.compare_digest(
            key.encode("utf-8", "replace"), self.key.encode()
        ):
            return CANARY
        return self.keys.source_of(key)


@dataclass(frozen=True)
class Trip:
    """One canary's way."""

    at: dt.datetime
    """When it was sent, UTC."""
    seconds: float
    """Until it was found, or given up."""
    fault: str = ""
    """What went wrong; empty where it was found."""


class Canary:
    """Sends canaries to one collector.

    Parameters
    ----------
    open_log
        Opens the log that the collector writes to.
    key
        Lets it in.
    clock
        Tells when it was sent.
    """

    def __init__(self, open_log: Callable[[], Log], key: str, clock: Clock) -> None:
        self.open_log = open_log
        self.key = key
        self.clock = clock

    def trip(self, host: str, port: int) -> Trip:
        """The way of one canary to the collector that listens there; what goes wrong is told in it."""
        at, begun = self.clock.now(), perf_counter()
        name = uuid.uuid4().hex
        fault = self._sent(host, port, name) or self._found(name, at)
        return Trip(at, perf_counter() - begun, fault)

    def _sent(self, host: str, port: int, name: str) -> str:
        """Why it was not acknowledged; empty where it was."""
        body = json.dumps({"event": "Canary", "anonymousId": name, "messageId": name}).encode()
        key = base64.b64encode(f"{self.key}:".encode()).decode()
        con = http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
        try:
            con.request("POST", "/v1/track", body, {"Authorization": f"Basic {key}"})
            status = con.getresponse().status
        except TimeoutError:
            return f"no answer within {PATIENCE_SECONDS:g} seconds"
        except (OSError, http.client.HTTPException) as error:
            return f"no connection ({type(error).__name__})"
        finally:
            con.close()
        return "" if status == 200 else f"answered {status}"

    def _found(self, name: str, at: dt.datetime) -> str:
        """Why it is not in the log; empty where it is. Older ones are taken out."""
        try:
            log = self.open_log()
            try:
                found = log.about(CANARY, [name], 0)
                if found:
                    log.forget(CANARY, int((at.timestamp() - KEPT_SECONDS) * 1_000_000))
            finally:
                log.close()
        except EvervalueError:
            return "acknowledged, and the log cannot be read"
        return "" if found else "acknowledged, and not in the log"
