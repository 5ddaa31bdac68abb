"""Make the virtual environment from the hashed locks, once, and mend it when an install was cut short.

    python3 tools/environment.py base|dev|peers [--venv .venv]

`base` holds what Evervalue runs on, `dev` everything (every extra, the tests, the linters); `peers` what the
benchmarks compare with and cannot share an environment, without Evervalue itself. Only the standard library is
used, because this runs before anything is installed.

Wheels are downloaded to `.wheels/` first and installed from there, so that a lost network harms nothing
that worked, and an environment that was deleted comes back without one. A stamp in the environment records
what was installed; while it fits the locks, a call does nothing and asks no network.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WHEELS = ROOT / ".wheels"
LOCKS = {"base": ["build", "base"], "dev": ["dev"], "peers": ["peers"]}
# dev.txt pins everything that base.txt pins
INCLUDED_IN = {"base": ["base", "dev"], "dev": ["dev"], "peers": ["peers"]}
OLDEST_PYTHON = (3, 11)


def fingerprint(name: str) -> str:
    """What the environment `name` should have been made of: its locks and the project file."""
    parts = hashlib.sha256()
    for path in [*(ROOT / "requirements" / f"{lock}.txt" for lock in LOCKS[name]), ROOT / "pyproject.toml"]:
        parts.update(path.read_bytes())
    return parts.hexdigest()


def is_usable(venv: Path) -> bool:
    """Whether the environment starts, was not cut short, and still lies where it was made."""
    place = venv / "evervalue-place"
    if (venv / "installing").exists() or (place.exists() and place.read_text() != str(venv)):
        return False
    python = venv / "bin" / "python"
    return python.exists() and subprocess.run([python, "-c", ""], check=False).returncode == 0


def is_current(name: str, venv: Path) -> bool:
    """Whether the environment already holds `name`, or more, at today's locks."""
    stamps = {kind: venv / f"evervalue-{kind}" for kind in INCLUDED_IN[name]}
    fits = any(path.exists() and path.read_text() == fingerprint(kind) for kind, path in stamps.items())
    return fits and is_usable(venv)


def create(venv: Path) -> None:
    """Make the empty environment, anew where the one that is there can be of no use."""
    unfinished = venv / "installing"
    if venv.exists() and not is_usable(venv):
        print(f"{venv.name}: unfinished, moved, or its Python has gone; making it anew.", flush=True)
        shutil.rmtree(venv)
    if not venv.exists():
        print(f"{venv.name}: new environment of Python {sys.version.split()[0]}.", flush=True)
        venv.mkdir(parents=True)
        unfinished.touch()
        made = subprocess.run([sys.executable, "-m", "venv", venv], check=False)
        if made.returncode:
            shutil.rmtree(venv)
            sys.exit(
                "Error: Python could not make a virtual environment. On Debian and Ubuntu install "
                "python3-venv (apt-get install python3-venv), then call make again."
            )
        unfinished.unlink()


def pip(venv: Path, *arguments: str | Path, quiet: bool = False) -> bool:
    """Whether pip, called with these arguments, succeeded."""
    command = [venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    output = subprocess.DEVNULL if quiet else None
    # In a session of its own, so that ctrl-C ends it here, without pip's traceback.
    process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        return process.wait() == 0
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def install(name: str, venv: Path) -> None:
    """Install the locks of `name` and, but for the peers, the project itself."""
    locks: list[str | Path] = []
    for lock in LOCKS[name]:
        locks += ["-r", ROOT / "requirements" / f"{lock}.txt"]
    kept: list[str | Path] = ["--no-index", "--find-links", WHEELS, "--require-hashes", *locks]

    WHEELS.mkdir(exist_ok=True)
    if not pip(venv, "install", "--dry-run", *kept, quiet=True):
        print(f"{venv.name}: downloading the locked packages, a minute or two.", flush=True)
        if not pip(venv, "download", "-q", "-d", WHEELS, "--require-hashes", *locks):
            sys.exit(
                "Error: the locked packages could not be downloaded; pip's reason is above. "
                "Nothing was changed. Call make again when the package index can be reached."
            )
    print(f"{venv.name}: installing.", flush=True)
    unfinished = venv / "installing"
    unfinished.touch()
    project: list[str | Path] = ["--no-index", "--no-deps", "--no-build-isolation", "-e", ROOT]
    alone = name == "peers"
    if not (pip(venv, "install", "-q", *kept) and (alone or pip(venv, "install", "-q", *project))):
        sys.exit("Error: the install did not finish; pip's reason is above. Call make again.")
    (venv / "evervalue-place").write_text(str(venv))
    (venv / f"evervalue-{name}").write_text(fingerprint(name))
    unfinished.unlink()


def main() -> None:
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(
            f"Error: Evervalue needs Python 3.11 or newer; this is {sys.version.split()[0]}. make PYTHON=..."
        )
    parser = argparse.ArgumentParser(description="Make the virtual environment from the hashed locks.")
    parser.add_argument("name", choices=sorted(LOCKS))
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    asked = parser.parse_args()
    venv = asked.venv.absolute()
    os.environ.pop("PYTHONHOME", None)
    os.environ.pop("PYTHONPATH", None)
    try:
        if not is_current(asked.name, venv):
            create(venv)
            install(asked.name, venv)
    except KeyboardInterrupt:
        sys.exit("Stopped. The next call of make starts the install again.")


if __name__ == "__main__":
    main()
