"""Value of one customer by the models of a published run: closed forms, so that it is there in milliseconds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from evervalue.core.errors import EvervalueError
from evervalue.live.figures import Purchases
from evervalue.models.histories import Histories
from evervalue.models.prediction import Predictor
from evervalue.models.recalibration import Recalibration
from evervalue.models.registry import read
from evervalue.models.returns import after_returns
from evervalue.models.stand_in import PooledRate
from evervalue.models.value_scores import Asked

LARGEST = 1e14
SPENT = ("monetary", "repeat_monetary", "mean_monetary", "least_monetary", "monetary_squared_sum")
ORDERS = ("p_alive", "expected_orders", "orders_low", "orders_high")
MONEY = ("expected_order_value", "expected_clv", "clv_low", "clv_high")


@dataclass(frozen=True)
class Horizon:
    """What a run was asked to predict."""

    days: int | None
    """None is without end."""
    interval: float
    discount_rate_annual: float


def predictor(
    horizon: Horizon,
    orders: Path | None,
    spend: Path | None,
    *,
    rule: PooledRate | None = None,
    mean_spend: float = math.nan,
) -> Predictor:
    """What the run predicted with.

    Parameters
    ----------
    horizon
        Of the run.
    orders, spend
        Files of its fitted models; None where a rule stood in.
    rule, mean_spend
        The rules, for where there is no model.

    Raises
    ------
    StorageError
        A file is gone or damaged.
    """
    fitted = read(orders) if orders else None
    told: Mapping[str, Any] = fitted.about if fitted else {}
    return Predictor(
        Asked(
            math.inf if horizon.days is None else float(horizon.days),
            math.log1p(horizon.discount_rate_annual) / 365,
            horizon.interval,
        ),
        purchase=fitted.model if fitted else None,
        rule=None if fitted else rule,
        spend=read(spend).model if spend else None,
        recalibration=Recalibration.from_dict(told["recalibration"]) if told.get("recalibration") else None,
        mean_spend=mean_spend,
    )


@lru_cache(maxsize=20_000)
def valued(found: Purchases, by: Predictor) -> Mapping[str, float | Decimal | None]:
    """P(alive), orders and value with their intervals; None where nothing can be said."""
    columns = {
        "frequency": found.repeat_orders,
        "recency": found.length_days,
        "T": found.age_days - 1,
        "monetary_value": found.mean_repeat_monetary or 0,
        **{name: getattr(found, name) for name in SPENT},
        "kept_share": found.kept_share,
    }
    arrays = after_returns({name: np.array([float(number)]) for name, number in columns.items()})
    history = Histories(
        arrays["frequency"],
        arrays["recency"],
        arrays["T"],
        arrays["monetary_value"],
        unit="D",
        extra={name: arrays[name] for name in SPENT},
    )
    try:
        scores = by.scores(history)
    except EvervalueError:  # a history that the model cannot say anything of
        return dict.fromkeys((*ORDERS, *MONEY))
    told: dict[str, float | Decimal | None] = {}
    for name in ORDERS:
        number = float(getattr(scores, name)[0])
        told[name] = number if math.isfinite(number) else None
    for name in MONEY:
        number = float(getattr(scores, name)[0])
        told[name] = _money(number) if abs(number) < LARGEST else None
    return told


def _money(amount: float) -> Decimal:
    """An amount to four places as the tables' cast rounds it, half away from zero."""
    return Decimal(int(math.copysign(math.floor(abs(amount) * 1e4 + 0.5), amount))).scaleb(-4)
