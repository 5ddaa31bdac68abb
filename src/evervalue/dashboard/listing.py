"""Server-side tables: what the address asks for, and the addresses of every other order, page and filter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from evervalue.api.requests import ListRequest
from evervalue.dashboard.links import url

Asked = TypeVar("Asked", bound=BaseModel)


def asked_for(model: type[Asked], request: Request) -> Asked:
    """The typed request that the address holds. Parameters that are not ours (of a mail campaign, say) are ignored.

    Raises
    ------
    RequestValidationError
        A value is not one that the parameter can have.
    """
    given: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        values = request.query_params.getlist(name)
        if values:
            given[name] = values if _is_list(field.annotation) else values[-1]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def _is_list(annotation: object) -> bool:
    return get_origin(annotation) is tuple or any(
        get_origin(a) is tuple for a in get_args(annotation) if a is not NoneType
    )


@dataclass(frozen=True)
class View:
    """One view of a list: its filters and its order. All state is here and in the address, nowhere else."""

    path: str
    filters: tuple[tuple[str, object], ...]
    sort: str
    default_sort: str

    @property
    def order(self) -> str:
        """The order in force."""
        return self.sort or self.default_sort

    def sorted_by(self, column: str, first: str) -> str:
        """The address that sorts by a column; asked again it turns the order round. `first` is '-' or ''."""
        wanted = column if self.order == f"-{column}" else f"-{column}"
        if self.order.removeprefix("-") != column:
            wanted = first + column
        return self._address([("sort", "" if wanted == self.default_sort else wanted)])

    def direction(self, column: str) -> str:
        """The value of aria-sort for a column: ascending, descending or empty."""
        if self.order.removeprefix("-") != column:
            return ""
        return "descending" if self.order.startswith("-") else "ascending"

    def paged(self, name: str, cursor: str | None) -> str:
        """The address of the next (`after`) or previous (`before`) page."""
        return self._address([("sort", self.sort), (name, cursor)])

    def here(self, asked: ListRequest) -> str:
        """The shortest address of exactly this view."""
        sort = "" if self.sort == self.default_sort else self.sort
        return self._address([("sort", sort), ("after", asked.after), ("before", asked.before)])

    def without(self, names: Iterable[str]) -> str:
        """The address of this view without some of its filters."""
        left = [pair for pair in self.filters if pair[0] not in set(names)]
        return url(self.path, [*left, ("sort", "" if self.sort == self.default_sort else self.sort)])

    def export(self, file_format: str) -> str:
        """The address of everything that the filters leave, as a file."""
        filters = [p for p in self.filters if p[0] != "columns"]
        return url("/v1" + self.path, [*filters, ("sort", self.sort), ("format", file_format)])

    def as_json(self) -> str:
        """The address of the same rows as JSON."""
        return url("/v1" + self.path, [*(p for p in self.filters if p[0] != "columns"), ("sort", self.sort)])

    def _address(self, more: Iterable[tuple[str, object]]) -> str:
        return url(self.path, [*self.filters, *more])
