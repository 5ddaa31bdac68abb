"""What answers about value and models hold, in the description of the API: the parts, each with its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evervalue.api.queries.customers import TABLE
from evervalue.api.queries.value import NEEDS, PREDICTED
from evervalue.pipeline.tables import all_models

Schema = dict[str, Any]
MODEL_PARTS = {
    "fits": "models.fits",
    "backtest": "models.backtest",
    "calibration": "models.backtest_deciles",
    "coverage": "models.backtest",
    "parameters": "models.parameters",
}
CARD = {
    "purpose": "what predictions are for",
    "run": "run, cutoff, versions, and checksums of what was read",
    "asked": "horizon, interval, discount rate and models that the settings ask for",
    "total": "all customers together, and how their interval came about",
    "models": "each model with why, paper, equation, assumptions, parameters, findings and fingerprint",
    "backtest": "what the model of the run reached by each measure, with the verdict beside the best rule",
    "forecast": "what would have been expected in the past beside what came",
    "limits": "what predictions cannot do",
}


def value_answers() -> Mapping[str, Schema]:
    """`data` of each route, by path."""
    heads = {model.name: model.head for model in all_models()}

    def of(part: str, table: str, *, one: bool = False) -> Schema:
        says = f"part={part}; {heads[table].says}"
        return {"type": "object" if one else "array", "description": says, **({} if one else ITEMS)}

    return {
        "/v1/clv": {"anyOf": [of(part, table, one=part == "headline") for part, table in NEEDS.items()]},
        "/v1/clv/customers": {"type": "array", "items": _described(heads[TABLE].columns, PREDICTED)},
        "/v1/models": {"anyOf": [of(part, table) for part, table in MODEL_PARTS.items()]},
        "/v1/models/card": {
            "type": "object",
            "properties": {name: {"description": says} for name, says in CARD.items()},
        },
    }


ITEMS: Schema = {"items": {"type": "object"}}
TYPES = {"double": "number", "boolean": "boolean", "bigint": "integer", "integer": "integer"}


def _described(columns: Mapping[str, Any], names: Sequence[str]) -> Schema:
    """The fields of a list, as the table's head says them."""
    fields = {}
    for name in names:
        column = columns[name]
        kind = TYPES.get(column.type, "string")
        fields[name] = {"type": [kind, "null"] if column.nullable else kind, "description": column.says}
    return {"type": "object", "properties": fields}
