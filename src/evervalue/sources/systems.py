"""A source as a system: `[sources.NAME]` of evervalue.toml, with tables that are read and outputs that are mapped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from evervalue.core.errors import SettingsError
from evervalue.core.text import did_you_mean, listing
from evervalue.sources.mapping_settings import MappingSettings, Rule
from evervalue.sources.settings import FilesSource, ReaderSettings, check_name, files_source, told

Kind = Literal["files", "postgres", "mysql", "sql", "changes"]
DATABASES = ("postgres", "mysql", "sql")


class SystemSettings(BaseModel):
    """What holds for the whole of `[sources.NAME]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = "files"
    """What sort of source it is: files (here or in object storage), a database, or files of changes."""
    connection: str = ""
    """How a database is reached, for example "${SHOP_DSN}": what stands in ${} comes from the environment, where
    passwords belong. PostgreSQL takes a URL or key=value words, MySQL and others a URL."""
    capture: Literal["snapshot", "changes", "cursor"] = "snapshot"
    """How a database is followed: whole tables, of which only ranges that changed are read again; a snapshot, then
    every change as it is logged; or rows whose cursor column has grown."""
    slot: str | None = None
    """Name of the replication slot (PostgreSQL); default: evervalue_ and the source's name."""
    publication: str | None = None
    """Name of the publication (PostgreSQL); default: that of the slot."""
    server_id: int | None = Field(default=None, ge=1, le=2**32 - 1)
    """Number under which the log of MySQL or MariaDB is followed; default: made from the source's name."""
    format: Literal["debezium", "dms"] | None = None
    """How change files are written; needed for kind = "changes"."""
    customer_keys: str | None = Field(default=None, pattern="^[a-z][a-z0-9_]*$")
    """Namespace of this system's customer keys. Systems that name the same one share customer numbers.
    Default: the system's own name."""
    preset: str | None = None
    """Name of a preset that brings tables and outputs; what stands beside it here comes first."""
    on_failure: Literal["stop", "skip"] = "stop"
    """Where it cannot be read: the run stops; or it goes on with what was read before, and says so."""
    without_rate: Literal["stop", "quarantine"] = "stop"
    """Order lines in a currency for which no rate covers their day: they stop the run; or they wait in quarantine, and
    count in the next run that finds a rate. Events wait, for whoever holds a write key can name any currency."""
    stale_after: str | None = None
    """Longest time without news that is no alarm, such as "36h" or "7d"; default: learnt from its history."""

    @property
    def stale_after_seconds(self) -> float | None:
        """The longest time without news that is no alarm; None where it is to be learnt."""
        if self.stale_after is None:
            return None
        return float(self.stale_after[:-1]) * {"m": 60, "h": 3600, "d": 86400}[self.stale_after[-1]]

    @field_validator("connection")
    @classmethod
    def _no_password(cls, value: str) -> str:
        if re.search(r"://[^/@\s]*:[^/@\s$]+@|password\s*=\s*[^\s$]", value):
            raise ValueError(
                "a password does not belong in the file; put the whole connection into an environment variable and "
                'write connection = "${NAME}"'
            )
        return value

    @field_validator("stale_after")
    @classmethod
    def _a_time(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch("[1-9][0-9]{0,5}[mhd]", value):
            raise ValueError(f"'{value}' is not a time such as 30m, 36h or 7d")
        return value


class TableSettings(ReaderSettings):
    """`[sources.NAME.tables.TABLE]`: one table of a system, or the files that hold it."""

    path: str = ""
    """Files: file, folder or glob, here or in object storage."""
    table: str = ""
    """Databases: the table, with its schema where it is not the default one. Default: the name in the settings."""
    key: tuple[str, ...] = ()
    """Columns that name a row; default: the primary key."""
    optional: bool = False
    """Where it is not there, it is left out, and so is what is looked up in it."""
    cursor: str | None = None
    """With capture = "cursor": the column that grows when a row is written."""

    @property
    def may_be_absent(self) -> bool:
        """Whether it is left out where it is not there."""
        return self.optional


class LookupSettings(BaseModel):
    """`[sources.NAME.outputs.OUTPUT.lookups.ALIAS]`: a table of which at most one row belongs to each row."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str | None = None
    """The table; default: the one of the lookup's name."""
    on: dict[str, str] = Field(min_length=1)
    """Column here = column there."""
    only: tuple[Rule, ...] = ()
    """Rules that rows of the table must all fit to be looked up."""

    @field_validator("only", mode="before")
    @classmethod
    def _one_rule(cls, value: Any) -> Any:
        return [value] if isinstance(value, Mapping) else value


class OutputSettings(MappingSettings):
    """`[sources.NAME.outputs.OUTPUT]`: what is mapped, from one table and what is looked up in others."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_table: str = Field(default="", alias="from")
    """The table of which one row is one row of the output."""
    lookups: dict[str, LookupSettings] = Field(default_factory=dict)
    """Table = {column here = column there}: where further columns come from, written TABLE.column. A table that is
    looked up must be unique by those columns, so that no row is ever multiplied."""

    @field_validator("lookups", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {
            alias: given
            if isinstance(given, Mapping) and isinstance(given.get("on"), Mapping)
            else {"on": given}
            for alias, given in value.items()
        }


@dataclass(frozen=True)
class Lookup:
    """A table of which at most one row belongs to each row of an output."""

    alias: str
    feed: str
    on: dict[str, str]
    """Column here (of the base, or alias.column of an earlier lookup) = column there."""
    only: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Output:
    """Rows of one mapped table, and where they come from."""

    name: str
    """The `source` of the mapped rows."""
    feed: str
    settings: MappingSettings
    where: str
    """Key of its settings, for messages."""
    lookups: tuple[Lookup, ...] = ()
    preset: str | None = None
    """The preset it comes from, whose names of columns are compared loosely."""

    @property
    def provides(self) -> str:
        """What one row is."""
        return self.settings.provides

    @property
    def feeds(self) -> tuple[str, ...]:
        """Everything it is mapped from."""
        return (self.feed, *(lookup.feed for lookup in self.lookups))


@dataclass(frozen=True)
class System:
    """A source as the loader sees it."""

    name: str
    settings: SystemSettings
    tables: dict[str, ReaderSettings] = field(default_factory=dict)
    """Feed: what is read."""
    outputs: dict[str, Output] = field(default_factory=dict)

    @property
    def customer_keys(self) -> str:
        """The namespace of its customer keys."""
        return self.settings.customer_keys or self.name

    def wanted(self, feed: str) -> dict[str, str]:
        """Settings that name a column of a feed, each with that column."""
        found: dict[str, str] = {}
        for output in self.outputs.values():
            inside = "" if output.where == f"sources.{self.name}" else output.where.split(".", 2)[2] + "."
            for key, column in named_columns(output.settings).items():
                alias, _, rest = column.rpartition(".")
                if output.feed == feed and alias not in {x.alias for x in output.lookups}:
                    found[inside + key] = column
                for lookup in output.lookups:
                    if lookup.feed == feed and alias == lookup.alias:
                        found[inside + key] = rest
            for lookup in output.lookups:
                for here, there in lookup.on.items():
                    if output.feed == feed and here.rpartition(".")[0] not in {
                        x.alias for x in output.lookups
                    }:
                        found[f"{inside}lookups.{lookup.alias}"] = here
                    if lookup.feed == feed:
                        found[f"{inside}lookups.{lookup.alias}.{here}"] = there
        return found

    def dump(self) -> dict[str, Any]:
        """Every setting as plain values."""
        return {
            "settings": self.settings.model_dump(mode="json"),
            "tables": {name: table.model_dump(mode="json") for name, table in sorted(self.tables.items())},
            "outputs": {
                name: [
                    o.feed,
                    o.settings.model_dump(mode="json"),
                    [[x.alias, x.feed, x.on] for x in o.lookups],
                ]
                for name, o in sorted(self.outputs.items())
            },
        }


def named_columns(settings: MappingSettings) -> dict[str, str]:
    """Settings that need a column of the table, each with that column; of alternatives none, for one is enough."""
    columns, attributes, optional = settings.columns, settings.attributes, settings.optional
    named = {f"columns.{name}": column for name, column in columns.items() if name not in optional}
    named |= {f"attributes.{name}": column for name, column in attributes.items() if name not in optional}
    rules = {f"kinds.{kind}.column": rule.column for kind, rule in settings.kinds.items()}
    rules |= {f"only[{place}].column": rule.column for place, rule in enumerate(settings.only)}
    if settings.faults is not None:
        rules["faults"] = settings.faults
    if isinstance(settings.negative, Rule):
        rules["negative.column"] = settings.negative.column
    named |= {key: column for key, column in rules.items() if column not in optional}
    found: dict[str, str] = {}
    for key, column in named.items():
        made = settings.made.get(column)
        if made is None:
            found[key] = column
        elif made.joined:
            found |= {f"{key}[{place}]": part for place, part in enumerate(made.joined)}
    return found


def system(
    name: str, values: Mapping[str, Any] | FilesSource, options: Mapping[str, str] | None = None
) -> System:
    """The system that the table `[sources.NAME]` means.

    Raises
    ------
    SettingsError
        Everything that is wrong with it, gathered, each with its key and what to do.
    """
    if isinstance(values, FilesSource):
        return _of_files(name, values, SystemSettings())
    check_name(name)
    if values.get("preset"):
        from evervalue.sources.presets import merged

        values = merged(name, values)
    given = dict(values)
    common = {key: value for key, value in given.items() if key in SystemSettings.model_fields}
    rest = {key: value for key, value in given.items() if key not in common}
    try:
        settings = SystemSettings.model_validate(common)
    except ValidationError as error:
        raise SettingsError(told(error, f"sources.{name}", SystemSettings, options)) from None
    _check_kind(name, settings)
    if "tables" in rest or "outputs" in rest:
        return _of_tables(name, settings, rest)
    if settings.kind == "files":
        return _of_files(name, files_source(name, rest, options), settings)
    return _of_one_table(name, settings, rest)


def _check_kind(name: str, settings: SystemSettings) -> None:
    faults = []
    if settings.kind in DATABASES and not settings.connection:
        faults.append(f'sources.{name}.connection is missing; write connection = "${{NAME_OF_A_VARIABLE}}"')
    if settings.kind not in DATABASES and settings.connection:
        faults.append(
            f"sources.{name}.connection belongs to databases; this source is of kind {settings.kind}"
        )
    if settings.kind not in DATABASES and settings.capture != "snapshot":
        faults.append(f"sources.{name}.capture belongs to databases; this source is of kind {settings.kind}")
    if settings.kind == "sql" and settings.capture == "changes":
        faults.append(
            f'sources.{name}: changes are captured from postgres and mysql alone; set capture = "cursor"'
        )
    if settings.kind == "changes" and settings.format is None:
        faults.append(f'sources.{name}.format is missing; write format = "debezium" or "dms"')
    if faults:
        raise SettingsError("; ".join(faults) + ". Mend it in evervalue.toml.")


def _of_files(name: str, files: FilesSource, settings: SystemSettings) -> System:
    return System(name, settings, {name: files}, {name: Output(name, name, files, f"sources.{name}")})


def _of_one_table(name: str, settings: SystemSettings, rest: dict[str, Any]) -> System:
    """A database table or change files with the mapping beside them."""
    reading = {key: value for key, value in rest.items() if key in TableSettings.model_fields}
    mapping = {key: value for key, value in rest.items() if key not in reading}
    try:
        table = _table(f"sources.{name}", name, settings, reading)
        output = MappingSettings.model_validate(mapping)
    except ValidationError as error:
        raise SettingsError(told(error, f"sources.{name}", MappingSettings)) from None
    return System(name, settings, {name: table}, {name: Output(name, name, output, f"sources.{name}")})


def _of_tables(name: str, settings: SystemSettings, rest: dict[str, Any]) -> System:
    faults = [
        f"sources.{name}.{key} is not a setting beside tables and outputs"
        f"{did_you_mean(key, SystemSettings.model_fields)}"
        for key in rest
        if key not in ("tables", "outputs")
    ]
    tables: dict[str, ReaderSettings] = {}
    for table, values in rest.get("tables", {}).items():
        where = f"sources.{name}.tables.{table}"
        try:
            tables[f"{name}.{table}"] = _table(where, table, settings, values)
        except ValidationError as error:
            faults.append(told(error, where, TableSettings).removesuffix(". Mend it in evervalue.toml."))
        except SettingsError as error:
            faults.append(str(error).removesuffix("."))
    outputs: dict[str, Output] = {}
    for output, values in rest.get("outputs", {}).items():
        where = f"sources.{name}.outputs.{output}"
        try:
            found = OutputSettings.model_validate(values)
        except ValidationError as error:
            faults.append(told(error, where, OutputSettings).removesuffix(". Mend it in evervalue.toml."))
            continue
        known = [feed.split(".", 1)[1] for feed in tables]
        named = {alias: given.table or alias for alias, given in found.lookups.items()}
        for table, key in ((found.from_table, "from"), *((t, f"lookups.{a}") for a, t in named.items())):
            if table not in known:
                faults.append(
                    f"{where}.{key}: no table is called '{table}'{did_you_mean(table, known)}; "
                    f"there are {listing(known, 20)}"
                )
        outputs[f"{name}.{output}"] = Output(
            f"{name}.{output}",
            f"{name}.{found.from_table}",
            found,
            where,
            tuple(
                Lookup(alias, f"{name}.{given.table or alias}", given.on, given.only)
                for alias, given in found.lookups.items()
            ),
            settings.preset,
        )
    if not tables:
        faults.append(f"sources.{name} has no table: add [sources.{name}.tables.NAME]")
    if not outputs:
        faults.append(
            f"sources.{name} has no output: add [sources.{name}.outputs.NAME] with from and columns"
        )
    if faults:
        raise SettingsError("; ".join(faults) + ". Mend it in evervalue.toml.")
    used = {feed for output in outputs.values() for feed in output.feeds}
    return System(name, settings, {feed: table for feed, table in tables.items() if feed in used}, outputs)


def _table(where: str, name: str, settings: SystemSettings, values: Any) -> TableSettings:
    if not isinstance(values, Mapping):
        raise SettingsError(f"{where} must be a table: write [{where}].")
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name):
        raise SettingsError(
            f"{where}: a table is called by letters, digits and _; name the real one in `table`."
        )
    table = TableSettings.model_validate({"table": name if settings.kind in DATABASES else "", **values})
    files = settings.kind in ("files", "changes")
    if files and (not table.path or table.table):
        raise SettingsError(f"{where}: files have a path, and no table.")
    if not files and (table.path or not table.table):
        raise SettingsError(f"{where}: a table of a database has no path.")
    if settings.capture == "cursor" and not table.cursor:
        raise SettingsError(f'{where}.cursor is missing, which capture = "cursor" needs.')
    if settings.kind == "changes" and not table.key:
        raise SettingsError(f"{where}.key is missing: the columns that name a row.")
    return table
