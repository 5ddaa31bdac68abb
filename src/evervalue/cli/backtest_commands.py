"""`evervalue backtest`: purchase models held against naive rules on the orders of a file, without a project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evervalue.cli import app
from evervalue.cli.file_commands import (
    Currency,
    Customer,
    Date,
    DateFormat,
    Decimal_,
    File,
    Format,
    Monetary,
    Order,
    Output,
    Quiet,
    day,
)
from evervalue.core.errors import SettingsError

if TYPE_CHECKING:
    from evervalue.pipeline.backtest import Tested

SHOWN = (
    "bias",
    "mae",
    "rmse",
    "spearman",
    "normalised_gini",
    "top_decile_capture",
    "decile_mape",
    "crps",
    "coverage",
)


@app.command()
def backtest(
    file: File,
    customer: Customer = None,
    order: Order = None,
    date: Date = None,
    monetary: Monetary = None,
    horizon: Annotated[str, typer.Option(help="How far ahead: 39W, 365d, 1y.")] = "39W",
    origins: Annotated[int, typer.Option(min=1, help="How many days in the past to forecast from.")] = 3,
    step: Annotated[
        str | None, typer.Option(help="Time between origins. [default: spread evenly over the history]")
    ] = None,
    model: Annotated[
        str,
        typer.Option(help="auto, or models from the simpler to the less simple: mbg-nbd,bg-nbd,pareto-nbd."),
    ] = "auto",
    spend: Annotated[
        str, typer.Option(help="auto, gamma-gamma, normal-spend, or none for orders alone.")
    ] = "auto",
    interval: Annotated[float, typer.Option(help="Share of outcomes that the intervals are to hold.")] = 0.9,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="First day of which nothing is known, YYYY-MM-DD. [default: day after the newest order]"
        ),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=0, help="At most so many customers, drawn by key; 0 takes all.")
    ] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sample and of the bootstrap.")] = 0,
    date_format: DateFormat = None,
    decimal: Decimal_ = None,
    currency: Currency = None,
    format: Format = None,
    output: Output = None,
    plot: Annotated[Path | None, typer.Option(help="PNG, SVG or PDF file for the plots.")] = None,
    quiet: Quiet = False,
) -> None:
    """How well models would have forecast orders and money, beside rules without a model.

    csv, json and parquet give one row a model and measure; a measure that has no finite value is empty.
    """
    from evervalue.cli import show
    from evervalue.cli.export import chosen_format, write
    from evervalue.pipeline.backtest import ROWS, backtested, land_rows
    from evervalue.pipeline.from_file import scored_files, settings_for_file

    fmt, until = chosen_format(format, output), day(as_of, "--as-of")
    if plot is not None and plot.suffix not in (".png", ".svg", ".pdf"):
        raise SettingsError(f"--plot {plot}: name a file that ends in .png, .svg or .pdf.")
    settings, guesses = settings_for_file(
        file, customer=customer, order=order, date=date, monetary=monetary,
        date_format=date_format, decimal=decimal, currency=currency,
    )  # fmt: skip
    if guesses and not quiet:
        show.warn("guessed, as no option said otherwise: " + "; ".join(guesses) + ".")
    tables = ("curated.orders", "curated.customers", "customers.cutoff")
    with scored_files(settings, *tables, base=Path.cwd(), progress=show.Steps(quiet=True)) as scored:
        for warning in scored.left_out():
            show.warn(warning)
        tested = backtested(
            scored.con,
            horizon=horizon,
            origins=origins,
            models="auto" if model == "auto" else [one.strip() for one in model.split(",")],
            spend=spend,
            interval=interval,
            step=step,
            as_of=until,
            sample=sample or None,
            random_state=seed,
            currency=settings.project.currency,
        )
        for note in (*tested.found.folds.notes, *tested.found.failures):
            show.warn(note)
        if plot is not None:
            _draw(tested, plot)
        if fmt == "table":
            _tell(tested)
            return
        con = scored.con
        con.execute(f"create temp table evervalue_backtest ({ROWS})")
        land_rows(con, tested.found, "evervalue_backtest")
        finite = ", ".join(
            f"case when isfinite({c}) then {c} end as {c}"
            for c in ("value", "difference", "difference_low", "difference_high")
        )
        write(con, f"select * replace ({finite}) from evervalue_backtest", fmt, output)


def _draw(tested: Tested, file: Path) -> None:
    """Writes the four plots.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    from evervalue.core.errors import StorageError
    from evervalue.library.backtest_plots import plot_backtest
    from evervalue.warehouse.frames import needed

    needed("matplotlib", "plot").use("Agg")
    if tested.choice is None:
        raise SettingsError(f"--plot {file}: there is no model to plot. {' '.join(tested.found.failures)}")
    try:
        plot_backtest(tested.found, tested.choice.model).savefig(file, dpi=130)
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror or error}.") from None


def _tell(tested: Tested) -> None:
    """The findings first, rules without a model that win before all; then the table over all origins."""
    from evervalue.cli import show
    from evervalue.models.verdict import level_in_short, naive_wins, number, wide

    found = tested.found
    for says in naive_wins(found):
        show.say(f"A rule without a model wins: {says}")
    for says in (*tested.says, level_in_short(found)):
        if says:
            show.say(says)
    origins = ", ".join(str(fold.origin) for fold in found.folds)
    show.say(f"Origins: {origins}; each forecasts the {found.folds.horizon_days} days from that day on.")
    for target in found.targets[::-1]:
        for group, of in (("known", ""), ("late", ", customers who came after the first origin")):
            rows = [
                r
                for r in wide(found)
                if r["target"] == target and r["origin"] is None and r["customers"] == group
            ]
            if not rows:
                continue
            show.heading(f"{'Orders' if target == 'orders' else 'Money'}, all origins together{of}")
            show.grid(
                ["forecast", *SHOWN],
                [
                    [r["name"] + (" (no model)" if r["naive"] else ""), *(number(c, r[c]) for c in SHOWN)]
                    for r in rows
                ],
            )
