"""How long work tells what it is doing, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Listens to steps and warnings of a run."""

    def step(self, says: str, *, detail: str = "") -> None:
        """A step is done (or has something to report)."""
        ...

    def doing(self, says: str) -> None:
        """What is being worked on just now, for those who watch."""
        ...

    def warn(self, says: str) -> None:
        """Something the user should know, that does not stop the run."""
        ...


class Silent:
    """Listens and says nothing; keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def step(self, says: str, *, detail: str = "") -> None:
        """Ignored."""

    def doing(self, says: str) -> None:
        """Ignored."""

    def warn(self, says: str) -> None:
        """Kept in `warnings`."""
        self.warnings.append(says)
