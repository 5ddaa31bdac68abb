"""`[mail]` and `[reports.NAME]`: which pages are sent to whom, when, and by which mail server."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator, model_validator

LOOPBACK = ("127.0.0.1", "localhost", "::1")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
ADDRESS = re.compile(r"[^\s@<>,;\x00-\x1f]+@[^\s@<>,;\x00-\x1f]+")
NAMED = re.compile(r"(?:[^<>\x00-\x1f]*<)?([^<>]+?)>?")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EVERY = re.compile(rf"(day|weekday|{'|'.join(DAYS)}|month (?:[1-9]|1[0-9]|2[0-8])) ([01]\d|2[0-3]):([0-5]\d)")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MailSettings(_Section):
    """`[mail]`: the server that sends."""

    host: str = ""
    """Name of the SMTP server; empty: nothing is sent."""
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted; "none" is for a server on this machine."""
    user: str = ""
    password: str = ""
    """The environment variable that holds it ("${SMTP_PASSWORD}")."""
    sender: str = ""
    """Who the mail is from: "Evervalue <value@example.com>"."""

    @field_validator("password")
    @classmethod
    def _password(cls, value: str) -> str:
        if value and not VARIABLE.fullmatch(value):
            raise ValueError('name an environment variable, as in password = "${SMTP_PASSWORD}"')
        return value

    @field_validator("sender")
    @classmethod
    def _sender(cls, value: str) -> str:
        return mail_address(value) if value else value

    @model_validator(mode="after")
    def _whole(self) -> MailSettings:
        if self.host and not self.sender:
            raise ValueError('say who sends: sender = "Evervalue <value@example.com>"')
        if self.security == "none" and self.host not in (*LOOPBACK, ""):
            raise ValueError(
                'security = "none" is for a mail server on this machine; use "starttls" or "tls"'
            )
        return self


class ReportSettings(_Section):
    """`[reports.NAME]`: one report."""

    pages: Annotated[tuple[str, ...], Field(min_length=1, max_length=20)]
    """Addresses of pages as the browser shows them, filters included: "/gems", "/customers?tier=mid"."""
    to: Annotated[tuple[str, ...], Field(min_length=1, max_length=50)]
    """Who gets it."""
    every: str = "monday 07:00"
    """When, in the project's time zone: "day 07:00", "weekday 07:00", "monday 07:00" or "month 1 07:00"."""
    title: str = Field(default="", max_length=120)
    format: Literal["html", "pdf"] = "html"
    """A page that needs no other file, or a PDF, for which Chromium must be on this machine."""
    language: str = Field(default="en-US", max_length=20, pattern=r"[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*")
    """How numbers and dates are written."""

    @field_validator("pages")
    @classmethod
    def _pages(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if (
                not value.startswith("/")
                or value.startswith(("//", "/\\", "/v1", "/static"))
                or not value.isprintable()
            ):
                raise ValueError(
                    f"'{value[:80]}' is not a page; write its path, such as \"/gems?action=loyalty\""
                )
        return values

    @field_validator("to")
    @classmethod
    def _to(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(mail_address(value) for value in values)

    @field_validator("every")
    @classmethod
    def _every(cls, value: str) -> str:
        text = " ".join(value.lower().split())
        if not EVERY.fullmatch(text):
            raise ValueError(
                'write "day 07:00", "weekday 07:00", "monday 07:00" or "month 1 07:00" (days 1 to 28)'
            )
        return text


class ReportsSettings(
    RootModel[dict[Annotated[str, Field(pattern=r"[a-z][a-z0-9_-]{0,40}")], ReportSettings]]
):
    """`[reports]`: every report by its name."""

    model_config = ConfigDict(frozen=True)


def mail_address(text: str) -> str:
    """A mail address, with or without a name before it.

    Raises
    ------
    ValueError
        It is none, or would put more into a mail's head.

    Examples
    --------
    >>> mail_address("Ada <ada@example.com>")
    'Ada <ada@example.com>'
    """
    found = NAMED.fullmatch(text.strip())
    if found is None or not text.isprintable() or not ADDRESS.fullmatch(found[1].strip()):
        raise ValueError(f"'{text[:80]}' is not a mail address")
    return text.strip()
