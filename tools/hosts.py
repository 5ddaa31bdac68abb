"""Fail where a tracked file names the host of a package index: the machine says where packages come from."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Put together here, so that this file does not name them either.
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("deb", "debian", "org"),
        ("repo", "maven", "apache", "org"),
        ("repo1", "maven", "org"),
        ("conda", "anaconda", "org"),
        ("proxy", "golang", "org"),
    )
]
NAMED = re.compile("|".join(re.escape(host) for host in HOSTS), re.IGNORECASE)


def tracked() -> list[Path]:
    """Files under version control, and those about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return sorted({ROOT / name for name in listed.stdout.split("\0") if name})


def main() -> None:
    named = []
    for path in tracked():
        if path.is_file():
            text = path.read_bytes().decode("utf-8", errors="replace")
            named += [f"{path.relative_to(ROOT)}: {match[0]}" for match in NAMED.finditer(text)]
    if named:
        sys.exit("Error: these files name a package index; take the host out.\n  " + "\n  ".join(named))
    print("No file names a package index.")


if __name__ == "__main__":
    main()
