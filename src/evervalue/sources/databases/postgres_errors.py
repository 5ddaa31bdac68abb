"""What PostgreSQL and its client say when something fails, as an error with its mend."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from evervalue.core.errors import MissingExtra, SourceUnavailable
from evervalue.sources.databases import refusals
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.refusals import Case
from evervalue.warehouse.duckdb import first_line

NO_LINE = (
    "{where}: the database does not let us in from here ({said}). Ask its administrator for a line in pg_hba.conf, or "
    "for another way to connect (sslmode=require is one)."
)
NOT_UNDERSTOOD = (
    "{where}.connection cannot be understood ({said}). Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE; @ / # : in "
    "a password are written with %."
)
CASES = (
    Case(NO_LINE, (), ("no pg_hba.conf entry",)),
    Case(refusals.LET_IN, ("28P01", "28000"), ("authentication failed", "no password supplied")),
    Case(refusals.NO_DATABASE, ("3D000",)),
    Case(refusals.TABLE_GONE, ("42P01", "3F000")),
    Case(refusals.NO_RIGHT, ("42501",)),
    Case(refusals.CHANGED, ("42703",)),
    Case(refusals.BROKEN_OFF, ("57014", "55P03", "40001", "72000")),
    Case(refusals.FULL, ("53*",), ("too many clients", "too many connections", "remaining connection slots")),
    Case(
        refusals.LOST,
        ("57P*", "08*"),
        (
            "server closed the connection", "connection to server was lost", "terminating connection",
            "connection is lost", "connection is closed", "could not receive data", "invalid snapshot identifier",
            "starting up", "shutting down",
        ),
    ),
    Case(refusals.NO_DATABASE, (), ('database "',)),
    Case(NOT_UNDERSTOOD, (), ("servname not supported",)),
    Case(refusals.NO_HOST, (), ("translate host name", "name or service not known", "resolve host")),
    Case(refusals.NO_ANSWER, (), ("refused", "timeout", "timed out", "unreachable", "no route", "no such file")),
    Case(
        NOT_UNDERSTOOD,
        (),
        ('missing "="', "invalid connection option", "invalid uri", "invalid dsn", "invalid integer", "invalid port"),
    ),
)  # fmt: skip


def driver() -> Any:
    """The module psycopg.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        import psycopg
    except ImportError:
        raise MissingExtra(
            "Sources of kind postgres need psycopg: pip install 'evervalue[postgres]'."
        ) from None
    return psycopg


@contextmanager
def told(address: Address, doing: str = "") -> Iterator[None]:
    """Turns errors of the client into SourceUnavailable; `doing` is for example "reading public.orders"."""
    psycopg = driver()
    try:
        yield
    except psycopg.Error as error:
        raise refusal(error, address, doing) from None


def refusal(error: Any, address: Address, doing: str = "") -> SourceUnavailable:
    """The error in our words, with its mend, and without any password."""
    said = first_line(error)
    said = re.sub("^.*(FATAL|ERROR|PANIC): +", "", said).removeprefix("connection failed: ")
    # Without a code it is the connection that failed; in the middle of something, one that was there before.
    code = str(getattr(error, "sqlstate", None) or ("08006" if doing else ""))
    return refusals.refusal(CASES, address, code=code, said=said, doing=doing)


def failed(result: Any) -> Any:
    """The error that a result of the client's lower level means."""
    psycopg = driver()
    state = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
    kind = psycopg.errors.lookup(state.decode()) if state else psycopg.OperationalError
    return kind(result.get_error_message())
