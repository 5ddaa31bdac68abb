"""Runs servers for the tests as somebody who is not root, which database servers refuse to be."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

NOBODY = 65534
"""The user that every Linux has. Running as somebody else than root already, we stay who we are."""


def as_nobody() -> dict[str, Any]:
    """Arguments of Popen that give root's rights away; none where we are not root."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def own_folder(prefix: str) -> Path:
    """A new short-named folder that the unprivileged user owns (sockets may not have long names)."""
    base = "/tmp" if Path("/tmp").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    give_away(folder)
    return folder


def give_away(path: Path) -> None:
    """Lets the unprivileged user own `path`."""
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)


def reachable(path: Path, copies: Path) -> Path:
    """`path`, or a copy of that folder under `copies` where the unprivileged user cannot go to it."""
    if os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents]):
        return path
    return Path(shutil.copytree(path, copies / path.name, symlinks=True, dirs_exist_ok=True))


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Runs a command as the unprivileged user until it ends.

    Raises
    ------
    RuntimeError
        It failed; with the end of what it said.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        **as_nobody(),
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-3000:]}")


def serve(
    command: Sequence[str | Path], folder: Path, log: Path, *, stop: signal.Signals
) -> subprocess.Popen[bytes]:
    """Starts a server as the unprivileged user; it is sent `stop` should this process die without stopping it."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env={**os.environ, "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_dies_with_us(stop),
            **as_nobody(),
        )


def _dies_with_us(stop: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    set_parent_death_signal = 1
    return lambda: libc.prctl(set_parent_death_signal, int(stop))
