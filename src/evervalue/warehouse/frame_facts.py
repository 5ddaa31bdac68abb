"""What a frame says of itself beside its columns: the unit of its times, the currency of its money.

pandas has `attrs` and Arrow the metadata of a schema; both travel with the frame through most of what is done to it,
and into Parquet. Polars frames and DuckDB relations have no such place, so their facts are noted here for as long as
the very object lives. What is made out of it (a filter, a join, a copy) is another object of which nothing is known:
better no unit than one that a transformation has made wrong.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

from evervalue.core.errors import InputError
from evervalue.warehouse.frames import Kind, kind_of

FACTS = ("unit", "currency")
_NOTED: dict[int, tuple[weakref.ref[Any], dict[str, str]]] = {}
"""By the identity of the object, for frames compare cell by cell and so can be no keys."""


def with_facts(frame: Any, kind: Kind, facts: Mapping[str, str]) -> Any:
    """The frame with the facts on it, or noted of it."""
    if not facts:
        return frame
    if kind == "pandas":
        frame.attrs |= facts
    elif kind == "arrow":
        return frame.replace_schema_metadata(dict(facts))
    else:
        key = id(frame)
        _NOTED[key] = (weakref.ref(frame, lambda _: _NOTED.pop(key, None)), dict(facts))
    return frame


def facts_of(frame: Any) -> dict[str, str]:
    """Unit and currency, as far as the frame says them; nothing where it is no frame."""
    try:
        kind = kind_of(frame)
    except InputError:
        return {}
    if kind == "pandas":
        return {name: frame.attrs[name] for name in FACTS if name in frame.attrs}
    if kind == "arrow":
        metadata = getattr(getattr(frame, "schema", None), "metadata", None) or {}
        found = {name: metadata.get(name.encode()) for name in FACTS} if isinstance(metadata, dict) else {}
        return {name: value.decode() for name, value in found.items() if isinstance(value, bytes)}
    noted = _NOTED.get(id(frame))
    # An identity is given to another object once its owner is gone.
    return dict(noted[1]) if noted is not None and noted[0]() is frame else {}
