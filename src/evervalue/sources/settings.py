"""Settings of a source of files: the tables `[sources.NAME]` of evervalue.toml, checked and explained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from evervalue.core.errors import SettingsError
from evervalue.core.text import did_you_mean, listing
from evervalue.sources.mapping_settings import KindRule, MappingSettings
from evervalue.sources.settled import waiting_time

RESERVED_NAMES = frozenset({
    "change_files", "change_objects", "columns", "conflicts", "files", "fill_rates", "keyed", "loads", "mappings",
    "mended", "positions", "quarantine", "ranges", "touched", "volumes",
})  # fmt: skip
"""Tables of the raw zone that no source may be called."""


class ReaderSettings(BaseModel):
    """How files are found and read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    """File, folder or glob, relative to the folder of evervalue.toml. A folder means every data file in it."""
    encoding: str | None = None
    """Encoding of text files; default: found out (UTF-8, UTF-16 by its mark, else Windows-1252 or Latin-1)."""
    delimiter: str | None = None
    """Character between fields, or "whitespace"; default: found out."""
    quote: str | None = None
    """Character around fields that contain a delimiter; default: the double quote."""
    sheet: str | None = None
    """Sheet of a workbook; default: the only one, or the first that holds the mapped columns."""
    complete_when: str | None = None
    """Name or pattern of a marker such as "_SUCCESS": files of a folder are read once it lies there too."""
    settle: str | None = None
    """A file that changed within this time, such as "10s" or "5min", is not read yet; default: at once."""
    cut_off: Literal["refuse", "quarantine"] = "refuse"
    """A text file that ends in the middle of a row: refused, for its writer was not done; or that row alone is."""
    requester_pays: bool = False
    """Object storage: this account pays for what is read."""
    sse_customer_key: str | None = None
    """Object storage: "${VARIABLE}", the environment variable that holds the key of objects encrypted with SSE-C."""

    @property
    def may_be_absent(self) -> bool:
        """Whether it is left out where it is not there. A source of one table may not be: nothing would be left."""
        return False

    @field_validator("path")
    @classmethod
    def _a_path(cls, value: str) -> str:
        if "\0" in value:
            raise ValueError("the path holds a NUL character")
        try:
            Path(value).expanduser()
        except RuntimeError:
            raise ValueError(
                f"'{value}' names a home folder that is not known here; write the folder itself"
            ) from None
        return value

    @field_validator("path")
    @classmethod
    def _a_place(cls, value: str) -> str:
        if "://" in value and not value.startswith("s3://"):
            raise ValueError(
                f"'{value}' is not read; object stores are, as s3://bucket/key, with AWS_ENDPOINT_URL where the store "
                "is not Amazon's"
            )
        return value

    @field_validator("settle")
    @classmethod
    def _time_to_wait(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                waiting_time(value)
            except SettingsError as error:
                raise ValueError(str(error)) from None
        return value

    @field_validator("sse_customer_key")
    @classmethod
    def _named_key(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"\$\{\w+\}", value):
            raise ValueError(
                'it names an environment variable, as in "${CRM_KEY}"; the key does not belong here'
            )
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                "1".encode(value).decode(
                    value
                )  # refuses codecs that are no encodings of text, such as base64
            except (LookupError, UnicodeError, ValueError):
                raise ValueError(
                    f"'{value}' is not an encoding of text; examples are utf-8, cp1252, latin-1, utf-16"
                ) from None
        return value

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        named = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";"}
        value = named.get(value, value) if value is not None else None
        if value is not None and value != "whitespace" and (len(value) != 1 or value in '\r\n"'):
            raise ValueError('the delimiter is one character, or "whitespace"')
        return value

    @field_validator("quote")
    @classmethod
    def _one_quote(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 1 or value in "\r\n"):
            raise ValueError("the quote is one character")
        return value


class FilesSource(ReaderSettings, MappingSettings):
    """A source of files. Only `path` and the columns are needed; the rest is found out or has a default."""

    kind: Literal["files"] = "files"
    """What sort of source it is."""


def files_source(
    name: str, values: Mapping[str, Any], options: Mapping[str, str] | None = None
) -> FilesSource:
    """The settings of one source, from the table `[sources.NAME]`, or from options (see `told`).

    Raises
    ------
    SettingsError
        Everything that is wrong with it, gathered, each with its key and what to do.
    """
    check_name(name)
    try:
        return FilesSource.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsError(told(error, f"sources.{name}", FilesSource, options)) from None


def check_name(name: str) -> None:
    """Refuse a name that no source may have."""
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or name in RESERVED_NAMES:
        raise SettingsError(
            f"A source cannot be called '{name}': use small letters, digits and _, beginning with a letter, "
            f"and none of {listing(sorted(RESERVED_NAMES))}."
        )


def told(
    error: ValidationError, where: str, model: type[BaseModel], options: Mapping[str, str] | None = None
) -> str:
    """Every fault of a settings table as one paragraph; `where` is the table's key.

    `options` holds, by key, what the caller knows a setting as where no file was read: "value.horizon" is "--horizon".
    """
    faults = []
    for fault in error.errors():
        loc = [str(part) for part in fault["loc"]]
        key = ".".join([where, *loc])
        key = (options or {}).get(key, key)
        if fault["type"] == "extra_forbidden":
            names = KindRule.model_fields if len(loc) > 1 and loc[0] == "kinds" else model.model_fields
            near = did_you_mean(loc[-1], names)
            faults.append(f"{key} is not a setting{near}; the settings here are {listing(names, 30)}")
        elif fault["type"] == "missing":
            faults.append(f"{key} is missing; add it")
        elif fault["type"] == "value_error":
            faults.append(f"{key}: {str(fault['msg']).removeprefix('Value error, ')}")
        else:
            faults.append(f"{key}: {fault['msg'][0].lower()}{fault['msg'][1:]} (found {fault['input']!r})")
    return "; ".join(faults) + (". Mend it in evervalue.toml." if options is None else ".")
