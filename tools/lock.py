"""Write the hashed locks in requirements/ from pyproject.toml, or check that they fit it.

    python tools/lock.py             resolve, keeping the pins that still fit
    python tools/lock.py --upgrade   resolve to the newest versions allowed
    python tools/lock.py --check     no network: the locks fit pyproject.toml and name no host

`dev.txt` is resolved first, for all extras together. The other locks take their pins from it, so that any
two of them can be installed side by side; `peers.txt` alone stands for itself.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
KEPT: list[str] = PROJECT["tool"]["evervalue"]["lock"]["keep"]
PEERS: list[str] = PROJECT["tool"]["evervalue"]["lock"]["peers"]
SAYS = {
    "base": "What Evervalue runs on.",
    "build": "What builds the wheel and the editable install.",
    "dev": "Everything: every extra, the tests, the linters.",
    "peers": "Peers of the benchmarks, in an environment of their own.",
}
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")


def inputs(name: str) -> list[str]:
    """Direct requirements that the lock `name` answers to."""
    core: list[str] = PROJECT["project"]["dependencies"]
    if name == "build":
        return list(PROJECT["build-system"]["requires"])
    if name == "base":
        return core
    if name == "peers":
        return PEERS
    if name == "dev":
        return [
            *core,
            *PROJECT["build-system"]["requires"],
            *(line for extra in EXTRAS.values() for line in extra),
        ]
    return [*core, *EXTRAS[name]]


def names() -> list[str]:
    """All locks, the joint one first."""
    return ["dev", "build", "base", "peers", *(extra for extra in EXTRAS if extra != "dev")]


def digest(name: str) -> str:
    """Fingerprint of what a lock was made from."""
    asked = {
        "python": PROJECT["project"]["requires-python"],
        "requirements": sorted(inputs(name)),
        "kept": KEPT,
    }
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def header(name: str) -> str:
    says = SAYS.get(name, f"The core and the extra [{name}].")
    return (
        f"# {says} Made from pyproject.toml by `make lock`; do not edit.\n# inputs: sha256:{digest(name)}\n"
    )


def pins(name: str) -> dict[str, set[str]]:
    """Versions by package in a lock. A package has two where Python versions need different ones."""
    found: dict[str, set[str]] = {}
    for line in (FOLDER / f"{name}.txt").read_text().splitlines():
        if match := PIN.match(line):
            found.setdefault(canonicalize_name(match["name"]), set()).add(match["version"])
    return found


def compile_lock(name: str, upgrade: bool) -> None:
    """Resolve one lock for every platform and Python that the project allows."""
    target = FOLDER / f"{name}.txt"
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "asked.in"
        asked.write_text("\n".join(inputs(name)) + "\n")
        kept = Path(folder) / "kept.in"
        kept.write_text("\n".join(KEPT) + "\n")
        command = [sys.executable, "-m", "uv", "pip", "compile", str(asked), "--output-file", str(target)]
        command += [
            "--universal",
            "--python-version",
            "3.11",
            "--fork-strategy",
            "fewest",
            "--generate-hashes",
        ]
        command += ["--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate", "--quiet"]
        command += ["--constraint", str(kept)] if name != "peers" else []
        command += ["--upgrade"] if upgrade and name in ("dev", "peers") else []
        command += ["--constraint", str(FOLDER / "dev.txt")] if name not in ("dev", "peers") else []
        subprocess.run(command, check=True, cwd=ROOT)
    target.write_text(header(name) + target.read_text())


def faults() -> list[str]:
    """What is wrong with the locks, one sentence each."""
    wrong = []
    stray = {path.stem for path in FOLDER.glob("*.txt")} - set(names())
    wrong += [f"requirements/{name}.txt belongs to no extra; delete it." for name in sorted(stray)]
    for name in names():
        path = FOLDER / f"{name}.txt"
        if not path.exists():
            wrong.append(f"requirements/{name}.txt is missing; run `make lock`.")
            continue
        text = path.read_text()
        if f"sha256:{digest(name)}\n" not in text:
            wrong.append(
                f"{path.name} was made from other requirements than pyproject.toml has; run `make lock`."
            )
        if "://" in text or re.search(r"^--?(i|f|index|extra|find|trusted)", text, re.MULTILINE):
            wrong.append(f"{path.name} names an index or a host.")
        blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
        bare = [
            block.split("==")[0] for block in blocks if PIN.match(block) and "--hash=sha256:" not in block
        ]
        wrong += [f"{path.name}: {package} has no hash." for package in bare]
        found = pins(name)
        for line in inputs(name):
            asked = Requirement(line)
            versions = found.get(canonicalize_name(asked.name), set())
            if not versions or not all(asked.specifier.contains(version) for version in versions):
                wrong.append(f"{path.name} has no pin that fits '{line}'; run `make lock`.")
        if name == "peers":
            continue
        joint = pins("dev") if (FOLDER / "dev.txt").exists() else {}
        apart = sorted(package for package in found if not found[package] <= joint.get(package, set()))
        wrong += [f"{path.name} and dev.txt pin {package} differently; run `make lock`." for package in apart]
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description="Write or check the hashed locks.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    parser.add_argument("--check", action="store_true", help="check only; needs no network")
    asked = parser.parse_args()
    if not asked.check:
        FOLDER.mkdir(exist_ok=True)
        for name in names():
            compile_lock(name, asked.upgrade)
    if wrong := faults():
        sys.exit("Error: " + "\n       ".join(wrong))
    print(f"{len(names())} locks fit pyproject.toml.")


if __name__ == "__main__":
    main()
