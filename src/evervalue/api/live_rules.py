"""Reads from a snapshot what the live layer computes with, once for each snapshot."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from evervalue.api.queries import live as asked
from evervalue.api.snapshots import Reading
from evervalue.live.event_orders import Rules
from evervalue.live.rules import EventSource, Published
from evervalue.live.scores import Bound, Scoring

if TYPE_CHECKING:
    from evervalue.models.prediction import Predictor


def published(reading: Reading) -> Published:
    """What the snapshot says once for all customers.

    Raises
    ------
    StorageError
        A file of a fitted model is gone or damaged.
    """
    settings = reading.row(asked.settings())
    assert settings is not None
    sources = [
        EventSource(
            row["source"],
            row["customer_keys"],
            int(row["last_seq"]),
            row["takes_orders"],
            tuple(row["outputs"]),
        )
        for row in reading.rows(asked.event_sources())
    ]
    return Published(
        as_of=reading.run.as_of,
        published_at=reading.published_at,
        settings=settings,
        scoring=_scoring(reading),
        sources={one.name: one for one in sources},
        predictor=_predictor(reading, settings),
    )


def rules(reading: Reading, settings: Mapping[str, Any]) -> Rules:
    """How the run reads events; rates and costs are asked of the snapshot."""

    def rate(currency: str, day: dt.date) -> Decimal | None:
        row = reading.row(asked.rate(currency, day.isoformat()))
        return None if row is None else Decimal(row["rate"])

    def cost(product: str, day: dt.date) -> Decimal | None:
        row = reading.row(asked.cost(product, day.isoformat()))
        return None if row is None else Decimal(row["unit_cost"])

    return Rules(
        currency=settings["currency"],
        zone=ZoneInfo(settings["time_zone"]),
        basis=settings["monetary_basis"],
        allow_missing_cost=bool(settings["allow_missing_cost"]),
        rate=rate,
        cost=cost,
    )


def _scoring(reading: Reading) -> Scoring:
    bounds: dict[str, list[Bound]] = {}
    for row in reading.rows(asked.bounds()):
        bounds.setdefault(row["dimension"], []).append(Bound(row["value"], row["tie_name"], row["tie_key"]))
    run = reading.run
    return Scoring(run.bins, run.ties, run.high_value_at, run.mid_value_at, bounds)


def _predictor(reading: Reading, settings: dict[str, Any]) -> Predictor | None:
    """What the run predicted with, its rules included."""
    if settings["value_model"] == "none":
        return None
    from evervalue.live.value import Horizon, predictor  # takes numpy and scipy along
    from evervalue.models.stand_in import PooledRate

    files = {row["role"]: row["file"] if row["is_fitted"] else None for row in reading.rows(asked.models())}
    rule, mean = None, math.nan
    if not all(files.get(role) for role in ("orders", "spend")):
        whole = reading.row(asked.all_histories())
        assert whole is not None
        if whole["days"] > 0:
            rule = PooledRate(whole["repeats"], whole["days"])
        if whole["purchases"] > 0:
            mean = whole["monetary"] / whole["purchases"]
    orders, spend = (
        reading.beside(file) if (file := files.get(role)) else None for role in ("orders", "spend")
    )
    return predictor(
        Horizon(
            settings["value_horizon_days"],
            float(settings["value_interval"]),
            float(settings["value_discount_rate_annual"]),
        ),
        orders,
        spend,
        rule=rule,
        mean_spend=mean,
    )
