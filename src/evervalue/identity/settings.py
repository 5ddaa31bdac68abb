"""`[identity]` of evervalue.toml: which identifiers link records, and where they stop doing so."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from evervalue.core.text import did_you_mean


class IdentitySettings(BaseModel):
    """How records of many systems become customers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    country: str | None = None
    """Country of telephone and tax numbers that do not say theirs, two letters such as DE. Without it they do not
    link."""
    email_limit: int = Field(default=5, ge=1)
    """An e-mail address that more records of one system carry does not link anybody."""
    phone_limit: int = Field(default=5, ge=1)
    """The same for a telephone number."""
    generic_limit: int = Field(default=1, ge=1)
    """The same for mailboxes of a department, such as info@ or sales@."""
    number_limit: int = Field(default=20, ge=1)
    """The same for tax numbers, customer numbers and external ids."""
    max_records: int = Field(default=50, ge=2)
    """A customer of more records loses the links by e-mail and telephone, which is reported."""
    same_orders: Literal["keep", "once"] = "keep"
    """What happens to an order that two systems hold, alike in number, customer, day, amount and currency: both are
    kept, with a warning; or it is counted once, in the system whose name comes first."""

    @field_validator("country")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in calling_codes():
            raise ValueError(
                f"'{value}' is not a country that is known here{did_you_mean(value, calling_codes())}; use two "
                "capital letters such as DE or US"
            )
        return value


@cache
def calling_codes() -> dict[str, tuple[str, str]]:
    """Country: calling code, and the trunk prefix of its national numbers."""
    return {country: (code, trunk) for country, (code, trunk) in _data("calling_codes.toml").items()}


@cache
def words() -> dict[str, tuple[str, ...]]:
    """Placeholders, mailboxes of nobody and of departments, and domains that are nowhere."""
    return {name: tuple(found) for name, found in _data("words.toml").items()}


def _data(name: str) -> dict[str, Any]:
    return tomllib.loads(files("evervalue.identity").joinpath(name).read_text("utf-8"))
