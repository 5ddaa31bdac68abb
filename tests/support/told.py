"""Progress that remembers what it was told."""

from __future__ import annotations


class Told:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.warnings: list[str] = []

    def step(self, says: str, *, detail: str = "") -> None:
        self.steps.append(says)

    def doing(self, says: str) -> None: ...

    def warn(self, says: str) -> None:
        self.warnings.append(says)
