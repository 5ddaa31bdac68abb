"""Runs the collector: one process, on an address that was checked before anything starts."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import uvicorn

from evervalue.collector.app import LONGEST_WAIT_SECONDS, Collector
from evervalue.collector.connections import connections
from evervalue.collector.keys import Keys, WriteKeys
from evervalue.collector.log import LOG, EventLog
from evervalue.collector.records import Log
from evervalue.collector.streams.opening import consuming
from evervalue.collector.streams.settings import StreamSettings
from evervalue.collector.watch import Watch
from evervalue.core.announced import Announced
from evervalue.core.clock import Clock
from evervalue.core.listening import listen, shown_address

GRACE_SECONDS = int(LONGEST_WAIT_SECONDS) + 5
"""How long requests in flight are waited for at the end: until each has its own answer."""


def collect(
    data_dir: Path,
    clock: Clock,
    *,
    host: str = "127.0.0.1",
    port: int = 8766,
    ready: Callable[[str], None] | None = None,
    streams: Mapping[str, StreamSettings] | None = None,
    silences: Callable[[], Mapping[str, float]] | None = None,
    open_log: Callable[[], Log] | None = None,
    keys: Keys | None = None,
) -> None:
    """Take events until stopped; what was acknowledged is on disk.

    Parameters
    ----------
    data_dir
        The project's data directory, which holds the event log and the write keys.
    clock
        Tells when an event came.
    host, port
        Where to listen; port 0 takes a free one. The default is reached from this machine alone.
    ready
        Told the address once events are taken.
    streams
        Source: the stream that brings events of it.
    silences
        Gives how many seconds each source may be silent, where the settings say it; asked once a minute.
    open_log, keys
        Where events are stored and who may send them; default: in files of the data directory.

    Raises
    ------
    AddressTaken
        The address cannot be listened on.
    StorageError
        The log or the keys cannot be opened.
    MissingExtra
        The library that a stream needs is not installed.
    SettingsError
        An option of a stream names a variable that the environment does not set.
    """
    listening = listen(host, port)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        open_log = open_log or (lambda: EventLog(data_dir / LOG))
        keys = keys or WriteKeys(data_dir, clock)
        app = Collector(open_log, keys, clock)
        watch = Watch(app, keys, data_dir, clock, silences)
        config = uvicorn.Config(
            app, http=connections(), ws="none", loop="auto", lifespan="on", log_level="warning", access_log=False,
            proxy_headers=False, server_header=False, date_header=False, backlog=2048,
            timeout_graceful_shutdown=GRACE_SECONDS,
            log_config=None,
        )  # fmt: skip
        found = int(listening.getsockname()[1])
        _settle_memory()
        address = shown_address(host, found)

        def begun() -> None:
            watch.start(host, found, address)
            if ready is not None:
                ready(address)

        put = app.writer.put
        with (
            suppress(KeyboardInterrupt),
            consuming(streams or {}, put, open_log, clock),
        ):
            Announced(config, begun).run(sockets=[listening])
    finally:
        listening.close()


def _settle_memory() -> None:
    """What was imported stays until the end, and events make no cycles: the search for them is rare and short.

    A batch makes thousands of objects; without this a sixth of its time goes into walking over all that was imported.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
