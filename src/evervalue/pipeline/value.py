"""Value in a run: histories out of the engine, a model chosen and fitted, every customer scored, the tables filled.

A model that cannot be fitted never fails a run: the rules of `models/stand_in.py` take its place, and the run says so.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from evervalue.core.errors import FitFailed
from evervalue.core.progress import Progress
from evervalue.core.text import count
from evervalue.models.histories import Distinct
from evervalue.models.purchase import PurchaseModel
from evervalue.models.purchase_models import MODELS
from evervalue.models.scoring import (
    CustomerValues,
    HistoryScores,
    customer_columns,
    distinct_histories,
    land_clv,
    land_history_scores,
)
from evervalue.models.stand_in import PooledRate, pooled_rate
from evervalue.numerics.arrays import Array
from evervalue.numerics.intervals import shortest_counts
from evervalue.numerics.posterior_points import one_point
from evervalue.numerics.predictive_orders import DistinctHistories, OrdersLaw
from evervalue.pipeline.settings import Settings
from evervalue.pipeline.tables import column_list
from evervalue.warehouse.duckdb import Connection, insert, value
from evervalue.warehouse.runner import Filler


class ValueStage:
    """Fills the tables of the schema `models`, each when its turn in the run comes."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self.settings = settings
        self.progress = progress
        self.model: PurchaseModel | None = None
        self.rule: PooledRate | None = None
        self.says = ""

    def fillers(self) -> dict[str, Filler]:
        """What fills each table."""
        return {
            "models.fits": self._fits,
            "models.parameters": self._parameters,
            "models.history_scores": self._history_scores,
            "models.clv": self._clv,
            "models.total": self._total,
            "models.step_values": self._step_values,
        }

    def _fits(self, con: Connection) -> None:
        self.histories = distinct_histories(con)
        self._fit(self.histories)
        create(con, "models.fits")
        n, distinct = int(self.histories.weight.sum()), len(self.histories.x)
        fitted = self.model is not None
        insert(
            con, "models.fits",
            [[
                "orders", self.name, self.key, fitted, self.says, None, "D",
                self.model.log_likelihood_ if self.model else None, n, distinct, None,
                " ".join(f.says for f in self.model.findings_) or None if self.model else None,
                False, None, None, "", None,
            ], [
                "spend", "mean spend", "mean-spend", False, "Every purchase day is taken to be worth the mean of all.",
                None, "D", None, n, distinct, None, None, False, None, None, "", None,
            ]],
        )  # fmt: skip

    @property
    def name(self) -> str:
        """Of what predicts orders."""
        return self.model.name if self.model else self.rule.name if self.rule else "none"

    @property
    def key(self) -> str:
        """Of what predicts orders, as options call it."""
        return self.model.key if self.model else self.rule.key if self.rule else "none"

    def _fit(self, histories: Distinct) -> None:
        asked = self.settings.value.model
        if asked == "none":
            self.says = 'Value is switched off: [value] model = "none".'
            return
        failed = []
        for key in ("bg-nbd",) if asked == "auto" else (asked,):
            try:
                self.model = MODELS[key]().fit_distinct(histories, unit="D")
            except FitFailed as error:
                failed.append(str(error))
                continue
            self.says = f"{self.model.name} fits {count(int(histories.weight.sum()), 'customer')}."
            return
        self.rule = pooled_rate(histories.x, histories.T, histories.weight)
        self.says = (
            f"No model: {failed[0]} Everyone is taken to buy at the pooled rate instead."
            if self.rule
            else f"No model: {failed[0]}"
        )

    def _parameters(self, con: Connection) -> None:
        create(con, "models.parameters")
        if self.model is None:
            return
        rows = []
        for place, row in enumerate(self.model.summary_.rows, 1):
            known = math.isfinite(row["standard_error"])
            spread = [row[c] if known else None for c in ("standard_error", "low", "high")]
            rows.append(["orders", row["parameter"], place, row["estimate"], *spread, None])
        insert(con, "models.parameters", rows)

    def _history_scores(self, con: Connection) -> None:
        create(con, "models.history_scores")
        self.scores = self._scored(self.histories)
        land_history_scores(con, self.histories, self.scores)

    def _scored(self, d: Distinct) -> HistoryScores:
        n = len(d.x)
        days, delta = self.settings.value.ahead.days, self._delta
        mass = self.settings.value.interval
        nothing = np.full(n, np.nan)
        if self.model is None and self.rule is None:
            return HistoryScores(*(nothing for _ in range(7)))
        if self.model is None:
            assert self.rule is not None
            ahead = min(days, 36_500.0)
            ends = self.rule.interval(ahead, mass)
            finite = math.isfinite(days)
            parts = (
                math.nan, self.rule.expected(days) if finite else math.nan, self.rule.discounted(days, delta),
                1 - float(self.rule.pmf(ahead)[0]) if finite else math.nan,
                *(ends if finite else (math.nan,) * 3),
            )  # fmt: skip
            return HistoryScores(*(np.full(n, part) for part in parts))
        model = self.model
        law = OrdersLaw(
            model.kernel, one_point(model._theta), days, lambda theta, extra: model._params(extra, theta)
        )
        h = DistinctHistories(d.x, d.t_x, d.T)
        alive, expected, discounted = law.p_alive(h), law.expected(h), law.discounted(h, delta)
        any_order, low, high, held = (np.full(n, np.nan) for _ in range(4))
        for rows, end in law.blocks(h, expected, alive):
            for block in law.laws(h, rows, end):
                found = shortest_counts(block.pmf, mass)
                any_order[block.rows] = 1 - block.pmf[:, 0]
                low[block.rows], high[block.rows], held[block.rows] = found.low, found.high, found.mass
        return HistoryScores(
            np.clip(alive, 0, 1), expected, discounted, np.clip(any_order, 0, 1), low, high, held
        )

    def _clv(self, con: Connection) -> None:
        create(con, "models.clv")
        customers = customer_columns(con)
        days = customers["repeat_orders"] + 1
        mean = customers["monetary"].sum() / days.sum() if days.size else math.nan
        scores = self.scores
        place = _places(
            self.histories, customers["repeat_orders"], customers["length_days"], customers["age_days"] - 1
        )
        each = np.full(len(days), mean)
        values = CustomerValues(
            each, (scores.discounted_orders * mean)[place],
            np.minimum(scores.orders_low * mean, scores.orders_high * mean)[place],
            np.maximum(scores.orders_low * mean, scores.orders_high * mean)[place],
        )  # fmt: skip
        asked = self.settings.value
        land_clv(
            con, values,
            {
                "interval": value(asked.interval), "horizon_days": value(asked.horizon_days),
                "discount_rate_annual": value(asked.discount_rate_annual),
                "model": value(f"{self.name} and mean spend"), "model_says": value(self.says),
                "currency": value(self.settings.project.currency),
            },
        )  # fmt: skip

    def _total(self, con: Connection) -> None:
        create(con, "models.total")
        con.execute(
            """
            insert into models.total
            select count(expected_clv), sum(p_alive::decimal(18,12))::double,
                sum(expected_orders::decimal(28,12))::double,
                null, null, sum(expected_clv)::decimal(18,4), null, null
            from models.clv
            """
        )

    def _step_values(self, con: Connection) -> None:
        create(con, "models.step_values")

    @property
    def _delta(self) -> float:
        return math.log1p(self.settings.value.discount_rate_annual) / 365


def create(con: Connection, table: str) -> None:
    """Makes a declared table, empty."""
    con.execute(f"create table {table} ({column_list(table)})")


def _places(d: Distinct, x: Array, t_x: Array, T: Array) -> NDArray[np.intp]:
    """Place of each customer's history among the distinct ones, which are sorted."""
    wide = np.int64(1 << 21)
    keys = (d.x.astype(np.int64) * wide + d.t_x.astype(np.int64)) * wide + d.T.astype(np.int64)
    own = (x.astype(np.int64) * wide + t_x.astype(np.int64)) * wide + T.astype(np.int64)
    return np.searchsorted(keys, own)
