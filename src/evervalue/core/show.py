"""How objects show themselves: a few facts and the first rows, as text and as HTML for notebooks, light or dark."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape

# Colours come from the notebook: borders and shades are cuts of the text's own colour.
STYLE = (
    ".evervalue{font-variant-numeric:tabular-nums;line-height:1.45}"
    ".evervalue caption,.evervalue h4{text-align:left;font-weight:600;margin:.2em 0;color:inherit}"
    ".evervalue table{border-collapse:collapse;margin:.4em 0}"
    ".evervalue th,.evervalue td{padding:.15em .7em;text-align:left;border:0;"
    "border-bottom:1px solid color-mix(in srgb,currentColor 18%,transparent);background:none;color:inherit}"
    ".evervalue .n{text-align:right}"
    ".evervalue .mid td:first-child{font-weight:600}"
    ".evervalue .mid td:first-child::before{content:'◆ ';color:#c2560a}"
    ".evervalue .dim{opacity:.7}"
)


@dataclass(frozen=True)
class Sample:
    """The first rows of a table, and how many there are."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    total: int


def text(title: str, facts: Iterable[tuple[str, str]], sample: Sample) -> str:
    """The object in plain text."""
    told = list(facts)
    width = max((len(name) for name, _ in told), default=0)
    lines = [title, *(f"  {name:<{width}}  {says}" for name, says in told)]
    if sample.rows:
        lines += ["", *(f"  {line}" for line in _grid(sample))]
        if sample.total > len(sample.rows):
            lines.append(f"  ... {sample.total - len(sample.rows):,} more")
    return "\n".join(lines)


def html(title: str, facts: Iterable[tuple[str, str]], sample: Sample) -> str:
    """The object as HTML that takes its colours from the page around it."""
    parts = [f"<div class='evervalue'><style>{STYLE}</style><h4>{escape(title)}</h4><table><tbody>"]
    parts += [f"<tr><th scope='row'>{escape(name)}</th><td>{escape(says)}</td></tr>" for name, says in facts]
    parts.append("</tbody></table>")
    if sample.rows:
        numeric = _numeric(sample)
        head = "".join(_cell("th", name, n) for name, n in zip(sample.columns, numeric, strict=True))
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>")
        for row in sample.rows:
            cells = "".join(_cell("td", shown(cell), n) for cell, n in zip(row, numeric, strict=True))
            mark = " class='mid'" if "Mid-Value" in row else ""
            parts.append(f"<tr{mark}>{cells}</tr>")
        parts.append("</tbody></table>")
        if sample.total > len(sample.rows):
            parts.append(f"<div class='dim'>{sample.total - len(sample.rows):,} more</div>")
    return "".join(parts) + "</div>"


def shown(cell: object) -> str:
    """A value as people read it: thousands parted, money with two places, nothing for a missing one."""
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return f"{cell:,.2f}"
    if isinstance(cell, float):
        return f"{cell:,.2f}"
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}"
    if isinstance(cell, dt.date | dt.datetime):
        return cell.isoformat()
    return str(cell)


def _cell(tag: str, value: str, numeric: bool) -> str:
    scope = " scope='col'" if tag == "th" else ""
    return f"<{tag}{scope}{' class=n' if numeric else ''}>{escape(value)}</{tag}>"


def _numeric(sample: Sample) -> list[bool]:
    return [
        any(isinstance(row[n], int | float | Decimal) for row in sample.rows)
        for n in range(len(sample.columns))
    ]


def _grid(sample: Sample) -> list[str]:
    cells = [list(sample.columns), *([shown(cell) for cell in row] for row in sample.rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(sample.columns))]
    numeric = _numeric(sample)
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    ]
