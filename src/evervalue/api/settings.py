"""What a server may be told. Every setting has a default that is safe on a workstation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evervalue.api.limits import Limits

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class ServerSettings:
    """How one server process reads and answers."""

    allowed_hosts: tuple[str, ...] = ()
    """Names under which the server may be asked for, besides the loopback ones; '*' allows any."""

    query_timeout_seconds: float = 5.0
    """A query that runs longer is stopped, and the reader is told."""

    export_timeout_seconds: float = 120.0
    """The same for a whole export, which may be a million rows."""

    memory_limit: str | None = None
    """What the engine may hold in memory in this process. Default: what the snapshot needs to stay in memory, at least
    192 MB and at most 2 GB: single rows of one that does not are read from disk again and again."""

    threads: int = 2
    """Engine threads of this process."""

    cached_results: int = 512
    """How many small results are kept for each snapshot."""

    stale_after_days: int = 7
    """A snapshot that was published longer ago is shown with a warning."""

    project: Path | None = None
    """The project's folder, where the first-run page may connect a file; None where the server knows none."""

    prefix: str = ""
    """Path under which a reverse proxy shows the server ('/value')."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses and ranges of reverse proxies whose X-Forwarded-* headers are believed."""

    limits: Limits | None = field(default_factory=Limits)
    """How much one client may ask; None for as much as it likes."""

    workers_folder: Path | None = None
    """Where the processes of one server tell each other what they count; None where there is one."""
