"""`evervalue clv` and `evervalue models`: what customers will be worth, and the fitted models that say so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from evervalue.cli import app
from evervalue.cli.file_commands import (
    AsOf,
    Currency,
    Customer,
    Date,
    DateFormat,
    Decimal_,
    File,
    Format,
    Limit,
    Monetary,
    Order,
    Output,
    Quiet,
    day,
)
from evervalue.cli.project_commands import Folder
from evervalue.core.errors import SettingsError

VALUES = (
    "p_alive, expected_orders, orders_low, orders_high, expected_order_value, expected_clv, clv_low, clv_high, "
    "interval, horizon_days, discount_rate_annual, model, model_says, currency"
)
SHOWN = (
    'customer, round(100 * p_alive)::integer as "alive %", expected_orders::decimal(18,2) as orders, '
    "orders_low::bigint || ' to ' || orders_high::bigint as \"orders between\", "
    'expected_order_value as "an order", expected_clv as value, clv_low as low, clv_high as high'
)


@app.command()
def clv(
    file: File,
    customer: Customer = None,
    order: Order = None,
    date: Date = None,
    monetary: Monetary = None,
    as_of: AsOf = None,
    horizon: Annotated[str, typer.Option(help='How far ahead: 365d, 52W, 2y, or "inf".')] = "365d",
    model: Annotated[
        str,
        typer.Option(
            help="auto lets a backtest on your data choose; pareto-nbd, bg-nbd, mbg-nbd, mbg-cnbd-k."
        ),
    ] = "auto",
    spend: Annotated[
        str, typer.Option(help="auto, gamma-gamma (amounts above zero) or normal-spend.")
    ] = "auto",
    interval: Annotated[
        float, typer.Option(help="Share of realised values that low to high is to hold.")
    ] = 0.9,
    discount_rate: Annotated[
        float, typer.Option(help="Yearly rate at which money to come counts less.")
    ] = 0.1,
    recalibrate: Annotated[
        bool, typer.Option("--recalibrate", help="Correct by what came of predictions made one horizon ago.")
    ] = False,
    date_format: DateFormat = None,
    decimal: Decimal_ = None,
    currency: Currency = None,
    format: Format = None,
    output: Output = None,
    limit: Limit = 20,
    quiet: Quiet = False,
) -> None:
    """What every customer in a file is expected to be worth, with an interval, and why this model."""
    from evervalue.cli import show
    from evervalue.cli.export import chosen_format, write
    from evervalue.cli.tell_value import tell_value
    from evervalue.pipeline.from_file import scored_files, settings_for_file

    fmt = chosen_format(format, output)
    if model == "none":
        raise SettingsError(
            "--model none leaves nothing to tell: evervalue lrfm FILE scores without a model."
        )
    settings, guesses = settings_for_file(
        file, customer=customer, order=order, date=date, monetary=monetary,
        date_format=date_format, decimal=decimal, currency=currency,
        value={"horizon": horizon, "interval": interval, "discount_rate_annual": discount_rate,
               "model": model, "spend": spend, "recalibrate": recalibrate},
    )  # fmt: skip
    if guesses and not quiet:
        show.warn("guessed, as no option said otherwise: " + "; ".join(guesses) + ".")
    tables = ("models.clv", "models.total", "models.fits", "models.parameters", "insight.value_headline")
    with scored_files(
        settings, *tables, base=Path.cwd(), progress=show.Steps(quiet=True), as_of=day(as_of, "--as-of"),
        with_value=True,
    ) as scored:  # fmt: skip
        for warning in scored.left_out():
            show.warn(warning)
        con = scored.con
        con.execute(
            "create temp view evervalue_values as select h.customer, v.* from models.clv as v "
            "join customers.history as h on h.customer_id = v.customer_id "
            "order by v.expected_clv desc nulls last, h.customer, v.customer_id"
        )
        if fmt != "table":
            write(con, f"select {_who(con)}, {VALUES} from evervalue_values", fmt, output)
            return
        tell_value(con)
        cursor = con.execute(f"select {SHOWN} from evervalue_values" + (f" limit {limit}" if limit else ""))
        rows = cursor.fetchall()
        show.heading("Who is expected to bring most")
        show.grid([d[0] for d in cursor.description or []], rows)
        (listed,) = con.execute("select count(*) from evervalue_values").fetchone() or (0,)
        if listed > len(rows):
            show.say(f"\n{listed - len(rows):,} more: --limit 0 shows all, -o value.csv writes them.")


models = typer.Typer(
    help="The fitted models of the published run: what they are, and as SQL.", no_args_is_help=True
)
app.add_typer(models, name="models")


@models.command("list")
def list_models(project: Folder = Path()) -> None:
    """The models of the published run: parameters, why these, what the data cannot tell, how they moved."""
    from evervalue.cli import show
    from evervalue.cli.tell_value import tell_models

    con = _published(project).open()
    try:
        tell_models(con)
    finally:
        con.close()
    show.say("\nevervalue models sql prints them as SQL, evervalue backtest FILE tests them on the past.")


@models.command("sql")
def models_sql(
    project: Folder = Path(),
    dialect: Annotated[str, typer.Option(help="duckdb, spark, redshift, snowflake or bigquery.")] = "duckdb",
) -> None:
    """The models of the published run as one SELECT that scores every customer in your own warehouse."""
    from evervalue.core.errors import NothingPublished
    from evervalue.models.recalibration import Recalibration
    from evervalue.models.registry import read
    from evervalue.models.to_sql import to_sql

    snapshot = _published(project)
    files = [name for name in snapshot.manifest.get("files", {}) if name.startswith("models/")]
    if not files:
        raise NothingPublished("The published run has no fitted model; 'evervalue models list' says why.")
    saved = [read(snapshot.beside(name)) for name in sorted(files)]
    learnt = next((one.about["recalibration"] for one in saved if one.about.get("recalibration")), None)
    typer.echo(
        to_sql(
            *(one.model for one in saved), dialect=dialect, horizon=saved[0].about["settings"]["horizon"],
            checked=False,  # they are the run's own
            recalibration=Recalibration.from_dict(learnt) if learnt else None,
        )
    )  # fmt: skip


def _published(folder: Path) -> Any:
    from evervalue.pipeline.settings import read_project
    from evervalue.warehouse.publish import Publisher

    return Publisher(read_project(folder).data_dir).current()


def _who(con: Any) -> str:
    """The customer's name, with the key where it differs from it."""
    (differs,) = con.execute(
        "select coalesce(bool_or(customer_id <> customer), false) from evervalue_values"
    ).fetchone()
    return "customer_id, customer" if differs else "customer_id"
