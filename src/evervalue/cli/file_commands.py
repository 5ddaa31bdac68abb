"""`evervalue lrfm` and `evervalue gems`: answers from a file, without a project."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from evervalue.cli import app
from evervalue.core.errors import SettingsError

SCORES = (
    "customer, length_days, recency_days, frequency, monetary, "
    "l_score, r_score, f_score, m_score, lrfm_score, customer_value"
)
GEMS = SCORES + (
    ", profit_rank, low_scores, reason, action, action_title, orders_to_high, score_after, step_says, step_worth"
)

File = Annotated[
    Path, typer.Argument(help="CSV, TSV, Parquet, JSON lines or XLSX; a file, a folder or a quoted glob.")
]
Customer = Annotated[
    str | None, typer.Option(help="Column of the customer's name or key. Guessed where not given.")
]
Order = Annotated[
    str | None, typer.Option(help="Column of the order number. Without one every row is an order.")
]
Date = Annotated[str | None, typer.Option(help="Column of the order date.")]
Monetary = Annotated[
    str | None, typer.Option(help="Column of the money to sum up: profit, margin or revenue.")
]
AsOf = Annotated[
    str | None,
    typer.Option(
        help="Cutoff YYYY-MM-DD; orders count up to the day before. [default: day after the newest order]"
    ),
]
DateFormat = Annotated[
    str | None, typer.Option(help='How dates are written, e.g. "%d/%m/%Y", where the file leaves doubt.')
]
Decimal_ = Annotated[
    str | None, typer.Option("--decimal", help='Decimal mark, "." or ",", where the file leaves doubt.')
]
Currency = Annotated[str | None, typer.Option(help="Currency of the amounts, e.g. EUR.")]
Bins = Annotated[int, typer.Option(help="Scores run from 1 to this.")]
Ties = Annotated[str, typer.Option(help="first: equal values are parted by name; share: they share a score.")]
Format = Annotated[str | None, typer.Option("--format", help="table, csv, json or parquet.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")]
Limit = Annotated[int, typer.Option(min=0, help="Rows shown in a table; 0 shows all.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


@app.command()
def lrfm(
    file: File,
    customer: Customer = None,
    order: Order = None,
    date: Date = None,
    monetary: Monetary = None,
    as_of: AsOf = None,
    date_format: DateFormat = None,
    decimal: Decimal_ = None,
    currency: Currency = None,
    bins: Bins = 4,
    ties: Ties = "first",
    format: Format = None,
    output: Output = None,
    limit: Limit = 20,
    quiet: Quiet = False,
) -> None:
    """Length, recency, frequency and monetary scores of every customer in a file."""
    from evervalue.cli import show
    from evervalue.cli.export import chosen_format, write

    fmt = chosen_format(format, output)
    columns = {"customer": customer, "order": order, "date": date, "monetary": monetary}
    doubts = {"date_format": date_format, "decimal": decimal, "currency": currency}
    with _scored(file, columns, doubts, {"bins": bins, "ties": ties}, {}, as_of, quiet, "customers.lrfm") as (
        con,
        headline,
    ):
        names = _with_key(con, SCORES)
        query = f"select {names} from customers.lrfm order by monetary desc, customer, customer_id"
        if fmt != "table":
            write(con, query, fmt, output)
            return
        for sentence in headline.sentences():
            show.say(sentence)
        cursor = con.execute(query + (f" limit {limit}" if limit else ""))
        rows = cursor.fetchall()
        show.say()
        show.grid([d[0] for d in cursor.description or []], rows)
        if headline.customers > len(rows):
            show.say(
                f"\n{headline.customers - len(rows):,} more: --limit 0 shows all, -o scores.csv writes them."
            )


@app.command()
def gems(
    file: File,
    customer: Customer = None,
    order: Order = None,
    date: Date = None,
    monetary: Monetary = None,
    as_of: AsOf = None,
    date_format: DateFormat = None,
    decimal: Decimal_ = None,
    currency: Currency = None,
    bins: Bins = 4,
    ties: Ties = "first",
    top: Annotated[
        int | None,
        typer.Option(help="Gems among the top N by profit. [default: those with the best M score]"),
    ] = None,
    format: Format = None,
    output: Output = None,
    limit: Limit = 20,
    quiet: Quiet = False,
) -> None:
    """Hidden gems: Mid-Value customers among the top profit makers, why, and what to do."""
    from evervalue.cli import show
    from evervalue.cli.export import chosen_format, write
    from evervalue.cli.tell import tell_gems

    fmt = chosen_format(format, output)
    columns = {"customer": customer, "order": order, "date": date, "monetary": monetary}
    doubts = {"date_format": date_format, "decimal": decimal, "currency": currency}
    rule: dict[str, Any] = {"rule": "top_n", "top_n": top} if top is not None else {}
    targets = ("insight.hidden_gems", "insight.action_summary")
    with _scored(file, columns, doubts, {"bins": bins, "ties": ties}, rule, as_of, quiet, *targets) as (
        con,
        headline,
    ):
        if fmt != "table":
            write(
                con,
                f"select {_with_key(con, GEMS)} from insight.hidden_gems order by profit_rank",
                fmt,
                output,
            )
            return
        for sentence in headline.sentences():
            show.say(sentence)
        tell_gems(con, limit=limit, more="--limit 0 shows all, -o gems.csv writes them")


@contextmanager
def _scored(
    file: Path,
    columns: dict[str, str | None],
    doubts: dict[str, str | None],
    lrfm: dict[str, Any],
    gems: dict[str, Any],
    as_of: str | None,
    quiet: bool,
    *targets: str,
) -> Iterator[tuple[Any, Any]]:
    from evervalue.cli import show
    from evervalue.pipeline.from_file import scored_files, settings_for_file
    from evervalue.pipeline.story import headline

    settings, guesses = settings_for_file(file, lrfm=lrfm, gems=gems, **columns, **doubts)  # type: ignore[arg-type]
    steps = show.Steps(quiet=True)
    if guesses and not quiet:
        show.warn("guessed, as no option said otherwise: " + "; ".join(guesses) + ".")
    with scored_files(
        settings, "insight.headline", *targets, base=Path.cwd(), progress=steps, as_of=day(as_of, "--as-of")
    ) as scored:
        head = headline(scored.con)
        for warning in [*scored.left_out(), *head.warnings()]:
            show.warn(warning)
        yield scored.con, head


def day(text: str | None, option: str) -> dt.date | None:
    """The date an option gives.

    Raises
    ------
    SettingsError
        It is not a date.
    """
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{option} {text} is not a date; write it as 2024-01-31.") from None


def instant(text: str | None, option: str) -> dt.datetime | None:
    """The instant an option gives, UTC without a zone; a day means its beginning.

    Raises
    ------
    SettingsError
        It is not an instant.
    """
    if text is None:
        return None
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{option} {text} is not an instant; write it as 2024-01-31T12:00Z.") from None
    return at if at.tzinfo is None else at.astimezone(dt.UTC).replace(tzinfo=None)


def _with_key(con: Any, columns: str) -> str:
    """The columns, with the customer's key where it differs from the shown name."""
    (differs,) = con.execute(
        "select coalesce(bool_or(customer_id <> customer), false) from customers.lrfm"
    ).fetchone()
    return f"customer_id, {columns}" if differs else columns
