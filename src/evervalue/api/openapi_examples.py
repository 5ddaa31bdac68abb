"""What the description of the API says of every route besides its fields: errors, who may ask, and a real answer.

The examples lie in `examples.json`, which `python -m tests.support.api_examples` writes from what the SaaS example
really answers; a test holds that they are what it answers still.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
FILE = Path(__file__).parent / "examples.json"
PROBLEM: Schema = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "errors"],
    "properties": {
        "type": {
            "type": "string",
            "description": "which problem it is, for programs: urn:evervalue:problem:...",
        },
        "title": {"type": "string", "description": "the problem in short"},
        "status": {"type": "integer", "description": "HTTP status"},
        "detail": {"type": "string", "description": "what is wrong and what to do"},
        "instance": {"type": "string", "description": "the path that was asked"},
        "errors": {
            "type": "array",
            "description": "what is wrong, field by field",
            "items": {
                "type": "object",
                "required": ["where", "says"],
                "properties": {"where": {"type": "string"}, "says": {"type": "string"}},
            },
        },
    },
}
SECURITY: Schema = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, made on the Admin page or by 'evervalue people'.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-evervalue-session",
        "description": "The session of somebody who signed in with a browser; over http the name differs.",
    },
}
FILES: Schema = {
    "text/csv": {"schema": {"type": "string"}},
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
        "schema": {"type": "string", "format": "binary"}
    },
}
"""What answers are besides JSON where a route has a `format`."""
ERRORS = {
    "400": "A parameter is impossible together with others, or a cursor is none of this list.",
    "401": "No key, or one that is wrong or over.",
    "403": "The key or the role may not do that.",
    "404": "There is no such thing, or the run has no such table yet.",
    "422": "A parameter is unknown or impossible; `errors` says which.",
    "429": "Too many requests; `Retry-After` says how long to wait.",
    "503": "Nothing is published yet, or it cannot be read just now; `Retry-After` says when to ask again.",
}


def completed(schema: Schema) -> Schema:
    """The description with errors, who may ask, and real answers; changed in place."""
    parts = schema.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = PROBLEM
    parts["securitySchemes"] = SECURITY
    schema["security"] = [{"key": []}, {"session": []}]
    kept = examples()
    for path, methods in schema["paths"].items():
        for method, told in methods.items():
            answers = told.setdefault("responses", {})
            for status, says in ERRORS.items():
                answers[status] = _problem(says)
            if method == "get" and path in kept:
                if (content := answers["200"].get("content", {}).get("application/json")) is not None:
                    content["example"] = kept[path]["answer"]
                told["x-example-request"] = kept[path]["asked"]
            if _gives_files(told):
                answers["200"]["content"].update(FILES)
            if method == "post":
                answers["409"] = _problem(
                    "Something of that name is there already, or as things stand it cannot be."
                )
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own shape, which nobody is answered
        parts["schemas"].pop(name, None)
    return schema


def _problem(says: str) -> Schema:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": says, "content": content}


def _gives_files(told: Schema) -> bool:
    """Whether a route answers with csv and xlsx too."""
    of_format = [one["schema"] for one in told.get("parameters", ()) if one["name"] == "format"]
    return any("csv" in json.dumps(one) for one in of_format)


@lru_cache(maxsize=1)
def examples() -> dict[str, Any]:
    """Route: what was asked, and what was answered."""
    if not FILE.exists():
        return {}
    found: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return found


def shortened(value: Any) -> Any:
    """An answer with at most two rows of each list and no long text, as examples are kept."""
    if isinstance(value, list):
        return [shortened(each) for each in value[:2]]
    if isinstance(value, dict):
        return {name: shortened(each) for name, each in value.items()}
    if isinstance(value, str) and len(value) > 160:
        return value[:150] + " ..."
    return value
