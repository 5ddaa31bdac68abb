"""What a project says of itself: `evervalue.toml`, read, checked and explained."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import tomllib
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from evervalue.collector.streams.settings import StreamSettings, stream_settings, without_stream
from evervalue.core.duration import Duration, duration
from evervalue.core.errors import SettingsError
from evervalue.core.text import did_you_mean
from evervalue.governance.settings import SignInSettings
from evervalue.identity.settings import IdentitySettings
from evervalue.pipeline.collector_settings import CollectorSettings
from evervalue.pipeline.event_settings import SessionSettings, of_events, silence_of
from evervalue.pipeline.report_settings import MailSettings, ReportSettings, ReportsSettings
from evervalue.sources.settings import told
from evervalue.sources.systems import System, system

FILE = "evervalue.toml"


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProjectSettings(_Settings):
    """`[project]`: what holds for everything."""

    name: str = "Customer value"
    """Name of the project, as its pages show it."""
    currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    """Reporting currency, a three-letter code."""
    time_zone: str = "UTC"
    """Zone in which the business day begins and ends."""
    as_of: dt.date | None = None
    """Cutoff: orders count up to the day before. Default: the day after the newest order."""
    data_dir: str = "evervalue-data"
    """Where the warehouse and the published snapshots lie, relative to the file."""

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in zoneinfo.available_timezones():
            raise ValueError(
                f"'{value}' is not a time zone{did_you_mean(value, zoneinfo.available_timezones())}"
            )
        return value


class LrfmSettings(_Settings):
    """`[lrfm]`: how customers are scored."""

    monetary: Literal["margin", "revenue"] = "margin"
    """What monetary value sums up: one choice a run."""
    bins: int = Field(default=4, ge=2, le=10)
    """Scores run from 1 to this."""
    ties: Literal["first", "share"] = "first"
    """Equal values are parted by name (first), or share a score."""
    high_value_at: int | None = None
    """Lowest LRFM score of a High-Value customer. Default: 3.5 times the bins (14 of 16)."""
    mid_value_at: int | None = None
    """Lowest LRFM score of a Mid-Value customer. Default: 2.5 times the bins (10 of 16)."""
    allow_missing_cost: bool = False
    """With monetary = "margin": a line with neither margin nor cost counts with its whole amount instead of failing."""

    @property
    def high(self) -> int:
        """The bound of High-Value that is in force."""
        return self.high_value_at if self.high_value_at is not None else math.ceil(3.5 * self.bins)

    @property
    def mid(self) -> int:
        """The bound of Mid-Value that is in force."""
        return self.mid_value_at if self.mid_value_at is not None else math.ceil(2.5 * self.bins)

    @model_validator(mode="after")
    def _ordered(self) -> LrfmSettings:
        if not 4 <= self.mid <= self.high <= 4 * self.bins:
            raise ValueError(
                f"mid_value_at ({self.mid}) and high_value_at ({self.high}) must lie in this order "
                f"between 4 and {4 * self.bins}, which is four times the bins"
            )
        return self


class GemSettings(_Settings):
    """`[gems]`: which Mid-Value customers are hidden gems."""

    rule: Literal["m_score", "top_n", "top_share"] = "m_score"
    """Top profit performers are those with the best M scores, the top N, or a top share of customers."""
    min_m_score: int | None = Field(default=None, ge=1, le=10)
    """With rule = "m_score": lowest M score. Default: the highest there is."""
    top_n: int = Field(default=20, ge=1, le=1_000_000_000)
    """With rule = "top_n": how many."""
    top_share: float = Field(default=0.1, gt=0, le=1)
    """With rule = "top_share": which share of the scored customers."""
    what_if_max_orders: int = Field(default=100, ge=1, le=1000)
    """Most further orders that are tried to make a gem High-Value."""


PURCHASE_MODELS = ("pareto-nbd", "bg-nbd", "mbg-nbd", "mbg-cnbd-k")
SPEND_MODELS = ("gamma-gamma", "normal-spend")
"""By the names that options give; kept here so that settings are read without the models being imported."""


class ValueSettings(_Settings):
    """`[value]`: what customers will be worth, and how sure that is."""

    horizon: str = "365d"
    """How far ahead: days ("365d"), weeks ("52W"), years of 365 days ("2y"), or "inf" with a discount rate."""
    interval: float = Field(default=0.9, gt=0, le=0.999)
    """Share of realised values that [low, high] is to hold."""
    discount_rate_annual: float = Field(default=0.1, ge=0, le=10)
    """Money a year from now counts as itself divided by 1 + this."""
    model: str = "auto"
    """How customers buy and leave: "auto" lets a backtest on your own data choose, "none" leaves value out, else one of
    "pareto-nbd", "bg-nbd", "mbg-nbd" and "mbg-cnbd-k"."""
    spend: str = "auto"
    """What they spend a purchase day: "auto", "gamma-gamma" (amounts above zero) or "normal-spend" (any amount)."""
    recalibrate: bool = False
    """Whether predictions are corrected by what came of those made one horizon ago: their pace, and how often intervals
    held. A trend is then taken to go on; so is a season that the horizon does not hold whole."""

    @field_validator("horizon")
    @classmethod
    def _horizon(cls, value: str) -> str:
        try:
            days = duration(value).days
        except SettingsError as error:
            raise ValueError(str(error).rstrip(".")) from None
        if days != math.inf and (days < 1 or days != int(days) or days > 100 * 365):
            raise ValueError(f"'{value}' must be whole days, from one day to a hundred years, or 'inf'")
        return value

    @field_validator("model")
    @classmethod
    def _model(cls, value: str) -> str:
        return _one_of(value, ("auto", "none", *PURCHASE_MODELS))

    @field_validator("spend")
    @classmethod
    def _spend(cls, value: str) -> str:
        return _one_of(value, ("auto", *SPEND_MODELS))

    @model_validator(mode="after")
    def _worth_something(self) -> ValueSettings:
        if self.ahead.days == math.inf and self.discount_rate_annual == 0:
            raise ValueError("an unlimited horizon has a value only with a yearly discount rate above 0")
        return self

    @property
    def ahead(self) -> Duration:
        """The horizon as a duration."""
        return duration(self.horizon)

    @property
    def horizon_days(self) -> int | None:
        """The horizon in days; None where it is unlimited."""
        return None if math.isinf(self.ahead.days) else int(self.ahead.days)


def _one_of(value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"'{value}' is not known{did_you_mean(value, known)}; there are {', '.join(known)}")
    return value


class ActionRule(_Settings):
    """`[[actions.rules]]`: one rule; the first that fits a gem gives its action."""

    action: str = Field(pattern="^[a-z][a-z0-9_]*$")
    """Short name."""
    title: str
    """The action in a few words."""
    says: str
    """The action in a sentence."""
    l: tuple[int, int] | None = None  # noqa: E741 - the dimension's own letter
    """Lowest and highest L score that fit. Default: any."""
    r: tuple[int, int] | None = None
    """Lowest and highest R score that fit. Default: any."""
    f: tuple[int, int] | None = None
    """Lowest and highest F score that fit. Default: any."""

    @model_validator(mode="after")
    def _ranges(self) -> ActionRule:
        for name in ("l", "r", "f"):
            scores = getattr(self, name)
            if scores and not 1 <= scores[0] <= scores[1]:
                raise ValueError(
                    f"{name} = {list(scores)} of rule '{self.action}' must be [lowest, highest], from 1 up"
                )
        return self


class ActionSettings(_Settings):
    """`[actions]`: what to do about gems."""

    rules: tuple[ActionRule, ...] = ()
    """Rules in the order of trial, the last of which must fit everyone. Default: `default_rules`."""

    @model_validator(mode="after")
    def _last_fits_all(self) -> ActionSettings:
        if self.rules and any((self.rules[-1].l, self.rules[-1].r, self.rules[-1].f)):
            raise ValueError(
                f"the last rule ('{self.rules[-1].action}') must fit everyone: take its l, r and f away"
            )
        return self


def default_rules(bins: int) -> tuple[ActionRule, ...]:
    """The rules of the LRFM study that the SaaS example repeats, for any number of bins."""
    return (
        ActionRule(
            action="account_management",
            title="Personal account management",
            says="Orders often already: give it a named contact and encourage it into High-Value.",
            f=(bins, bins),
        ),
        ActionRule(
            action="reactivate",
            title="Reactivate",
            says="Has been quiet for longer than most: win it back with a targeted re-engagement offer.",
            r=(1, bins // 2),
        ),
        ActionRule(
            action="loyalty",
            title="Profit-based engagement and loyalty",
            says="Buys now but seldom: reward the profit it brings and build the habit with a loyalty programme.",
        ),
    )


@dataclass(frozen=True)
class Settings:
    """Everything that a run is set to."""

    project: ProjectSettings
    sources: dict[str, System]
    lrfm: LrfmSettings
    gems: GemSettings
    actions: ActionSettings
    value: ValueSettings = field(default_factory=ValueSettings)
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    collector: CollectorSettings = field(default_factory=CollectorSettings)
    events: tuple[str, ...] = ()
    """Sources whose events the collector takes (kind = "events")."""
    streams: dict[str, StreamSettings] = field(default_factory=dict)
    """Source of events: the stream that brings some of them."""
    silences: dict[str, float] = field(default_factory=dict)
    """Source of events: how many seconds it may be silent, where that is set."""
    sessions: SessionSettings = field(default_factory=SessionSettings)
    visits_alone: frozenset[str] = frozenset()
    """Sources of events that tell of visits and never of orders (trust = "browser")."""
    server: SignInSettings = field(default_factory=SignInSettings)
    """No run depends on it."""
    mail: MailSettings = field(default_factory=MailSettings)
    reports: Mapping[str, ReportSettings] = field(default_factory=dict)
    """What is sent by mail, by its name; no run depends on it."""

    @property
    def rules(self) -> tuple[ActionRule, ...]:
        """The action rules in force."""
        return self.actions.rules or default_rules(self.lrfm.bins)

    @property
    def sha256(self) -> str:
        """Checksum over every setting, so that a run can say what it was set to."""
        whole = {
            "project": self.project.model_dump(mode="json"),
            "sources": {k: v.dump() for k, v in sorted(self.sources.items())},
            "lrfm": self.lrfm.model_dump(mode="json"),
            "gems": self.gems.model_dump(mode="json"),
            "actions": [r.model_dump(mode="json") for r in self.rules],
            "value": self.value.model_dump(mode="json"),
            "identity": self.identity.model_dump(mode="json"),
            "sessions": self.sessions.model_dump(mode="json"),
        }
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Project:
    """A folder with an `evervalue.toml`."""

    folder: Path
    settings: Settings

    @property
    def data_dir(self) -> Path:
        """Where the warehouse and the published snapshots lie."""
        return self.folder / self.settings.project.data_dir


SECTIONS: dict[str, type[BaseModel]] = {
    "project": ProjectSettings,
    "lrfm": LrfmSettings,
    "gems": GemSettings,
    "actions": ActionSettings,
    "value": ValueSettings,
    "identity": IdentitySettings,
    "collector": CollectorSettings,
    "sessions": SessionSettings,
    "server": SignInSettings,
    "mail": MailSettings,
    "reports": ReportsSettings,
}


def read_project(folder: Path) -> Project:
    """The project in `folder`, its settings checked.

    Raises
    ------
    SettingsError
        There is no `evervalue.toml`, or it says something unknown or impossible; every fault is named.
    """
    file = folder / FILE
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"There is no {FILE} in {folder.resolve()}. Write one with 'evervalue init DIR --from FILE', "
            "or give the project's folder after the command, as in 'evervalue run DIR'."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}.") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not valid TOML: {error}.") from None
    return Project(folder, settings_from(values))


def settings_from(values: dict[str, Any], options: Mapping[str, str] | None = None) -> Settings:
    """The settings in a parsed `evervalue.toml`.

    Parameters
    ----------
    values
        Its tables.
    options
        Where they come from options instead: what each setting is known as there ("value.horizon": "--horizon").

    Raises
    ------
    SettingsError
        With every fault that was found, each with its key.
    """
    faults: list[str] = []
    known = (*SECTIONS, "sources")
    faults += [
        f"[{name}] is not a section{did_you_mean(name, known)}." for name in values if name not in known
    ]
    parts: dict[str, Any] = {}
    for name, model in SECTIONS.items():
        try:
            parts[name] = model.model_validate(values.get(name, {}))
        except ValidationError as error:
            faults.append(told(error, name, model, options))
    sources: dict[str, System] = {}
    events: list[str] = []
    streams: dict[str, StreamSettings] = {}
    silences: dict[str, float] = {}
    visits_alone: set[str] = set()
    tables = values.get("sources", {})
    if not isinstance(tables, dict) or not tables:
        faults.append("No source is named: add a table [sources.NAME] with a path and its columns.")
        tables = {}
    for name, table in tables.items():
        try:
            if not isinstance(table, dict):
                raise SettingsError(f"sources.{name} must be a table: write [sources.{name}].")
            if table.get("kind") == "events":
                events.append(name)
                stream = stream_settings(name, table)
                if stream is not None:
                    streams[name] = stream
                if (seconds := silence_of(name, table)) is not None:
                    silences[name] = seconds
                if table.get("trust") == "browser":
                    visits_alone.add(name)
                table = without_stream(table)
                table = of_events(name, table, parts.get("project", ProjectSettings()).data_dir)
            sources[name] = system(name, table, options)
        except SettingsError as error:
            faults.append(str(error))
    if not faults and (parts["gems"].min_m_score or 1) > parts["lrfm"].bins:
        faults.append(
            f"gems.min_m_score is above the highest score, {parts['lrfm'].bins} (lrfm.bins). Lower it."
        )
    if not faults and parts["reports"].root and not parts["mail"].host:
        faults.append("[reports] wants a mail server: add [mail] with host and sender.")
    if faults:
        raise SettingsError(" ".join(faults))
    return Settings(
        parts["project"],
        sources,
        parts["lrfm"],
        parts["gems"],
        parts["actions"],
        parts["value"],
        parts["identity"],
        parts["collector"],
        tuple(events),
        streams,
        silences,
        parts["sessions"],
        frozenset(visits_alone),
        parts["server"],
        parts["mail"],
        parts["reports"].root,
    )
