"""What a published run says once for all customers: settings, boundaries and models, ready to compute with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evervalue.live.scores import Scoring

if TYPE_CHECKING:
    from evervalue.models.prediction import Predictor


@dataclass(frozen=True)
class EventSource:
    """A source of events as a run has read it."""

    name: str
    customer_keys: str
    """Namespace of its customer keys."""
    last_seq: int
    """Place in the log up to which it was read."""
    takes_orders: bool
    """Whether orders and people of it count; else it tells of visits alone."""
    outputs: Sequence[str]
    """Names under which the tables know what came of it."""


@dataclass(frozen=True)
class Published:
    """What figures of customers are computed with on top of a run."""

    as_of: dt.date
    published_at: dt.datetime | None
    settings: Mapping[str, Any]
    """The settings that figures hang on, by their names in `run.settings`."""
    scoring: Scoring
    sources: Mapping[str, EventSource]
    predictor: Predictor | None
    """None where value is switched off."""
