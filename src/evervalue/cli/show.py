"""How the command line writes: findings and tables to standard output, progress and warnings to standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)


class Steps:
    """Progress on standard error: a line for each step with the seconds since the one before; quiet where asked."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.last = time.perf_counter()
        self.status = err.status("") if err.is_terminal and not quiet else None

    def step(self, says: str, *, detail: str = "") -> None:
        """Writes the step."""
        now = time.perf_counter()
        self._still()
        if not self.quiet:
            took = f"{now - self.last:8.2f} s"
            err.print(Text.assemble(("  ✓ ", "green"), f"{says:<32}", (f" {detail:>19}", "dim"), took))
        self.last = now

    def doing(self, says: str) -> None:
        """Shows what is being worked on, where a person watches."""
        if self.status:
            self.status.update(f"  {says}")
            self.status.start()

    def warn(self, says: str) -> None:
        """Writes the warning."""
        self._still()
        warn(says)

    def _still(self) -> None:
        if self.status:
            self.status.stop()


def warn(says: str) -> None:
    """A warning, on standard error."""
    err.print(Text.assemble(("Note: ", "yellow"), says))


def heading(text: str) -> None:
    """A line that begins a part."""
    out.print()
    out.print(Text(text, style="bold"), soft_wrap=not out.is_terminal)


def say(text: str = "") -> None:
    """A plain line."""
    out.print(Text(text), soft_wrap=not out.is_terminal)


def grid(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """A table; numbers to the right, money with two places, nothing for null."""
    listed = [list(row) for row in rows]
    table = Table(
        title=title, title_justify="left", header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for n, name in enumerate(columns):
        numeric = any(isinstance(row[n], int | float | Decimal) for row in listed)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        table.add_row(*(Text(_shown(cell)) for cell in row))
    console = out if out.is_terminal else Console(file=sys.stdout, width=200, highlight=False)
    console.print(table)


def _shown(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return f"{cell:,.2f}"
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}"
    return str(cell)
