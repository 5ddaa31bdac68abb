"""`ev.plot_top_customers`: the most profitable customers as bars, with Mid-Value, the hidden gems, standing out."""

from __future__ import annotations

from typing import Any

from evervalue.core.errors import InputError, MissingColumns, SettingsError
from evervalue.core.text import did_you_mean
from evervalue.library.session import engine
from evervalue.warehouse.frames import kind_of, names_in, needed, take_in

COLOURS = {"High-Value": "#0b5cab", "Mid-Value": "#c2560a", "Low-Value": "#8a94a3"}
NEEDED = ("customer", "monetary", "customer_value")


def plot_top_customers(scores: Any, top: int = 20, ax: Any = None) -> Any:
    """The matplotlib axes with one bar for each of the `top` customers by monetary value, coloured by tier.

    The title states the finding ("11 of the 20 most profitable customers are Mid-Value"); Mid-Value bars
    carry a diamond as well, so colour alone says nothing.

    Parameters
    ----------
    scores
        What `ev.lrfm` returned, in any kind of frame.
    top
        How many customers, 1 to 100.
    ax
        Axes to draw on. Default: new ones.

    Raises
    ------
    SettingsError
        matplotlib is not installed (`pip install 'evervalue[plot]'`), or `top` is impossible.
    MissingColumns
        The frame holds no scores.

    Examples
    --------
    >>> import evervalue as ev
    >>> import matplotlib
    >>> import polars as pl
    >>> matplotlib.use("Agg")
    >>> scores = pl.DataFrame(
    ...     {
    ...         "customer": ["Ann", "Bob"],
    ...         "monetary": [20.0, 9.5],
    ...         "customer_value": ["Mid-Value", "High-Value"],
    ...     }
    ... )
    >>> ev.plot_top_customers(scores, top=2).get_title(loc="left")
    '1 of the 2 most profitable customers is Mid-Value'
    """
    if not 1 <= top <= 100:
        raise SettingsError(f"top={top} is impossible: from 1 to 100 bars can be told apart.")
    pyplot = needed("matplotlib.pyplot", "plot")
    rows = _top(scores, top)
    if ax is None:
        _, ax = pyplot.subplots(figsize=(8, 0.9 + 0.3 * len(rows)), layout="constrained")
    values = [float(value) for _, value, _ in rows]
    places = range(len(rows))
    ax.barh(places, values, height=0.72, color=[COLOURS[tier] for *_, tier in rows])
    ax.set_yticks(places, [name for name, *_ in rows])
    ax.invert_yaxis()
    _label(ax, rows, values)
    ax.set_title(_finding(rows), loc="left", fontweight="bold")
    ax.xaxis.set_major_formatter(lambda value, _: _short(value))
    ax.grid(axis="x", alpha=0.3, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="both", length=0)
    tiers = [tier for tier in COLOURS if any(tier == t for *_, t in rows)]
    ax.legend(
        [pyplot.Rectangle((0, 0), 1, 1, color=COLOURS[tier]) for tier in tiers],
        [f"◆ {tier}" if tier == "Mid-Value" else tier for tier in tiers],
        loc="lower right",
        frameon=False,
    )
    return ax


def _top(scores: Any, top: int) -> list[tuple[str, Any, str]]:
    kind = kind_of(scores)
    names = scores.columns if hasattr(scores, "_select") else names_in(scores, kind)
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise MissingColumns(
            f"The frame has no column '{missing[0]}'{did_you_mean(missing[0], names)}: give what ev.lrfm returned."
        )
    with engine("Drawing the customers") as con:
        take_in(con, "evervalue_frame", scores, kind, NEEDED)
        rows = con.execute(
            "select customer::text, monetary, customer_value from evervalue_frame where customer_value is not null "
            f"order by monetary desc, customer limit {top}"
        ).fetchall()
    if not rows:
        raise InputError("There is nothing to draw: no customer is scored.")
    return rows


def _label(ax: Any, rows: list[tuple[str, Any, str]], values: list[float]) -> None:
    reach = max(max(values), 0) - min(min(values), 0) or 1
    for place, ((_, _, tier), value) in enumerate(zip(rows, values, strict=True)):
        mark = "◆ " if tier == "Mid-Value" else ""
        ax.text(max(value, 0) + 0.01 * reach, place, mark + _short(value), va="center", fontsize="small")
    ax.margins(x=0.12)


def _finding(rows: list[tuple[str, Any, str]]) -> str:
    mid = sum(tier == "Mid-Value" for *_, tier in rows)
    if len(rows) == 1:
        return f"The most profitable customer is {rows[0][2]}"
    return f"{mid} of the {len(rows)} most profitable customers {'is' if mid == 1 else 'are'} Mid-Value"


def _short(value: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.1f}{letter}"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}"
