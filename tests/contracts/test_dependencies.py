"""What the package imports is what pyproject.toml declares: nothing missing, nothing idle."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

# Where the import is called otherwise than the distribution.
IMPORTED_AS = {
    "argon2-cffi": "argon2",
    "mysql-replication": "pymysqlreplication",
    "nats-py": "nats",
    "pyjwt": "jwt",
    "python-calamine": "python_calamine",
    "prometheus-client": "prometheus_client",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}
# Needed by a dependency of ours, and imported by none of our modules.
NEEDED_BY_OTHERS = {"httptools", "tzdata", "pytz", "uvloop"}


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """Top-level packages that a module imports, and whether it does so on being imported itself."""
    tree = ast.parse(path.read_text())
    lazy = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(outer, ast.If) and "TYPE_CHECKING" in ast.unparse(outer.test))
        for node in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            yield name.split(".")[0], id(node) not in lazy


def declared(lines: list[str]) -> set[str]:
    names = {re.split(r"[<>=\[;! ]", line)[0].lower() for line in lines}
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}


def test_imports_and_dependencies_agree(project_root: Path) -> None:
    project = tomllib.loads((project_root / "pyproject.toml").read_text())["project"]
    core = declared(project["dependencies"])
    extras = declared([line for lines in project["optional-dependencies"].values() for line in lines])
    at_once: dict[str, str] = {}
    at_all: dict[str, str] = {}
    for path in sorted((project_root / "src").rglob("*.py")):
        for name, immediately in imported(path):
            at_all.setdefault(name, path.name)
            if immediately:
                at_once.setdefault(name, path.name)
    known = set(sys.stdlib_module_names) | {"evervalue", "pydantic_core"}  # which is a part of pydantic

    assert not {name: where for name, where in at_once.items() if name not in known | core}
    assert not {name: where for name, where in at_all.items() if name not in known | core | extras}
    assert core - set(at_all) - NEEDED_BY_OTHERS == set(), "declared in pyproject.toml and imported nowhere"
