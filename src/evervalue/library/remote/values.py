"""Answers as Python knows them: money as Decimal, days as date, instants as datetime."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

KINDS: dict[str, Callable[[str], object]] = {
    "decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
}


def decoded(body: bytes) -> tuple[Any, dict[str, Any]]:
    """Data and meta of an answer.

    `meta.types` says which texts are more than texts, as an object of the same shape as a row.

    Raises
    ------
    ValueError
        It is no answer of ours.
    """
    whole = json.loads(body)
    if not isinstance(whole, dict) or "data" not in whole or not isinstance(whole.get("meta"), dict):
        raise ValueError("no data and meta")
    meta: dict[str, Any] = whole["meta"]
    types = meta.get("types")
    data = whole["data"]
    if isinstance(types, dict):
        _convert(data, types)
    if isinstance(meta.get("as_of"), str):
        meta["as_of"] = _as("date", meta["as_of"])
    return data, meta


def _convert(value: Any, types: Mapping[str, Any]) -> None:
    """Changes the texts in place."""
    if isinstance(value, list):
        for each in value:
            _convert(each, types)
    elif isinstance(value, dict):
        for name, kind in types.items():
            found = value.get(name)
            if isinstance(kind, dict):
                _convert(found, kind)
            elif isinstance(found, list):
                value[name] = [_as(kind, each) for each in found]
            elif found is not None:
                value[name] = _as(kind, found)


def _as(kind: str, value: Any) -> Any:
    if not isinstance(value, str) or kind not in KINDS:
        return value
    try:
        return KINDS[kind](value)
    except (ValueError, InvalidOperation):
        return value
