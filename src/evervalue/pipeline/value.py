"""Value in a run: histories out of the engine, models chosen and fitted, every customer scored, the tables filled.

A model that cannot be fitted never fails a run: the rules of `models/stand_in.py` take its place, and the run says so.
Models that follow from the same data and settings as those of the run before are taken over from its files.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from evervalue.core.progress import Progress
from evervalue.core.text import count, once
from evervalue.models.drift import FAR as FAR_MOVED
from evervalue.models.drift import STILL, drift
from evervalue.models.laws import averaged_over
from evervalue.models.prediction import Predictor, places
from evervalue.models.recalibration import Recalibration
from evervalue.models.registry import save
from evervalue.models.scoring import (
    customer_histories,
    distinct_histories,
    interval_logs,
    land_clv,
    land_history_scores,
    land_step_values,
    land_total,
)
from evervalue.models.stand_in import PooledRate, pooled_rate
from evervalue.models.value_scores import Asked
from evervalue.pipeline import choosing
from evervalue.pipeline.backtest import Tested, land_rows, told
from evervalue.pipeline.before import FILES, Before, data_key
from evervalue.pipeline.choosing import Part
from evervalue.pipeline.cutoff import refuse_empty_past
from evervalue.pipeline.settings import Settings
from evervalue.pipeline.tables import create_empty
from evervalue.warehouse.duckdb import Connection, insert, value
from evervalue.warehouse.runner import Filler

FAR = 0.1
"""Share by which totals of a backtest may miss without a word."""
LARGEST_SHOCK = 1.5


class ValueStage:
    """Fills the tables of the schema `models`, each when its turn in the run comes.

    Parameters
    ----------
    settings
        Of the run.
    progress
        Told of what was chosen, taken over or not to be had.
    folder
        Where fitted models are written; None writes none.
    before
        The run that readers see so far.
    kept
        The run from which tables are taken over where nothing that they read changed.
    """

    def __init__(
        self,
        settings: Settings,
        progress: Progress,
        *,
        folder: Path | None = None,
        before: Before | None = None,
        kept: Before | None = None,
    ) -> None:
        self.settings = settings
        self.asked = settings.value
        self.progress = progress
        self.folder = folder
        self.before = before or Before(None)
        self.kept = kept or Before(None)
        self.orders, self.spend = Part("orders"), Part("spend")
        self.rule: PooledRate | None = None
        self.tested: Tested | None = None
        self.untested = ""
        self.recalibration: Recalibration | None = None
        self.shock = 0.0
        self.same = False
        self.key = ""
        self.began = False

    def fillers(self) -> dict[str, Filler]:
        """What fills each table."""
        return {
            "models.backtest": self._backtest,
            "models.backtest_deciles": self._deciles,
            "models.fits": self._fits,
            "models.parameters": self._parameters,
            "models.history_scores": self._history_scores,
            "models.clv": self._clv,
            "models.total": self._total,
            "models.step_values": self._step_values,
            "run.fits": self._run_fits,
        }

    # Choosing and fitting

    def _backtest(self, con: Connection) -> None:
        self.began = True
        create_empty(con, "models.backtest")
        refuse_empty_past(con)
        self.key = data_key(con, self.settings)
        if self.asked.model == "none":
            return
        self.same = self.before.follows_from(con, self.key)
        if self.same:
            self.before.copy(con, "models.backtest")
            return
        self.tested, self.untested = choosing.test(con, self.settings)
        if self.tested is not None:
            land_rows(con, self.tested.found, "models.backtest")

    def _deciles(self, con: Connection) -> None:
        create_empty(con, "models.backtest_deciles")
        if self.same:
            self.before.copy(con, "models.backtest_deciles")
        elif self.tested is not None:
            rows = [
                [r.target, r.model, r.decile, r.customers,
                 *map(told, (r.predicted, r.actual, r.coverage, r.interval_mass, r.mean_width))]
                for r in self.tested.found.deciles
            ]  # fmt: skip
            insert(con, "models.backtest_deciles", rows)

    def _fits(self, con: Connection) -> None:
        create_empty(con, "models.fits")
        self.distinct = distinct_histories(con)
        self.history = customer_histories(con, currency=self.settings.project.currency)
        if self.asked.model == "none":
            self.before = Before(None)  # nothing is fitted, so nothing is missed of it
            says = 'Value is switched off in the settings: [value] model = "none".'
            self.orders, self.spend = Part("orders", says=says), Part("spend", says=says)
        else:
            self._fit(con)
        for part in (self.orders, self.spend):
            insert(con, "models.fits", [self._fit_row(part)])

    def _fit(self, con: Connection) -> None:
        self.orders, self.spend = self._taken_over("orders"), self._taken_over("spend")
        choice = self.tested.choice if self.tested else None
        if self.orders.model is None:
            self.orders = choosing.purchase(
                self.distinct, self.asked, choice, self.untested, interval_logs(con)
            )
        if self.spend.model is None:
            self.spend = choosing.spend(self.history, self.asked, choice)
        self._recalibrate()
        if not self.orders.reused:  # else its findings say so already
            self._look_back(con)
        self._stand_in()
        if self.orders.reused or self.spend.reused:
            self.progress.step("Models taken over", detail="same data and settings")

    def _recalibrate(self) -> None:
        """Learns from the last origin how predictions fared, where that is asked for."""
        if not self.asked.recalibrate or self.orders.model is None or self.spend.model is None:
            return
        if self.recalibration is None and self.tested is not None:
            self.recalibration, says = choosing.recalibration(self.tested, self.asked)
            if says:
                self.progress.warn(says)
                self.orders.findings.append(says)
            if self.recalibration is not None:
                self.orders.findings += self.recalibration.says()

    def _look_back(self, con: Connection) -> None:
        """How far totals missed in the backtest: told where it is far, and part of what the total may be."""
        rows = con.execute(
            "select origin is null, target, value from models.backtest where measure = 'bias' "
            f"and customers = 'known' and model = {value(self.orders.key)} and value > -1 order by origin, target"
        ).fetchall()
        target = "value" if any(row[1] == "value" for row in rows) else "orders"
        pooled = next((v for whole, of, v in rows if whole and of == target), None)
        logs = np.log1p([v for whole, of, v in rows if not whole and of == target])
        if pooled is None or not logs.size:
            return
        # Corrected for the pace of the last origin, what is left is how far the origins lie apart.
        about = float(logs.mean()) if self.recalibration is not None else 0.0
        self.shock = float(min(np.sqrt(np.mean((logs - about) ** 2)), LARGEST_SHOCK))
        if abs(pooled) > FAR and self.recalibration is None:
            what = "money" if target == "value" else "orders"
            less, more = ("less", "more") if pooled < 0 else ("more", "less")
            self.orders.findings.append(
                f"In the backtest, over {count(logs.size, 'origin')}, the models expected {abs(pooled):.0%} {less} "
                f"{what} than came: customers did {more} than their past lets expect, and may do so again. "
                "Recalibration (recalibrate = true in the settings, --recalibrate for a file) takes the pace after the "
                "last origin as the one to come."
            )

    def _taken_over(self, role: str) -> Part:
        found = self.before.model(role) if self.same else None
        if found is None:
            return Part(role)
        model = found.model
        self.shock = float(found.about.get("shock", self.shock))
        if found.about.get("recalibration"):
            self.recalibration = Recalibration.from_dict(found.about["recalibration"])
        return Part(
            role, model, model.name, model.key, str(found.about["model_says"]),
            list(found.about.get("findings", ())), reused=True,
        )  # fmt: skip

    def _stand_in(self) -> None:
        """Puts a rule where no model could be fitted."""
        if self.orders.model is None:
            d = self.distinct
            self.rule = pooled_rate(d.x, d.T, d.weight)
            if self.rule is None:
                self.orders.says = f"Nothing can be predicted. {self.orders.says}".strip()
            else:
                self.orders.name, self.orders.key = self.rule.name, self.rule.key
                self.orders.says = (
                    f"Everyone is taken to buy at one rate, for no model fits: {self.orders.says} "
                    f"{self.rule.says}"
                )
        if self.spend.model is None:
            self.spend.name, self.spend.key = "mean spend", "mean-spend"
            self.spend.says = (
                f"Every purchase day is taken to bring the mean of all, for no model fits: {self.spend.says}"
            )

    def _fit_row(self, part: Part) -> list[object]:
        model = part.model
        drawn = averaged_over(model) if model else None
        return [
            part.role, part.name, part.key, model is not None, part.says,
            json.dumps(model.params_) if model else None, "D", model.log_likelihood_ if model else None,
            int(model.n_customers_) if model else 0, len(self.distinct.x),
            *((drawn.method, drawn.says, told(drawn.k_hat)) if drawn else (None, None, None)),
            "\n".join(part.findings) or None, self.key,
        ]  # fmt: skip

    def _parameters(self, con: Connection) -> None:
        create_empty(con, "models.parameters")
        for part in (self.orders, self.spend):
            rows = []
            for place, row in enumerate(part.model.summary_.rows if part.model else (), 1):
                known = math.isfinite(row["standard_error"])
                ends = [row[c] for c in ("standard_error", "low", "high")]
                spread = [number if known and math.isfinite(number) else None for number in ends]
                rows.append([part.role, row["parameter"], place, row["estimate"], *spread])
            insert(con, "models.parameters", rows)

    def _run_fits(self, con: Connection) -> None:
        create_empty(con, "run.fits")
        if not self.began:
            self._keep(con)
            return
        for part in (self.orders, self.spend):
            saved = self.before.model(part.role)
            moved = drift(part.model, saved.model) if part.model and saved and not part.reused else None
            insert(
                con, "run.fits",
                [[part.role, part.reused, moved.largest if moved else None,
                  moved.says if moved else self.before.troubles.get(part.role), self._write(con, part)]],
            )  # fmt: skip
            if moved and (moved.largest is None or moved.largest > FAR_MOVED):
                self.progress.warn(f"Since the run before: {moved.says}")
            elif moved and (moved.largest or 0.0) > STILL:
                self.progress.step(f"{part.name} moved", detail=f"{moved.largest:.1f} standard errors")
        for trouble in dict.fromkeys(self.before.troubles.values()):
            self.progress.warn(trouble)

    def _keep(self, con: Connection) -> None:
        """The models of the run from which every table of value was taken over, with their files."""
        for role, name in FILES.items():
            saved = self.kept.model(role)
            if saved is not None and self.folder is not None:
                self.kept.copy_file(name, self.folder)
            row = [role, saved is not None, None, None, name if saved else None]
            insert(con, "run.fits", [row])

    def _write(self, con: Connection, part: Part) -> str | None:
        """The file of a fitted model beside the snapshot."""
        if part.model is None or self.folder is None:
            return None
        file = self.folder / FILES[part.role]
        file.parent.mkdir(exist_ok=True)
        (as_of,) = con.execute("select as_of::text from customers.cutoff").fetchone() or (None,)
        save(part.model, file, self._about(con, part, as_of))
        return FILES[part.role]

    def _about(self, con: Connection, part: Part, as_of: Any) -> dict[str, Any]:
        rows = con.execute(
            "select target, model, naive, measure, value from models.backtest "
            "where origin is null and customers = 'known' order by all"
        ).fetchall()
        table: dict[str, Any] = {}
        for target, model, naive, measure, number in rows:
            table.setdefault(target, {}).setdefault(model, {"naive": naive})[measure] = number
        return {
            "model_says": part.says,
            "data_sha256": self.key,
            "as_of": as_of,
            "currency": self.settings.project.currency,
            "settings": self.asked.model_dump(mode="json"),
            "findings": part.findings,
            "backtest": table if part.role == "orders" else {},
            "shock": self.shock,
            "recalibration": self.recalibration.to_dict()
            if self.recalibration and part.role == "orders"
            else None,
        }

    # Scoring

    def _history_scores(self, con: Connection) -> None:
        create_empty(con, "models.history_scores")
        days, h, d = self.history.frequency + 1, self.history, self.distinct
        self.predictor = Predictor(
            Asked(
                self.asked.ahead.days, math.log1p(self.asked.discount_rate_annual) / 365, self.asked.interval
            ),
            purchase=self.orders.model,
            rule=self.rule,
            spend=self.spend.model,
            recalibration=self.recalibration,
            mean_spend=float(h.extra["monetary"].sum() / days.sum())
            if len(h) and self.asked.model != "none"
            else math.nan,
        )
        self.scores = self.predictor.scores(h)
        _, first = np.unique(places(d, h), return_index=True)
        land_history_scores(con, d, self.scores, first, self.predictor.discounted_orders(d.x, d.t_x, d.T))

    def _clv(self, con: Connection) -> None:
        create_empty(con, "models.clv")
        asked = self.asked
        predicts = self.orders.model is not None or self.rule is not None
        land_clv(
            con, self.scores,
            {
                "interval": value(asked.interval), "horizon_days": value(asked.horizon_days),
                "discount_rate_annual": value(asked.discount_rate_annual),
                "model": value(f"{self.orders.name} and {self.spend.name}" if predicts else "none"),
                "model_says": value(" ".join(once(self.orders.says, self.spend.says))),
                "currency": value(self.settings.project.currency),
            },
        )  # fmt: skip
        if predicts:
            self.progress.step("Value predicted", detail=count(len(self.history), "customer"))

    def _total(self, con: Connection) -> None:
        create_empty(con, "models.total")
        total = self.predictor.total(self.history, self.scores, shock=self.shock)
        land_total(con, total, self.scores.p_alive)

    def _step_values(self, con: Connection) -> None:
        create_empty(con, "models.step_values")
        land_step_values(con, self.predictor, self.history, self.scores)
