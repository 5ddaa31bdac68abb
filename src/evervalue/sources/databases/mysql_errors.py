"""What MySQL, MariaDB and their client say when something fails, as an error with its mend."""

from __future__ import annotations

from typing import Any

from evervalue.core.errors import MissingExtra, SourceUnavailable
from evervalue.sources.databases import refusals
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.refusals import Case

CASES = (
    Case(refusals.LET_IN, ("1045", "1698", "1251", "3118", "4151")),
    Case(refusals.NO_DATABASE, ("1049",)),
    Case(refusals.TABLE_GONE, ("1146", "1932")),
    Case(refusals.NO_RIGHT, ("1044", "1142", "1143", "1227", "1370")),
    Case(refusals.CHANGED, ("1054", "1412")),
    Case(refusals.BROKEN_OFF, ("1205", "1213", "1969", "3024", "1317")),
    Case(refusals.FULL, ("1040", "1203", "1226", "1021", "1114")),
    Case(refusals.NO_HOST, (), ("name or service not known", "nodename nor", "name resolution", "getaddrinfo")),
    Case(refusals.NO_ANSWER, ("2002", "2003", "2005")),
    Case(refusals.LOST, ("2006", "2013", "2014", "2055", "1053", "1077", "1079", "1927", "4031", "0")),
)  # fmt: skip


def driver() -> Any:
    """The module pymysql.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        import pymysql  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra("Sources of kind mysql need PyMySQL: pip install 'evervalue[mysql]'.") from None
    return pymysql


def refusal(error: BaseException, address: Address, doing: str = "") -> SourceUnavailable:
    """The error in our words, with its mend, and without any password."""
    code, *rest = error.args or ("", "")
    said = str(rest[0]) if rest else str(code)
    return refusals.refusal(
        CASES, address, code=str(code) if isinstance(code, int) else "", said=said, doing=doing
    )
