"""Fitted models as SQL: the scores of `predict` and of `models.clv` inside the engine that holds the customers.

Closed forms where there are some: P(alive) under BG/NBD, MBG/NBD and MBG/CNBD-k, averaged over the points that stand
for the posterior as `predict` averages it, and the expected money of a purchase day. The others (P(alive) under
Pareto/NBD, orders of all models) have integrals in them that SQL has no function for; they are joined from
`models.history_scores`, which a run fills with each distinct history once, so that a table of a few thousand rows
scores any number of customers. The interval of money is each customer's own, and stays in `models.clv`.

The SQL is written in the house dialect and translated; constants are written with an exponent, which makes them
doubles in every dialect.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlglot

from evervalue.core.duration import DAYS_IN, Duration
from evervalue.core.errors import SettingsError
from evervalue.core.text import listing
from evervalue.models.base import Estimator
from evervalue.models.clv import CLV
from evervalue.models.laws import orders_law
from evervalue.models.purchase import PurchaseModel
from evervalue.models.recalibration import Recalibration
from evervalue.models.spend_model import SpendModel
from evervalue.warehouse.dialects import check_dialect

HISTORY = "customers.purchase_history"
SCORES = "models.history_scores"
SAME = "{0}.repeat_orders = h.repeat_orders and {0}.length_days = h.length_days and {0}.age_days = h.age_days"
JOINED = ("expected_orders", "orders_low", "orders_high")
OF_TABLE = (
    "{columns} come from {scores}, hence with the horizon, interval, discount rate and correction of its run; a "
    "history that it does not hold has none."
)
OF_THIS_RUN = (
    "They are null unless {fits} and {clv} say that the run fitted this very {model}, on the same customers, for "
    "{ahead}."
)
SAME_FIT = 1e-6
"""Share by which log-likelihoods of one fit may differ where it was searched for twice."""
NO_CLV = "expected_clv is not here: the run's correction of money has no closed form. It is in models.clv."


@dataclass(frozen=True)
class _Said:
    """What a model adds to the SELECT."""

    columns: dict[str, str]
    """Name to expression, over the history `h`, its scores `s` and `alive`."""
    ctes: dict[str, str]
    """Name to SELECT."""
    notes: tuple[str, ...] = ()


def to_sql(
    *models: Estimator,
    dialect: str = "duckdb",
    horizon: Any = "365d",
    recalibration: Recalibration | None = None,
    history: str = HISTORY,
    scores: str = SCORES,
    checked: bool = True,
) -> str:
    """One SELECT that gives `customer_id` and what the fitted models say, formatted, in a dialect.

    A purchase model gives `p_alive`, `expected_orders`, `orders_low` and `orders_high`, a spend model
    `expected_order_value`, and both together `expected_clv`: each to 1e-9 what `predict` says and, before it is rounded
    to four places, what a run writes to `models.clv`.

    Parameters
    ----------
    models
        A fitted purchase model, a fitted spend model, or both, apart or in an `ev.CLV`.
    dialect
        duckdb, spark, redshift, snowflake or bigquery.
    horizon
        That `predict` is asked for. What is joined is of the run's horizon, and null where that is another one.
    recalibration
        Of the run, if any.
    history
        The table of purchase histories, with the columns of `customers.purchase_history`.
    scores
        The table of scored histories that the purchase model filled, for what has no closed form.
    checked
        Whether scores count only where `fits` and `clv` beside them say that the run fitted this very purchase model
        (its key, customers and log-likelihood, times in days) for this horizon; else they are null. The interval, the
        discount rate and a correction stay those of the run. False takes scores as they are, without those two tables:
        for the models and the horizon of the run itself.

    Raises
    ------
    SettingsError
        The dialect is not one of them, a model has no SQL or knows no unit of time, or it depends on covariates.
    NotFitted
        A model is not fitted.
    """
    check_dialect(dialect)
    told: list[_Said] = []
    apart: list[Estimator] = []
    for model in models:
        model._check_fitted()
        if isinstance(model, CLV):
            apart += [model.purchase_, model.spend_]
            recalibration = recalibration or model.recalibration
        else:
            apart.append(model)
    for model in apart:
        _refuse_others(model)
        model._check_fitted()
        told.append(
            _of_spend(model) if isinstance(model, SpendModel) else _of_orders(model, horizon, history)
        )
    columns = {name: sql for said in told for name, sql in said.columns.items()}
    ctes = {name: sql for said in told for name, sql in said.ctes.items()}
    notes = [note for said in told for note in said.notes]
    if {"expected_orders", "expected_order_value"} <= set(columns):
        if recalibration is None or recalibration.corrections.value.identity:
            columns["expected_clv"] = f"s.discounted_orders * ({columns['expected_order_value']})"
        else:
            notes.append(NO_CLV)
    if "expected_orders" in columns:
        joined = [name for name, sql in columns.items() if sql.startswith("s.")]
        notes.append(OF_TABLE.format(columns=listing(joined), scores=scores))
        if checked:
            purchase = next(model for model in apart if isinstance(model, PurchaseModel))
            ctes["run_scores"], note = _of_run(purchase, horizon, scores)
            notes.append(note)
            scores = "run_scores"
    select = ",\n    ".join(["h.customer_id", *(f"{sql} as {name}" for name, sql in columns.items())])
    joins = f"left join alive as a on {SAME.format('a')}\n" if "alive" in ctes else ""
    joins += f"left join {scores} as s on {SAME.format('s')}\n" if "expected_orders" in columns else ""
    beginning = "with " + ",\n".join(f"{name} as ({sql})" for name, sql in ctes.items()) if ctes else ""
    sql = f"{beginning}\nselect\n    {select}\nfrom {history} as h\n{joins}order by h.customer_id"
    tree = sqlglot.parse_one(sql, read="duckdb")
    return "".join(f"-- {note}\n" for note in notes) + tree.sql(dialect, pretty=True)


def _refuse_others(model: object) -> None:
    if not isinstance(model, PurchaseModel | SpendModel):
        raise SettingsError(
            f"{getattr(model, 'name', type(model).__name__)} has no SQL. Purchase models (ev.BetaGeo, "
            "ev.ModifiedBetaGeo, ev.RegularBetaGeo, ev.ParetoNBD), spend models (ev.GammaGamma, ev.NormalSpend) and "
            "ev.CLV have. Use predict."
        )


def _of_run(model: PurchaseModel, horizon: Any, scores: str) -> tuple[str, str]:
    """The scores of a run if it is a run of this fit and horizon, else no row; and what to say of it."""
    schema = scores.rpartition(".")[0]
    fits, clv = (f"{schema}.{table}" if schema else table for table in ("fits", "clv"))
    _times(model)  # refuses a model that knows no unit
    days = model._time(horizon) * DAYS_IN[model.unit_ or "D"]
    ahead = "c.horizon_days is null" if math.isinf(days) else f"c.horizon_days = {_number(days)}"
    likelihood = f"abs(f.log_likelihood - {_number(model.log_likelihood_)})"
    # A run counts in days; the likelihood of times in weeks is another number.
    known = "f.is_fitted" if model.unit_ == "D" else "1 = 0"
    query = (
        f"select * from {scores} where exists (select 1 from {fits} as f where {known} and f.role = 'orders' "
        f"and f.model_key = '{model.key}' and f.customers = {_number(model.n_customers_)} "
        f"and {likelihood} <= {_number(SAME_FIT * abs(model.log_likelihood_))}) "
        f"and exists (select 1 from {clv} as c where c.expected_clv is not null and {ahead})"
    )
    note = OF_THIS_RUN.format(fits=fits, clv=clv, model=model.name, ahead=Duration(days))
    if model.unit_ != "D":
        note += " A run counts in days and this model does not: fit it on days to have them."
    return query, note


def _of_orders(model: Any, horizon: Any, history: str) -> _Said:
    if model._covariate_names():
        raise SettingsError(
            f"This {model.name} hangs on {listing(model._covariate_names())}, which {history} does not hold: "
            "it has no SQL. Use predict."
        )
    joined = {name: f"s.{name}" for name in JOINED}
    closed = P_ALIVE.get(model.key)
    if closed is None:
        return _Said({"p_alive": "s.p_alive", **joined}, {})
    times = _times(model)
    points = orders_law(model, model._time(horizon)).points
    names = ("weight", *model.kernel.names)
    rows = [
        ", ".join(
            f"{_number(v)} as {n}" for n, v in zip(names, (weight, *model._params({}, theta)), strict=True)
        )
        for weight, theta in zip(points.weights, points.values, strict=True)
    ]
    distinct = f"select distinct repeat_orders, length_days, age_days from {history}"
    key = "h.repeat_orders, h.length_days, h.age_days"
    alive = (
        f"select {key}, sum(p.weight * ({closed(model, *times)})) as p_alive "
        f"from ({distinct}) as h cross join points as p group by {key}"
    )
    ctes = {"points": " union all ".join(f"select {row}" for row in rows), "alive": alive}
    how = "Points stand for what the parameters may be: p_alive is averaged over them, as predict and models.clv are."
    return _Said({"p_alive": "a.p_alive", **joined}, ctes, (how,))


def _of_spend(model: Any) -> _Said:
    return _Said({"expected_order_value": _order_value(model)}, {})


def _bg_nbd(model: Any, x: str, t_x: str, T: str) -> str:
    """P(alive) of BG/NBD: Fader, Hardie and Lee (2008), research note 021; as the logistic of a log-ratio."""
    del model
    odds = f"ln(p.a) - ln(p.b + {x} - 1) + (p.r + {x}) * (ln(p.alpha + {T}) - ln(p.alpha + {t_x}))"
    return f"case when {x} = 0 then {_number(1.0)} else {_logistic(odds)} end"


def _mbg_cnbd_k(model: Any, x: str, t_x: str, T: str) -> str:
    """P(alive) of MBG/CNBD-k and, with k = 1, of MBG/NBD; as the logistic of a log-ratio.

    Source: Batislam, Denizel and Filiztekin (2007), equation 15 (k = 1); Reutterer, Platzer and Schroeder (2021).
    """
    k = getattr(model, "k_", 1)
    R = f"(p.r + {x})" if k == 1 else f"(p.r + {k} * {x})"
    odds = f"ln(p.a) - ln(p.b + {x}) + {R} * (ln(p.alpha + {T}) - ln(p.alpha + {t_x}))"
    silence = _number(1.0)
    for j in reversed(range(1, k)):  # 1 + R u (1 + (R + 1) u / 2 (1 + (R + 2) u / 3 (...)))
        silence = f"({_number(1.0)} + ({R} + {j - 1}) * ({T} - {t_x}) / ({j} * (p.alpha + {T})) * {silence})"
    return _logistic(odds if k == 1 else f"{odds} - ln({silence})")


P_ALIVE: dict[str, Callable[[Any, str, str, str], str]] = {
    "bg-nbd": _bg_nbd, "mbg-nbd": _mbg_cnbd_k, "mbg-cnbd-k": _mbg_cnbd_k,
}  # fmt: skip


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
    if getattr(model, "not_positive", "refuse") == "leave_out":
        total = f"greatest({total}, {_number(0.0)})"
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
