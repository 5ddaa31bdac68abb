"""Writes a proposal as a commented evervalue.toml."""

from __future__ import annotations

from pathlib import PurePath

from evervalue.core.text import count, listing
from evervalue.sources.guess import Proposal, toml_text

NEEDED = {
    "ordered_at": "day or instant of the order",
    "customer_id": "customer key",
    "amount": "net revenue of the line (or map quantity and unit_price)",
}
EXAMPLES = {"date_format": '"%d/%m/%Y"', "decimal": '","'}


def render_toml(proposal: Proposal, name: str, *, source: str = "sales", path: str | None = None) -> str:
    """The text of an evervalue.toml for the file that was looked at.

    Parameters
    ----------
    name
        Name of the project.
    source
        Name of the source.
    path
        The file as the project sees it; default: as it was looked at.
    """
    looked = count(proposal.rows, "row") if proposal.whole else f"its first {proposal.rows:,} rows"
    lines = [
        f"# Written after looking at {PurePath(proposal.shown).name} ({looked}).",
        "# Every column below was guessed; the comment says why. What is doubtful is left commented out:",
        "# decide, then run",
        "#     evervalue run && evervalue serve",
        "",
        *project_lines(name, proposal.currency),
        "",
        f"[sources.{source}]",
        'kind = "files"',
        f"path = {toml_text(path or proposal.path)}",
        'provides = "order_lines"',
    ]
    lines += formats(proposal)
    lines += ["", said(f"[sources.{source}.columns]", "field = column as found")]
    for guess in proposal.guesses.values():
        written = f"{guess.field} = {toml_text(guess.column)}"
        lines.append(said(written if guess.sure else f"# {written}", guess.says))
    for needed in proposal.lacks:
        lines.append(said(f'# {needed} = "..."', f"NEEDED: {NEEDED[needed]}; no column looks like it"))
    if proposal.unused:
        lines.append(f"# not used: {listing([toml_text(c) for c in proposal.unused], 12)}")
    if proposal.attributes:
        lines += [
            "",
            said(
                f"[sources.{source}.attributes]", "what is known of a customer; latest and history are kept"
            ),
        ]
        lines += [said(f"{key} = {toml_text(g.column)}", g.says) for key, g in proposal.attributes.items()]
    if proposal.kinds:
        lines += ["", said(f"[sources.{source}.kinds]", "what makes a row something else than a sale")]
        lines += [said(f"{kind} = {rule}", says) for kind, (rule, says) in proposal.kinds.items()]
    return joined([*lines, "", *ending(proposal.monetary)])


def project_lines(name: str, currency: str | None) -> list[str]:
    """The table [project]; `currency` is the one that the amounts say, where they do."""
    lines = ["[project]", f"name = {toml_text(name)}"]
    if currency:
        lines.append(said(f"currency = {toml_text(currency)}", "its sign stands beside the amounts"))
    else:
        lines.append(said('currency = "USD"', "the file does not say; set yours"))
    return [
        *lines,
        said('time_zone = "UTC"', 'where a business day begins and ends, for example "Europe/Berlin"'),
        said("# as_of = 2024-01-01", "cutoff; default: the day after the newest order"),
    ]


def ending(monetary: str) -> list[str]:
    """The tables after the sources; `monetary` is the basis of monetary value."""
    why = {
        "margin": "profit of each line, or amount less cost",
        "revenue": "no column of profit or cost was found",
    }
    return [
        "[lrfm]",
        said(f"monetary = {toml_text(monetary)}", why[monetary]),
        said("bins = 4", "scores run from 1 to 4"),
        said('ties = "share"', 'equal values share a score; "first" parts them by name'),
        "",
        "[gems]",
        said('rule = "m_score"', "Mid-Value customers with the highest monetary score; or top_n, top_share"),
        "",
        "[value]",
        said('horizon = "365d"', "how far ahead value is predicted: days, weeks (52W) or years (2y)"),
        said('model = "auto"', 'a backtest on these data chooses; "none" leaves value out'),
        "",
    ]


def formats(proposal: Proposal) -> list[str]:
    """How dates and numbers are written, where the columns settle it; what is to be decided, where not."""
    lines = []
    for setting, found in (("date_format", proposal.date_format), ("decimal", proposal.decimal)):
        if found:
            lines.append(
                said(
                    f"{setting} = {toml_text(found[0])}",
                    f"because of {found[1]}" if found[1] else "as the column shows",
                )
            )
        elif setting in proposal.doubts:
            lines.append(said(f"# {setting} = {EXAMPLES[setting]}", f"DECIDE: {proposal.doubts[setting]}"))
    return lines


def joined(lines: list[str]) -> str:
    r"""The file of these lines. What a line quotes of the data (the name of a column, say) cannot begin another one.

    >>> joined(["a = 1  # a\n[server]", "", "b = 2"])
    'a = 1  # a [server]\n\nb = 2'
    """
    plain = ("".join(c if c.isprintable() else " " for c in line) for line in lines)
    return "\n".join(plain)


def said(written: str, says: str) -> str:
    """A line of settings with its comment."""
    return f"{written:<44}# {says}" if len(written) < 43 else f"{written}  # {says}"
