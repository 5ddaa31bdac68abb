"""The API, route by route, with real answers; made of its own description, and readable without a script."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evervalue.dashboard.view import render

LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "as {}",
}


@dataclass(frozen=True)
class Parameter:
    """One thing that a route may be asked with."""

    name: str
    place: str
    kind: str
    says: str


@dataclass(frozen=True)
class Described:
    """One route, as the page shows it."""

    anchor: str
    method: str
    path: str
    title: str
    says: str
    parameters: list[Parameter]
    asked: str
    answer: str


def routes(description: dict[str, Any]) -> list[Described]:
    """Every route of a description, those that only read first."""
    parts = description.get("components", {}).get("schemas", {})
    found = [
        _route(path, method, told, parts)
        for path, methods in description["paths"].items()
        for method, told in methods.items()
    ]
    return sorted(found, key=lambda one: (one.method != "GET", one.path, one.method))


def _route(path: str, method: str, told: dict[str, Any], parts: dict[str, Any]) -> Described:
    title, _, rest = str(told.get("description") or told.get("summary", "")).partition("\n")
    contents = told.get("responses", {}).get("200", {}).get("content", {})
    example = next((c["example"] for c in contents.values() if "example" in c), None)
    return Described(
        anchor=f"route-{method}{path}".replace("/", "-").replace("{", "").replace("}", ""),
        method=method.upper(),
        path=path,
        title=title.strip().replace("`", ""),
        says=rest.strip().replace("`", ""),
        parameters=[
            Parameter(
                p["name"],
                p["in"],
                kind_of(p.get("schema", {}), parts),
                p.get("description", "").replace("`", ""),
            )
            for p in told.get("parameters", [])
        ],
        asked=str(told.get("x-example-request", "")),
        answer=json.dumps(example, indent=2, ensure_ascii=False) if example is not None else "",
    )


def kind_of(schema: dict[str, Any], parts: dict[str, Any]) -> str:
    """What a parameter may be, in words.

    >>> kind_of({"type": "integer", "minimum": 1, "maximum": 1000, "default": 50}, {})
    'integer, at least 1, at most 1000, default 50'
    >>> kind_of({"anyOf": [{"enum": ["high", "mid"]}, {"type": "null"}]}, {})
    'high | mid'
    """
    if "$ref" in schema:
        return kind_of(parts.get(schema["$ref"].rpartition("/")[2], {}), parts)
    either = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    if "const" in schema:
        kind = str(schema["const"])
    elif "enum" in schema:
        kind = " | ".join(str(value) for value in schema["enum"] if value != "")
    elif either:
        kind = " | ".join(dict.fromkeys(text for each in either if (text := kind_of(each, parts))))
    elif schema.get("type") == "array":
        most = schema.get("maxItems", schema.get("maxLength"))
        up_to = f", up to {most} times" if most else ""
        return f"{kind_of(schema.get('items', {}), parts)}; may be repeated{up_to}"
    else:
        kind = str(schema.get("format") or schema.get("type", "text")).replace("string", "text")
    limits = [words.format(schema[name]) for name, words in LIMITS.items() if name in schema]
    default = schema.get("default")
    if default not in (None, "", [], False):
        limits.append(f"default {default}")
    return ", ".join([kind, *limits])


def page(request: Request) -> Response:
    """The page."""
    described = routes(request.app.openapi())
    return render(request, "api_docs.html", None, page="api", routes=described)


ROUTES = [Route("/v1/docs", page)]
