"""Writes what several tables seem to be as a commented evervalue.toml."""

from __future__ import annotations

import re
from pathlib import PurePath

from evervalue.core.text import count, listing
from evervalue.sources.guess import Guess, toml_text
from evervalue.sources.guess_tables import Tables
from evervalue.sources.toml_text import NEEDED, ending, formats, joined, project_lines, said


def render_tables(tables: Tables, name: str) -> str:
    """The text of an evervalue.toml for tables that were looked at; `name` is the project's."""
    looked = listing((f"{PurePath(x.path).name} ({count(x.rows, 'row')})" for x in tables.looked.values()), 6)
    currency = tables.proposal.currency if tables.proposal else None
    lines = [
        f"# Written after looking at {looked}.",
        "# Everything below was guessed; the comment says why. What is doubtful is left commented out:",
        "# decide, then run",
        "#     evervalue sources check && evervalue run && evervalue serve",
        "",
        *project_lines(name, currency),
        "",
        *(_of_preset(tables) if tables.preset else _of_links(tables)),
    ]
    if tables.unused:
        lines += ["", f"# not used: {listing([tables.looked[t].path for t in tables.unused], 12)}"]
    margin = (
        tables.preset.has_cost if tables.preset else tables.proposal and tables.proposal.monetary == "margin"
    )
    return joined([*lines, "", *ending("margin" if margin else "revenue")])


def _of_preset(tables: Tables) -> list[str]:
    fit = tables.preset
    assert fit is not None
    lines = [
        f"# {fit.says}.",
        f"[sources.{fit.name}]",
        'kind = "files"',
        said(f"preset = {toml_text(fit.name)}", fit.sentence().partition(": ")[2]),
    ]
    lines += [
        f"# DECIDE: name your own column for {column}; see docs/sources/own_preset.md"
        for column in fit.undecided
    ]
    if fit.without:
        lines += ["", said(f"[sources.{fit.name}.outputs]", "what the preset brings is left out with false")]
        lines += [
            said(f"{output} = false", f"needs {listing(lacks, 6)}") for output, lacks in fit.without.items()
        ]
    for table, name in fit.tables.items():
        lines += ["", f"[sources.{fit.name}.tables.{table}]", f"path = {toml_text(tables.looked[name].path)}"]
    return lines


def _of_links(tables: Tables) -> list[str]:
    proposal = tables.proposal
    assert proposal is not None
    lines = ["[sources.sales]", 'kind = "files"']
    for name in (tables.base, *(link.to for link in tables.links)):
        lines += ["", f"[sources.sales.tables.{name}]", f"path = {toml_text(tables.looked[name].path)}"]
    lines += ["", "[sources.sales.outputs.lines]", 'provides = "order_lines"']
    lines.append(said(f"from = {toml_text(tables.base)}", "one row of it is one row here"))
    for link in tables.links:
        here = link.column if link.table == tables.base else f"{link.table}.{link.column}"
        written = f"lookups.{link.to} = {{ {_key(here)} = {toml_text(link.key)} }}"
        lines.append(said(written, link.sentence()))
    lines += formats(proposal)
    lines += [
        "",
        said("[sources.sales.outputs.lines.columns]", "field = column, or table.column of a lookup"),
    ]
    lines += [_column(guess, tables) for guess in proposal.guesses.values()]
    for needed in proposal.lacks:
        lines.append(said(f'# {needed} = "..."', f"NEEDED: {NEEDED[needed]}; no column looks like it"))
    if proposal.attributes:
        lines += ["", said("[sources.sales.outputs.lines.attributes]", "what is known of a customer")]
        lines += [_column(guess, tables) for guess in proposal.attributes.values()]
    return lines


def _column(guess: Guess, tables: Tables) -> str:
    written = f"{guess.field} = {toml_text(tables.places[guess.column])}"
    return said(written if guess.sure else f"# {written}", guess.says)


def _key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else toml_text(name)
