"""`ev.backtest`: purchase models held against naive rules on a company's own orders, at several days in the past."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from evervalue.core import show
from evervalue.core.errors import SettingsError
from evervalue.core.progress import Silent
from evervalue.core.text import count, listing
from evervalue.library.columns import frame_columns, lines_view
from evervalue.library.history import kind_named
from evervalue.library.orders import Orders
from evervalue.library.session import cutoff, engine, settings
from evervalue.models.backtest import MEASURES, Backtest
from evervalue.models.verdict import COLUMNS, level_in_short, level_with_naive, naive_wins, number, wide
from evervalue.pipeline.backtest import ROWS, Tested, backtested, land_rows, told
from evervalue.pipeline.from_orders import score_orders
from evervalue.warehouse.duckdb import Connection, insert
from evervalue.warehouse.frames import Kind, give_out, kind_of

SHOWN = ("bias", "mae", "spearman", "normalised_gini", "decile_mape", "crps", "coverage")
DECILES = (
    "target text, model text, decile integer, customers bigint, predicted double, actual double, coverage double, "
    "interval_mass double, mean_width double"
)


class BacktestReport:
    """What a backtest found: who forecasts best, the whole table, and four plots.

    Rules without a model that win are named first, here and in `why`.
    """

    def __init__(self, tested: Tested, kind: Kind, like: Any = None) -> None:
        self._tested = tested
        self._kind = kind
        self._like = like

    @property
    def found(self) -> Backtest:
        """Everything, as plain objects: folds, forecasts of every customer, rows."""
        return self._tested.found

    @property
    def best(self) -> str | None:
        """Key of the model that the backtest speaks for, as `ev.CLV` and settings take it; None where none stands."""
        return self._tested.choice.model if self._tested.choice else None

    @property
    def why(self) -> str:
        """Why that one, with numbers, in a sentence or two; a rule without a model that wins comes first."""
        return " ".join(self._tested.says)

    @property
    def best_spend(self) -> str | None:
        """Key of the spend model in the table; None where orders alone were forecast."""
        return self._tested.choice.spend if self._tested.choice else None

    @property
    def naive_wins(self) -> list[str]:
        """A sentence for every measure by which a rule without a model beats every model, by more than chance."""
        return naive_wins(self.found)

    @property
    def level_with_naive(self) -> list[str]:
        """A sentence for every measure by which a rule without a model shows the better figure, within chance."""
        return level_with_naive(self.found)

    @property
    def notes(self) -> list[str]:
        """What was left out, and who could not be fitted."""
        return [*self.found.folds.notes, *self.found.failures]

    @property
    def origins(self) -> list[dt.date]:
        """First day of each label window."""
        return [fold.origin for fold in self.found.folds]

    @property
    def table(self) -> Any:
        """One row a target, origin, group of customers and model, one column a measure; null is what cannot be told.

        `origin` is null in the rows over all origins, which come first. `customers` is "known" for those who had
        bought before the first origin, "late" for those who came later. `n` counts a customer once an origin.
        """
        measures = ", ".join(f"{m.key} double" for m in MEASURES)
        columns = (
            "target text, origin date, customers text, model text, name text, naive boolean, n bigint, "
            + measures
        )
        rows = [
            [told(v) if isinstance(v, float) else v for v in (row[c] for c in COLUMNS)]
            for row in wide(self.found)
        ]
        return self._frame(columns, rows)

    @property
    def measures(self) -> Any:
        """One row a model and measure, those over all origins with the difference to the best naive rule.

        The difference has a 90 % bootstrap interval over customers; `verdict` says better, worse or level.
        """
        with engine("Giving the measures out") as con:
            con.execute(f"create table measures ({ROWS})")
            land_rows(con, self.found, "measures")
            return give_out(con, "select * from measures", self._kind, like=self._like)

    @property
    def deciles(self) -> Any:
        """Mean prediction, mean outcome, coverage and width by tenth of the customers, lowest predictions first."""
        rows = [
            [r.target, r.model, r.decile, r.customers,
             *map(told, (r.predicted, r.actual, r.coverage, r.interval_mass, r.mean_width))]
            for r in self.found.deciles
        ]  # fmt: skip
        return self._frame(DECILES, rows)

    def plot(self, model: str | None = None) -> Any:
        """A matplotlib figure of four panels: tracking, frequency, deciles, coverage.

        Parameters
        ----------
        model
            Key of the model to show. Default: the best one.

        Raises
        ------
        SettingsError
            There is no such model, or none at all.
        """
        from evervalue.library.backtest_plots import plot_backtest

        key = model or self.best
        if key is None:
            raise SettingsError(f"There is no model to plot. {' '.join(self.found.failures)}".strip())
        return plot_backtest(self.found, key)

    def __repr__(self) -> str:
        return show.text("Backtest", self._facts(), self._sample())

    def _repr_html_(self) -> str:
        return show.html("Backtest", self._facts(), self._sample())

    def _facts(self) -> Iterator[tuple[str, str]]:
        for says in self.naive_wins:
            yield "a rule without a model wins", says
        yield ("best model" if self.best else "models"), self.why
        level = level_in_short(self.found)
        if level:
            yield "level", level
        folds = self.found.folds
        yield (
            "origins",
            f"{listing(self.origins, 6)}, each with the {count(folds.horizon_days, 'day')} after it",
        )
        yield "customers", self._customers()
        for note in self.notes:
            yield "note", note

    def _customers(self) -> str:
        folds = self.found.folds
        last = folds[-1]
        late = int(last.late.sum())
        says = f"{len(last):,} at the last origin"
        if late:
            says += f", {late:,} of them late (first order after {folds[0].origin}), reported apart"
        if last.newcomers:
            says += f"; {last.newcomers:,} more came within its window, whom nobody could forecast"
            whole = last.newcomer_value + float(last.actual_value.sum())
            if folds.sampled is None and last.newcomer_value > 0 and whole > 0:
                says += f", with {last.newcomer_value / whole:.0%} of its money"
        return says

    def _sample(self) -> show.Sample:
        rows = [r for r in wide(self.found) if r["origin"] is None and r["customers"] == "known"]
        cells = [
            [
                r["target"],
                r["name"] + (" (no model)" if r["naive"] else ""),
                *(number(c, r[c]) for c in SHOWN),
            ]
            for r in rows
        ]
        return show.Sample(["target", "forecast", *SHOWN], cells, len(cells))

    def _frame(self, columns: str, rows: Sequence[Sequence[Any]]) -> Any:
        with engine("Giving the table out") as con:
            con.execute(f"create table report ({columns})")
            insert(con, "report", rows)
            return give_out(con, "select * from report", self._kind, like=self._like)


def backtest(
    orders: Any,
    horizon: Any = "39W",
    *,
    origins: int | Sequence[str | dt.date] = 3,
    models: Any = "auto",
    spend: Any = "auto",
    interval: float = 0.9,
    step: Any = None,
    as_of: str | dt.date | None = None,
    sample: int | None = 20_000,
    random_state: int = 0,
    customer: str | None = None,
    order: str | None = None,
    date: str | None = None,
    monetary: str | None = None,
    customer_name: str | None = None,
    frame: str = "pandas",
) -> BacktestReport:
    """How well purchase models would have forecast orders and money on days in the past, beside naive rules.

    At each origin every model is fitted to what was known before that day, and its forecast of the `horizon` from
    that day on is held against what came. Only origins with a complete window count. Four rules without a model are
    always in the table: zero, cohort mean, past rate, past spend. `docs/methods/backtest.md` defines every measure.

    Parameters
    ----------
    orders
        As for `ev.lrfm`.
    horizon
        How far ahead: "39W", "365d", "1y".
    origins
        How many days in the past to forecast from, or those days themselves.
    models
        "auto" (MBG/NBD, BG/NBD, Pareto/NBD, and MBG/CNBD-k where purchases come more regularly than at random), or keys
        or models of your own, from the simpler to the less simple.
    spend
        "auto" tests Gamma-Gamma and normal spend and takes the better; else "gamma-gamma", "normal-spend", a model of
        your own, or "none" for orders alone.
    interval
        Mass that the forecasts' intervals are to hold.
    step
        Time between origins. Default: they spread evenly over the history, at most one horizon apart.
    as_of
        First day of which nothing is known. Default: the day after the newest order.
    sample
        At most so many customers, drawn by their key, which bounds the cost; None takes all.
    random_state
        Seed of the sample and of the bootstrap.
    customer, order, date, monetary, customer_name
        Columns of a frame, as for `ev.lrfm`.
    frame
        Kind of the report's tables where `ev.read_orders` gave the orders: "pandas", "polars", "arrow" or "duckdb".

    Raises
    ------
    InputError
        The orders span too short a time for the horizon, or no model can be fitted.
    SettingsError
        An argument is impossible.

    Examples
    --------
    >>> import evervalue as ev
    >>> import datetime as dt
    >>> import polars as pl
    >>> days = [(n % 40, dt.date(2024, 1, 1) + dt.timedelta(days=(n * n * 7 + n) % 300)) for n in range(240)]
    >>> orders = pl.DataFrame(
    ...     {
    ...         "customer": [str(n) for n, _ in days],
    ...         "order_date": [day for _, day in days],
    ...         "monetary": [10 + n for n, _ in days],
    ...     }
    ... )
    >>> report = ev.backtest(orders, horizon="60d", origins=2, models="bg-nbd")
    >>> report.origins, report.best
    ([datetime.date(2024, 6, 26), datetime.date(2024, 8, 25)], 'bg-nbd')
    """
    if isinstance(origins, str) or not isinstance(origins, int | Iterable):
        raise SettingsError(
            f"origins={origins!r} is impossible: give how many, or a list of the days, such as ['2024-01-31']."
        )
    days = origins if isinstance(origins, int) else [_day(o) for o in origins]
    asked: dict[str, Any] = {
        "horizon": horizon, "origins": days, "models": models, "spend": spend, "interval": interval, "step": step,
        "as_of": cutoff(as_of), "sample": sample, "random_state": random_state,
    }  # fmt: skip
    if isinstance(orders, Orders):
        kind = kind_named(frame)
        with orders._beside("The backtest") as (con, _):
            return BacktestReport(
                _tested(con, orders.lines_view(con), asked | {"currency": orders.currency}), kind
            )
    kind = kind_of(orders)
    named = frame_columns(
        orders,
        kind,
        customer=customer,
        order=order,
        date=date,
        monetary=monetary,
        customer_name=customer_name,
    )
    with engine("The backtest") as con:
        return BacktestReport(
            _tested(con, lines_view(con, orders, kind, named), asked),
            kind,
            orders if kind == "duckdb" else None,
        )


def _tested(con: Connection, lines: str, asked: dict[str, Any]) -> Tested:
    score_orders(con, lines, settings({}), "customers.cutoff", progress=Silent(), shorter=False)
    return backtested(con, **asked)


def _day(origin: Any) -> dt.date:
    try:
        day = cutoff(origin)
    except SettingsError:
        day = None
    if day is None:
        raise SettingsError(f"The origin {origin!r} is not a date; write each as '2024-01-31'.")
    return day
