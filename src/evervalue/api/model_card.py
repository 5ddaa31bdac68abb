"""The model card: what predicts, made of what, for what, how well, and what it cannot do."""

from __future__ import annotations

from typing import Any

from evervalue.api.queries import models as of_models
from evervalue.api.queries import value as of_value
from evervalue.api.snapshots import Reading, Row
from evervalue.models.papers import PAPERS

PURPOSE = (
    "Says what each customer is expected to bring within the horizon, with an interval of what may really come, to "
    "decide whom to look after and how much that may cost."
)
LIMITS = (
    "A mean says little of one customer: read the interval.",
    "What a customer is worth is not what an action on the customer is worth; only an experiment tells that.",
    "Customers with a contract, who are seen to leave, need a contract model (ShiftedBetaGeo, BetaDiscreteWeibull).",
    "Customers who are yet to come are not in the total.",
    "The future may differ from the past in ways that no backtest can show.",
)


def card(reading: Reading) -> dict[str, Any]:
    """The card of the run's models."""
    asked = reading.row(of_models.settings()) or {}
    about = reading.manifest
    return {
        "purpose": PURPOSE,
        "run": {
            "run_id": reading.run_id,
            "project": reading.run.project_name,
            "as_of": reading.run.as_of,
            "published_at": reading.published_at,
            "versions": about.get("versions", {}),
            "inputs": [
                {name: each.get(name) for name in ("source", "sha256", "rows_read")}
                for each in about.get("inputs", [])
            ],
        },
        "asked": {
            "predicts": "profit" if asked.get("monetary_basis") == "margin" else "revenue",
            "currency": asked.get("currency"),
            "horizon_days": asked.get("value_horizon_days"),
            "interval": asked.get("value_interval"),
            "discount_rate_annual": asked.get("value_discount_rate_annual"),
            "model": asked.get("value_model"),
            "spend": asked.get("value_spend"),
            "recalibrated": asked.get("value_recalibrate"),
        },
        "total": reading.row(of_models.total()),
        "models": [_model(reading, fit) for fit in reading.rows(of_models.fits())],
        "backtest": {
            **(reading.row(of_models.tested()) or {}),
            **{target: _measures(reading, target) for target in ("orders", "value")},
        },
        "forecast": reading.rows(of_value.forecast()) if reading.has("insight.value_forecast") else [],
        "limits": list(LIMITS),
    }


def _model(reading: Reading, fit: Row) -> dict[str, Any]:
    paper = PAPERS.get(fit["model_key"])
    return {
        **{
            name: fit[name]
            for name in (
                "role", "model", "model_key", "is_fitted", "model_says", "customers", "distinct_histories",
                "time_unit", "log_likelihood", "posterior_says", "data_sha256", "drift_says", "file",
            )
        },
        "findings": (fit["findings"] or "").splitlines(),
        "parameters": [
            {name: row[name] for name in ("parameter", "estimate", "standard_error", "low", "high")}
            for row in reading.rows(of_models.parameters())
            if row["role"] == fit["role"]
        ],
        "idea": paper.idea if paper else None,
        "paper": paper.reference if paper else None,
        "equation": paper.equation if paper else None,
        "assumes": list(paper.assumes) if paper else [],
        "limits": list(paper.limits) if paper else [],
        "docs": f"docs/methods/{paper.page}" if paper else None,
    }  # fmt: skip


def _measures(reading: Reading, target: str) -> dict[str, Any]:
    """What the model of the run reached, with the best rule beside it and whether that was more than chance."""
    return {
        row["measure"]: {name: row[name] for name in ("value", "best_naive", "verdict")}
        for row in reading.rows(of_models.measured(target))
        if row["is_chosen"]
    }


def markdown(found: dict[str, Any]) -> str:
    """The card as a page that can be kept, mailed and printed."""
    run, asked, total = found["run"], found["asked"], found["total"] or {}
    horizon = f"{asked['horizon_days']} days" if asked["horizon_days"] else "without end"
    lines = [
        f"# Model card: {run['project']}",
        "",
        found["purpose"],
        "",
        "## What was asked",
        "",
        f"- Predicts {asked['predicts']} in {asked['currency']}, {horizon} from {run['as_of']} on",
        f"- Intervals hold {_number(asked['interval'])} of what comes",
        f"- Money is discounted at {_number(asked['discount_rate_annual'])} a year",
        f"- Run {run['run_id']}, orders up to the day before {run['as_of']}",
        *(f"- {name} {version}" for name, version in run["versions"].items()),
        *(
            f"- Read from {each['source']}: {each['rows_read']} rows, sha256 {each['sha256']}"
            for each in run["inputs"]
        ),
    ]
    if total.get("expected_clv") is not None:
        lines += [
            "",
            "## All customers together",
            "",
            f"{total['customers']} customers are expected to bring {total['expected_clv']} {asked['currency']}"
            + (
                f", between {total['clv_low']} and {total['clv_high']}"
                if total["clv_low"] is not None
                else ""
            )
            + f". {total['total_says']}",
        ]
    for model in found["models"]:
        lines += _model_lines(model)
    lines += _backtest_lines(found)
    lines += ["", "## What it cannot do", "", *(f"- {limit}" for limit in found["limits"]), ""]
    return "\n".join(lines)


def _model_lines(model: dict[str, Any]) -> list[str]:
    title = "When customers buy and leave" if model["role"] == "orders" else "What they spend"
    lines = ["", f"## {title}: {model['model']}", "", model["model_says"], ""]
    if model["idea"]:
        lines += [model["idea"], "", f"- Paper: {model['paper']}", f"- Equation: `{model['equation']}`"]
        lines += [f"- Assumes: {each}" for each in model["assumes"]]
        lines += [f"- Cannot: {each}" for each in model["limits"]]
    if model["is_fitted"]:
        lines += [
            f"- Trained on {model['customers']} customers, {model['distinct_histories']} distinct histories",
            f"- Fingerprint of data, settings and versions: {model['data_sha256']}",
            "",
            "| parameter | estimate | standard error | 95 % from | to |",
            "| --- | ---: | ---: | ---: | ---: |",
            *(
                "| " + " | ".join([row["parameter"], *(_number(row[c]) for c in COLUMNS)]) + " |"
                for row in model["parameters"]
            ),
        ]
    if model["findings"]:
        lines += ["", "What the data cannot tell:", "", *(f"- {each}" for each in model["findings"])]
    return lines


COLUMNS = ("estimate", "standard_error", "low", "high")


def _backtest_lines(found: dict[str, Any]) -> list[str]:
    test = found["backtest"]
    lines = ["", "## Tested on the past", ""]
    if not test.get("origins"):
        return [*lines, "Nothing was tested: there is too little history, or value is switched off."]
    when = f"From {test['origins']} days between {test['first_origin']} and {test['last_origin']}"
    lines += [
        f"{when}, each {test['window_days']} days ahead. docs/methods/backtest.md defines each measure.",
        "",
        "| forecast of | measure | reached | best rule without a model | verdict |",
        "| --- | --- | ---: | --- | --- |",
    ]
    for target, name in (("orders", "orders"), ("value", "money")):
        for measure, row in test[target].items():
            cells = [name, measure, _number(row["value"]), row["best_naive"] or "", row["verdict"] or ""]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"
