"""Fitted models as SQL: scores inside the engine that holds the customers, without Python.

Closed forms where there are some: P(alive) under BG/NBD and MBG/NBD, and the expected money of a purchase day. The
others (Pareto/NBD, MBG/CNBD-k, expected orders of all models) have integrals in them that SQL has no function for;
they are joined from `models.history_scores`, which a run fills with each distinct history once, so that a table of a
few thousand rows scores any number of customers.

The SQL is written in the house dialect and translated; constants are written with an exponent, which makes them
doubles in every dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlglot

from evervalue.core.duration import DAYS_IN
from evervalue.core.errors import SettingsError
from evervalue.models.base import Estimator
from evervalue.models.spend_model import SpendModel
from evervalue.warehouse.dialects import check_dialect

HISTORY = "customers.purchase_history"
SCORES = "models.history_scores"
NOTE = (
    "-- Closed forms are at the maximum of the likelihood. models.clv averages over what the parameters may be, which\n"
    "-- differs where customers are few."
)


def to_sql(*models: Estimator, dialect: str = "duckdb", history: str = HISTORY, scores: str = SCORES) -> str:
    """One SELECT that gives `customer_id` and what the fitted models say, formatted, in a dialect.

    Parameters
    ----------
    models
        A fitted purchase model, a fitted spend model, or both.
    dialect
        duckdb, spark, redshift, snowflake or bigquery.
    history
        The table of purchase histories, with the columns of `customers.purchase_history`.
    scores
        The table of scored histories that the purchase model filled, for what has no closed form.

    Raises
    ------
    SettingsError
        The dialect is not one of them, or a model knows no unit of time.
    NotFitted
        A model is not fitted.
    """
    check_dialect(dialect)
    said: list[str] = []
    joined = False
    for model in models:
        model._check_fitted()
        columns, joins = _columns(model)
        said += columns
        joined = joined or joins
    select = ",\n    ".join(["h.customer_id", *said])
    join = (
        f"left join {scores} as s on s.repeat_orders = h.repeat_orders\n"
        "    and s.length_days = h.length_days and s.age_days = h.age_days\n"
        if joined
        else ""
    )
    sql = f"select\n    {select}\nfrom {history} as h\n{join}order by h.customer_id"
    tree = sqlglot.parse_one(sql, read="duckdb")
    return f"{NOTE}\n{tree.sql(dialect, pretty=True)}"


def _columns(model: Any) -> tuple[list[str], bool]:
    """Expressions over the history `h`, and whether some are taken from the scores `s`."""
    if isinstance(model, SpendModel):
        return [f"{_order_value(model)} as expected_order_value"], False
    closed = P_ALIVE.get(model.key)
    alive = closed(model) if closed is not None else "s.p_alive"
    return [f"{alive} as p_alive", "s.expected_orders as expected_orders"], True


def _bg_nbd(model: Any) -> str:
    """P(alive) of BG/NBD: Fader, Hardie and Lee (2008), research note 021; as the logistic of a log-ratio."""
    r, alpha, a, b = (_number(model.params_[name]) for name in ("r", "alpha", "a", "b"))
    x, t_x, T = _times(model)
    odds = f"ln({a}) - ln({b} + {x} - 1) + ({r} + {x}) * (ln({alpha} + {T}) - ln({alpha} + {t_x}))"
    return f"case when {x} = 0 then {_number(1.0)} else {_logistic(odds)} end"


def _mbg_nbd(model: Any) -> str:
    """P(alive) of MBG/NBD: Batislam, Denizel and Filiztekin (2007), equation 15; as the logistic of a log-ratio."""
    r, alpha, a, b = (_number(model.params_[name]) for name in ("r", "alpha", "a", "b"))
    x, t_x, T = _times(model)
    odds = f"ln({a}) - ln({b} + {x}) + ({r} + {x}) * (ln({alpha} + {T}) - ln({alpha} + {t_x}))"
    return _logistic(odds)


P_ALIVE: dict[str, Callable[[Any], str]] = {"bg-nbd": _bg_nbd, "mbg-nbd": _mbg_nbd}


def _order_value(model: Any) -> str:
    """Expected money of a purchase day: the customer's own mean and that of all, weighed by how much is known.

    With repeats alone the mean is the one that the history hands out, rounded to money's four places. Money is what
    returns left of it, as in `evervalue.models.returns`.
    """
    if model.spend == "all":
        x, total = "cast(h.repeat_orders + 1 as double)", "cast(h.monetary as double) * h.kept_share"
    else:
        x = "cast(h.repeat_orders as double)"
        total = f"cast(coalesce(h.mean_repeat_monetary, 0) as double) * h.kept_share * {x}"
    if model.key == "normal-spend":
        m0, kappa = _number(model.params_["m0"]), _number(model.params_["kappa"])
        return f"({kappa} * {m0} + {total}) / ({kappa} + {x})"
    p, q, v = (_number(model.params_[name]) for name in ("p", "q", "v"))
    known = f"({p} * {x} + {q} - {_number(1.0)})"
    return (
        f"case when {x} = 0 then {_number(model.expected_order_value_)} "
        f"when {known} > 0 then {p} * ({v} + {total}) / {known} else {total} / {x} end"
    )


def _times(model: Any) -> tuple[str, str, str]:
    if model.unit_ is None:
        raise SettingsError(
            f"This {model.name} does not know its unit of time. Fit it with unit='D' or unit='W'."
        )
    days = _number(float(DAYS_IN[model.unit_]))
    per = "" if model.unit_ == "D" else f" / {days}"
    return (
        "cast(h.repeat_orders as double)",
        f"cast(h.length_days as double){per}",
        f"cast(h.age_days - 1 as double){per}",
    )


def _logistic(log_odds_against: str) -> str:
    """1 / (1 + exp(z)), with z held where exp stays finite on every engine."""
    return f"{_number(1.0)} / ({_number(1.0)} + exp(least({log_odds_against}, {_number(700.0)})))"


def _number(value: float) -> str:
    """A double as SQL writes it, to the last bit: with an exponent, else an engine takes it for a decimal."""
    text = repr(float(value))
    return f"cast({text if 'e' in text else text + 'e0'} as double)"
