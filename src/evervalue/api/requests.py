"""What a client may ask of a list: filters, order, place and format, in one typed model a list."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from evervalue.api.answers import Format
from evervalue.api.cursor import LONGEST
from evervalue.api.queries import actions, customers, gems, revenue, targeting
from evervalue.api.queries.base import Page

MAX_LIMIT = 1000


class ListRequest(BaseModel):
    """Order, place and format of a list. Empty values mean the default, so that a plain HTML form can send them."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    sort: str = Field("", max_length=40)
    """Column to sort by; a '-' before it sorts downwards."""

    after: str = Field("", max_length=LONGEST)
    """`next_cursor` of the page before."""

    before: str = Field("", max_length=LONGEST)
    """`previous_cursor` of the page after."""

    limit: int = Field(50, ge=1, le=MAX_LIMIT)
    format: Format | Literal[""] = "json"
    """csv and xlsx give every row that the filters leave."""

    def page(self, default_sort: str) -> Page:
        """The part of the list that is asked for."""
        return Page(self.sort or default_sort, self.after or None, self.before or None, self.limit)


class CustomersRequest(customers.CustomerFilters, ListRequest):
    """Customers: filters, order, place and format."""


class GemsRequest(gems.GemFilters, ListRequest):
    """Hidden gems: filters, order, place and format."""


class ActionsRequest(actions.ActionFilters, ListRequest):
    """The queue of actions: filters, order, place and format."""


class TargetingRequest(targeting.TargetingTerms, ListRequest):
    """Targeting: the terms, and for the list of those chosen its order, place and format."""

    part: targeting.Part = "summary"


class RevenueRequest(revenue.BehindFilter, ListRequest):
    """Revenue: by month, or by the values of a dimension, with order, place and format."""

    part: revenue.Part | Literal[""] = ""
    """With `by`: values (the default), concentration, or months and lines of the `value`; alone: dimensions."""

    q: customers.Text = ""
    """Part of a value's name, in any case."""
