"""What every field of an answer is, in the description of the API: said once, in the heads of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI

from evervalue.api.openapi_examples import completed
from evervalue.api.openapi_live import live_profile
from evervalue.api.openapi_value import value_answers
from evervalue.api.queries.customer import ATTRIBUTES
from evervalue.api.queries.customers import COLUMNS as CUSTOMER
from evervalue.api.queries.customers import TABLE as CUSTOMERS
from evervalue.api.queries.gems import COLUMNS as GEM
from evervalue.api.queries.gems import TABLE as GEMS
from evervalue.api.queries.sources import KEPT_LOADS, NULLABLE, SEEN, STORED
from evervalue.api.queries.sources import TABLE as SOURCES
from evervalue.api.queries.value import ASKED
from evervalue.pipeline.tables import all_models

Schema = dict[str, Any]
TYPES = {"integer": "integer", "bigint": "integer", "double": "number", "boolean": "boolean"}
"""All others are text: money too, so that no digit of it is lost."""
META = {"type": "object", "description": "run, cutoff, currency, the SQL with its parameters, and seconds"}

PART: Schema = {
    "type": "array",
    "items": {"type": "object"},
    "description": "the rows of a `part`",
}


class Described(FastAPI):
    """The application, whose description names every field of customers, hidden gems and sources."""

    def openapi(self) -> Schema:
        """The description; made when it is first asked for."""
        if self.openapi_schema is None:
            for path, data in _answers().items():
                told = super().openapi()["paths"][path]["get"]
                if data.get("type") == "object" and any(one["name"] == "part" for one in told["parameters"]):
                    data = {
                        "anyOf": [
                            data,
                            PART,
                            {"type": "null", "description": "a `part` that there is none of"},
                        ]
                    }
                answer = {"type": "object", "properties": {"data": data, "meta": META}}
                ok = told["responses"]["200"]
                ok["content"] = {"application/json": {"schema": answer}}
            stream = super().openapi()["paths"]["/v1/live/{customer_id}"]["get"]["responses"]
            stream["200"]["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
            stream["204"] = {"description": "nothing is live here"}
            card = super().openapi()["paths"]["/v1/models/card"]["get"]["responses"]["200"]
            card["content"]["text/markdown"] = {"schema": {"type": "string"}}
            completed(super().openapi())
        return super().openapi()


def _answers() -> dict[str, Schema]:
    customer, gem = _fields(CUSTOMERS, CUSTOMER), _fields(GEMS, GEM)
    whole = {
        **customer,
        **_fields("models.clv", ASKED),
        "gem": {
            "type": ["object", "null"], "properties": gem,
            "description": "reason, action and smallest step where the customer is a hidden gem",
        },
        "what_if": _rows("insight.what_if", "what further orders would do to the score; for hidden gems"),
        "attributes_history": {
            "type": "array", "items": _object(_fields("curated.customer_attributes", ATTRIBUTES)),
            "description": "what is known, with what it was before and from when to when; the newest first",
        },
        "orders": _rows("curated.orders", "the latest 50 orders before the cutoff"),
        "live": live_profile(),
    }  # fmt: skip
    source = {
        **_fields(SOURCES, STORED),
        **{
            name: {"type": [kind, "null"] if name in NULLABLE else kind, "description": says}
            for name, (kind, says) in SEEN.items()
        },
    }
    whole_source = {
        **source,
        "checks": _rows(
            "run.source_checks", "what was looked at, with its state now, and what would be usual"
        ),
        "loads": _rows("run.source_loads", f"the latest {KEPT_LOADS} loads and what they brought"),
        "quarantine": _rows("run.quarantine", "refused rows by reason"),
        "reconciliation": {
            "type": ["object", "null"],
            "description": "where rows and money went; a row of curated.reconciliation",
        },
    }
    return {
        "/v1/customers": {"type": "array", "items": _object(customer)},
        "/v1/customers/{customer_id}": _object(whole),
        "/v1/gems": {"type": "array", "items": _object(gem)},
        **value_answers(),
        "/v1/sources": {"type": "array", "items": _object(source)},
        "/v1/sources/{source}": _object(whole_source),
    }


def _object(fields: Schema) -> Schema:
    return {"type": "object", "properties": fields}


def _rows(table: str, says: str) -> Schema:
    return {"type": "array", "items": {"type": "object"}, "description": f"{says}; rows of {table}"}


def _fields(table: str, names: Sequence[str]) -> Schema:
    """The columns of a declared table as the fields of an answer."""
    (model,) = [m for m in all_models() if m.name == table]
    found: Schema = {}
    for name in names:
        column = model.head.columns[name]
        kind = TYPES.get(column.type, "string")
        found[name] = {
            "type": [kind, "null"] if column.nullable else kind,
            "description": f"{column.says} ({column.unit})" if column.unit else column.says,
        }
        if column.type == "date":
            found[name]["format"] = "date"
    return found
