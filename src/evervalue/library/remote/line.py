"""Questions to one server: connections that are kept, pauses that it asks for, and answers that have not changed."""

from __future__ import annotations

import http.client
import queue
import random
import ssl
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from time import sleep
from urllib.parse import urlencode, urlsplit

import evervalue
from evervalue.core.errors import SettingsError
from evervalue.library.remote.errors import ApiError, Unreachable, api_error

AGAIN = frozenset({429, 502, 503, 504})
KEPT_OPEN = 8
LARGEST_KEPT = 2_000_000
"""Bytes of an answer that is kept to be told that it has not changed."""
PIECE = 1 << 16
LONGEST_PAUSE = 60.0
"""Seconds; a server that asks for a longer one is told of as an error at once."""
FIRST_PAUSE = 0.2


@dataclass(frozen=True)
class Reply:
    """An answer."""

    body: bytes
    kind: str


class Line:
    """The way to one server; any number of threads may use it at the same time."""

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        timeout: float,
        retries: int,
        kept: int,
        verify: ssl.SSLContext | None,
    ) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(
                f"'{url[:200]}' is no address of a server. Write it as https://value.example.com."
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise SettingsError(
                "The address of a server has no user, no '?' and no '#'. Give the key as key=."
            )
        self.host, self.port, self.is_safe = parts.hostname, parts.port, parts.scheme == "https"
        self.prefix = parts.path.rstrip("/")
        self.timeout, self.retries = timeout, retries
        self._key = key
        self._verify = verify
        self._free: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()
        self._kept: OrderedDict[str, tuple[str, Reply]] = OrderedDict()
        self._most_kept = kept
        self._lock = threading.Lock()
        weakref.finalize(self, _closed, self._free)

    def __repr__(self) -> str:
        scheme = "https" if self.is_safe else "http"
        port = f":{self.port}" if self.port else ""
        return f"{scheme}://{self.host}{port}{self.prefix}"

    def get(self, path: str, asked: Mapping[str, object]) -> Reply:
        """The answer to a question.

        Raises
        ------
        ApiError
            The server did not give one, also after the retries.
        """
        target = self.target(path, asked)
        with self._lock:
            held = self._kept.get(target)
        more = {"If-None-Match": held[0]} if held else {}
        for attempt in range(self.retries + 1):
            with self._answered(target, more, attempt) as answer:
                if answer is None:
                    continue
                if answer.status == 304 and held is not None:
                    answer.read()
                    return held[1]
                if answer.status == 200:
                    reply = Reply(answer.read(), answer.headers.get("Content-Type", ""))
                    self._keep(target, answer.headers.get("ETag"), reply)
                    return reply
                self._refused(answer, path, attempt)
        raise AssertionError("the last attempt answers or raises")

    def pieces(self, path: str, asked: Mapping[str, object]) -> Iterator[bytes]:
        """A large answer, piece by piece; it comes whole or not at all.

        Raises
        ------
        ApiError
            The server did not give one, or broke it off.
        """
        target = self.target(path, asked)
        for attempt in range(self.retries + 1):
            with self._answered(target, {}, attempt) as answer:
                if answer is None:
                    continue
                if answer.status == 204:
                    return
                if answer.status == 200:
                    try:
                        while piece := answer.read1(PIECE):
                            yield piece
                    except (http.client.HTTPException, OSError) as error:
                        raise Unreachable(f"{self} broke its answer off ({error}). Ask again.") from None
                    return
                self._refused(answer, path, attempt)

    def target(self, path: str, asked: Mapping[str, object]) -> str:
        """The address of a question."""
        pairs = [(name, text) for name, value in asked.items() for text in _texts(value)]
        return self.prefix + path + (f"?{urlencode(pairs)}" if pairs else "")

    def close(self) -> None:
        """Lets all connections go."""
        _closed(self._free)

    @contextmanager
    def _answered(
        self, target: str, more: Mapping[str, str], attempt: int
    ) -> Iterator[http.client.HTTPResponse | None]:
        """The answer to one attempt; None where the connection broke and another attempt may do better."""
        line, is_old = self._line()
        headers = {"Accept": "application/json", "User-Agent": f"evervalue/{evervalue.__version__}", **more}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            line.request("GET", target, headers=headers)
            answer = line.getresponse()
        except (http.client.HTTPException, OSError) as error:
            line.close()
            if attempt == self.retries:
                raise Unreachable(
                    f"{self} does not answer ({str(error) or type(error).__name__}). Is the server running, and "
                    "the address right?"
                ) from None
            if (
                not is_old
            ):  # a connection that was kept may have been closed meanwhile: that is no reason to wait
                _pause(None, attempt)
            yield None
            return
        try:
            yield answer
        finally:
            if answer.isclosed() and not answer.will_close and self._free.qsize() < KEPT_OPEN:
                self._free.put(line)
            else:
                answer.close()
                line.close()

    def _line(self) -> tuple[http.client.HTTPConnection, bool]:
        try:
            return self._free.get_nowait(), True
        except queue.Empty:
            pass
        if self.is_safe:
            context = self._verify or ssl.create_default_context()
            return http.client.HTTPSConnection(
                self.host, self.port, timeout=self.timeout, context=context
            ), False
        return http.client.HTTPConnection(self.host, self.port, timeout=self.timeout), False

    def _refused(self, answer: http.client.HTTPResponse, path: str, attempt: int) -> None:
        """Waits where the server asks for that and there is another attempt, else raises what it said."""
        body = answer.read(PIECE)
        error = api_error(answer.status, answer.headers.get("Content-Type", ""), body, f"{self}{path}")
        if answer.status in (301, 302, 303, 307, 308):  # a key is not carried to another address
            to = answer.headers.get("Location", "")
            error = ApiError(f"{self} sends on to {to[:200]}. Connect to that address.", answer.status)
        if answer.status not in AGAIN or attempt == self.retries:
            raise error
        wanted = _seconds(answer.headers.get("Retry-After"))
        if wanted is not None and wanted > LONGEST_PAUSE:
            raise error
        _pause(wanted, attempt)

    def _keep(self, target: str, tag: str | None, reply: Reply) -> None:
        if tag is None or self._most_kept == 0 or len(reply.body) > LARGEST_KEPT:
            return
        with self._lock:
            self._kept[target] = tag, reply
            self._kept.move_to_end(target)
            while len(self._kept) > self._most_kept:
                self._kept.popitem(last=False)


def _closed(connections: queue.LifoQueue[http.client.HTTPConnection]) -> None:
    while not connections.empty():
        connections.get_nowait().close()


def _pause(wanted: float | None, attempt: int) -> None:
    """Waits as long as is asked for, or twice as long each time, never all clients at once."""
    least = FIRST_PAUSE * 2**attempt if wanted is None else wanted
    sleep(min(LONGEST_PAUSE, least) + random.random() * 0.1 * max(least, FIRST_PAUSE))


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text is not None else None
    except ValueError:
        return None


def _texts(value: object) -> Iterable[str]:
    """A parameter as the address says it; None is left out.

    >>> list(_texts(True)), list(_texts(date(2024, 1, 2))), list(_texts(None)), list(_texts(["a", "b"]))
    (['true'], ['2024-01-02'], [], ['a', 'b'])
    """
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, date | datetime):
        return [value.isoformat()]
    if isinstance(value, Decimal):
        return [format(value, "f")]
    if isinstance(value, list | tuple | set | frozenset):
        return [text for each in value for text in _texts(each)]
    return [str(value)]
