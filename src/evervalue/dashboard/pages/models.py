"""Models: whether predictions can be trusted."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evervalue.api.model_card import LIMITS, PURPOSE
from evervalue.api.queries import models as of_models
from evervalue.api.queries import value as of_value
from evervalue.api.snapshots import Reading, Row
from evervalue.dashboard import model_words, prospect
from evervalue.dashboard.charts import models as charts
from evervalue.dashboard.listing import asked_for
from evervalue.dashboard.view import formats_of, reader_of, render
from evervalue.models.papers import PAPERS


class PageRequest(BaseModel):
    """What the page compares: forecasts of money or of orders, by one measure. Empty values mean the usual ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Literal["value", "orders", ""] = ""
    measure: Literal[
        "crps", "mae", "rmse", "bias", "spearman", "normalised_gini", "top_decile_capture", "decile_mape", ""
    ] = ""


def page(request: Request) -> Response:
    """The page at /models; `?target=orders&measure=mae` chooses what is compared."""
    asked = asked_for(PageRequest, request)
    with reader_of(request).lease() as reading:
        if not reading.has("models.fits") or not reading.has("run.fits"):
            return render(request, "models_without.html", reading, page="models")
        formats = formats_of(request, reading)
        fits = reading.rows(of_models.fits())
        tables = {target: reading.rows(of_models.measured(target)) for target in ("value", "orders")}
        target = asked.target or ("value" if tables["value"] else "orders")
        measured = tables[target]
        measure = asked.measure or model_words.DEFAULT_MEASURE
        rows = reading.rows(of_models.compared(target, measure))
        tenths = reading.rows(of_models.calibration(target))
        held = [
            row for row in reading.rows(of_models.coverage()) if row["is_chosen"] and row["target"] == target
        ]
        whole = next((r for r in held if r["origin"] is None and r["customers"] == "known"), None)
        return render(
            request,
            "models.html",
            reading,
            page="models",
            prospect=prospect,
            said=model_words,
            title=model_words.headline(tables["orders"], fits),
            beaten=model_words.beaten(tables),
            fits=fits,
            papers=PAPERS,
            parameters=reading.rows(of_models.parameters()),
            value=reading.row(of_value.headline()) if reading.has("insight.value_headline") else None,
            asked=reading.row(of_models.settings()),
            tested=reading.row(of_models.tested()),
            target=target,
            targets=[name for name, found in tables.items() if found],
            measure=measure,
            table=_table(measured),
            bias=_reached(measured, "bias"),
            whole=whole,
            held=held,
            tenths=tenths,
            rows=rows,
            rows_title=model_words.compared(rows, measure, target, formats),
            rows_chart=charts.candidates(rows, measure, target, formats),
            tenths_title=model_words.calibrated(tenths, formats),
            tenths_chart=charts.calibration(tenths, target, formats),
            held_title=model_words.covered(whole, formats),
            held_chart=charts.coverage(tenths, formats),
            contracts=_contracts(reading),
            purpose=PURPOSE,
            limits=LIMITS,
        )


def _table(measured: list[Row]) -> list[Row]:
    """One row a model or rule with its measures by name, models first."""
    found: dict[str, Row] = {}
    for row in measured:
        line = found.setdefault(
            row["model"],
            {
                **{name: row[name] for name in ("model", "model_name", "naive", "is_chosen", "n")},
                "values": {},
            },
        )
        line["values"][row["measure"]] = row
    return list(found.values())


def _contracts(reading: Reading) -> int:
    """How many customers have a contract; none where the run knows of no contracts."""
    found = reading.row(of_models.contracts()) if reading.has("curated.subscriptions") else None
    return int(found["customers"]) if found else 0


def _reached(measured: list[Row], measure: str) -> float | None:
    """What the model of the run reached by a measure."""
    return next((row["value"] for row in measured if row["is_chosen"] and row["measure"] == measure), None)


ROUTES = [Route("/models", page)]
