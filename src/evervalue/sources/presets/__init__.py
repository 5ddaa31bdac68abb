"""Presets: how exports of well known systems are mapped, one TOML file each, which a user's own settings override."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from importlib.resources import files
from typing import Any

from evervalue.core.errors import SettingsError
from evervalue.core.text import did_you_mean, listing

ABOUT = ("says", "made_for", "tested")
"""What a preset says of itself: what it is, which export it was made for, and on what it was tested."""
OF_FILES = ("files", "changes")
MERGED = ("columns", "attributes", "kinds", "lookups")
"""Parts of an output in which what the user writes replaces or adds single entries."""
FOR_ALL_OUTPUTS = ("currency", "time_zone", "date_format", "decimal", "missing")
FOR_ALL_FILES = (
    "encoding", "delimiter", "quote", "complete_when", "settle", "cut_off", "requester_pays", "sse_customer_key",
)  # fmt: skip
"""Settings of outputs and of tables that may stand once for all of them."""


def names() -> list[str]:
    """The presets there are."""
    folder = files(__name__).iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in folder if entry.name.endswith(".toml"))


def preset(name: str) -> dict[str, Any]:
    """A preset as its file has it.

    Raises
    ------
    SettingsError
        There is none of that name.
    """
    if name not in names():
        raise SettingsError(
            f"There is no preset '{name}'{did_you_mean(name, names())}; there are {listing(names(), 30)}."
        )
    return deepcopy(_read(name))


def merged(system: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings `[sources.SYSTEM]` with what its preset brings; what the user wrote comes first.

    Besides what a system without a preset may hold, `path` (files) names the folder in which the preset's files lie,
    `schema` (databases) the schema of its tables; settings of reading and mapping such as `decimal` hold for all its
    tables and outputs; and `false` in place of an output, a table or a column leaves it out.

    Raises
    ------
    SettingsError
        There is no such preset, or a file of it is nowhere named.
    """
    where = f"sources.{system}"
    name = values["preset"]
    if not isinstance(name, str):
        raise SettingsError(f"{where}.preset is the name of a preset; there are {listing(names(), 30)}.")
    try:
        brought = preset(name)
    except SettingsError as error:
        raise SettingsError(f"{where}.preset: {error}") from None
    used = ("path", "schema", "tables", "outputs", *FOR_ALL_OUTPUTS, *FOR_ALL_FILES)
    own = {key: value for key, value in values.items() if key not in used}
    tables = _tables(where, name, brought.get("tables", {}), values)
    outputs = _outputs(where, brought.get("outputs", {}), values.get("outputs", {}), set(tables))
    return {
        **own,
        "tables": _with(values, FOR_ALL_FILES, tables, values.get("tables", {})),
        "outputs": _with(values, FOR_ALL_OUTPUTS, outputs, values.get("outputs", {})),
    }


def _with(
    values: Mapping[str, Any], keys: tuple[str, ...], tables: Mapping[str, Any], own: Mapping[str, Any]
) -> dict[str, Any]:
    """Tables of settings with those that the user says for all; what the user says of one (in `own`) comes first."""
    for_all = {key: values[key] for key in keys if key in values}
    return {
        name: {**table, **{k: v for k, v in for_all.items() if k not in own.get(name, {})}}
        if isinstance(table, Mapping)
        else table
        for name, table in tables.items()
    }


def either_case(pattern: str) -> str:
    """A pattern of file names whose words may begin with a capital or not.

    >>> either_case("sales*.*")
    '[Ss]ales*.*'
    """
    return re.sub(r"(^|\*)([A-Za-z])", lambda m: f"{m[1]}[{m[2].upper()}{m[2].lower()}]", pattern)


@functools.cache
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def _tables(where: str, name: str, brought: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of the preset where they lie, and the user's own."""
    given = values.get("tables", {})
    if not isinstance(given, Mapping):
        raise SettingsError(f"{where}.tables must be a table: write [{where}.tables.NAME].")
    folder, schema = values.get("path"), values.get("schema")
    of_files = values.get("kind", "files") in OF_FILES
    tables: dict[str, Any] = {}
    lacking = []
    for table, found in {**brought, **{key: {} for key in given if key not in brought}}.items():
        own = given.get(table, {})
        if own is False:
            continue
        if not isinstance(own, Mapping):
            tables[table] = own
            continue
        file, named = found.get("file"), found.get("table", table)
        kept = {key: value for key, value in found.items() if key not in ("file", "table")}
        place: dict[str, Any] = {}
        if of_files:
            if "path" not in own and folder is None and file is not None and kept.get("optional"):
                continue
            if "path" not in own and file is not None:
                if folder is None:
                    lacking.append(table)
                    continue
                place = {"path": f"{str(folder).rstrip('/')}/{either_case(file)}"}
        elif "table" not in own:
            place = {"table": f"{schema}.{named}" if schema else named}
        tables[table] = {**kept, **place, **own}
    if lacking:
        raise SettingsError(
            f'{where}: the preset {name} reads {listing(lacking, 9)}. Say where the files lie: path = "folder" under '
            f'[{where}], or path = "file.csv" under [{where}.tables.{lacking[0]}] and so on.'
        )
    return tables


def _outputs(where: str, brought: Mapping[str, Any], given: Any, tables: set[str]) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise SettingsError(f"{where}.outputs must be a table: write [{where}.outputs.NAME].")
    outputs: dict[str, Any] = {}
    for name in {**brought, **given}:
        found, own = brought.get(name, {}), given.get(name, {})
        if own is False or (found and found["from"] not in tables and not own):
            continue
        if not isinstance(own, Mapping):
            outputs[name] = own
            continue
        output = {**found, **own}
        for part in MERGED:
            if isinstance(found.get(part, {}), Mapping) and isinstance(own.get(part, {}), Mapping):
                both = {**found.get(part, {}), **own.get(part, {})}
                if both:
                    output[part] = {key: value for key, value in both.items() if value is not False}
        # What a preset knows of customers is more than most exports hold; what the user asks for must be there.
        left_to_preset = set(found.get("attributes", {})) - set(own.get("attributes", {}))
        optional = [*found.get("optional", ()), *sorted(left_to_preset)]
        asked = set(own.get("columns", {})) if isinstance(own.get("columns", {}), Mapping) else set()
        output["optional"] = own.get("optional", [key for key in optional if key not in asked])
        if "lookups" in output:
            output["lookups"] = {
                alias: lookup
                for alias, lookup in output["lookups"].items()
                if alias not in found.get("lookups", {}) or _looks_in(alias, lookup) in tables
            }
        outputs[name] = output
    return outputs


def _looks_in(alias: str, lookup: Any) -> str:
    table = (
        lookup.get("table") if isinstance(lookup, Mapping) and isinstance(lookup.get("on"), Mapping) else None
    )
    return str(table or alias)
