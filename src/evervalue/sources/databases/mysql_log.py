"""What a MySQL or MariaDB server must write into its binary log, so that every change of a row can be read from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

WANTED = {
    "log_bin": ("ON", "1"),
    "binlog_format": ("ROW",),
    "binlog_row_image": ("FULL",),
    "binlog_row_metadata": ("FULL",),
    "log_bin_compress": ("OFF", "0"),
    "binlog_transaction_compression": ("OFF", "0"),
    "binlog_row_value_options": ("",),
}
"""Setting: values that will do. A server that has not the setting has not what it is about, but for the names below."""
NEEDED = ("binlog_format", "binlog_row_image", "binlog_row_metadata")


def variables(cursor: Any) -> dict[str, str]:
    """The server's settings that matter, as far as it knows them."""
    listed = ", ".join(f"'{name}'" for name in WANTED)
    cursor.execute(f"show global variables where variable_name in ({listed})")
    return {str(row[0]).lower(): str(row[1]) for row in cursor.fetchall()}


def faults(found: dict[str, str]) -> list[str]:
    """What is set otherwise than it must be, each with its mend.

    >>> set_so = {
    ...     "log_bin": "ON",
    ...     "binlog_format": "ROW",
    ...     "binlog_row_image": "FULL",
    ...     "binlog_row_metadata": "NO_LOG",
    ... }
    >>> faults(set_so)[0].partition(":")[0]
    'binlog_row_metadata is NO_LOG'
    """
    said = []
    for name, values in WANTED.items():
        value = found.get(name)
        if value is None and name in NEEDED:
            said.append(f"the server has no setting {name}: MySQL from 8.0.1 and MariaDB from 10.5 have it")
        elif name == "log_bin" and value is not None and value.upper() not in values:
            said.append("the binary log is off: set log_bin in the server's settings and restart it")
        elif value is not None and value.upper() not in values:
            said.append(
                f"{name} is {value}: SET GLOBAL {name} = '{values[0]}'; and write it into the server's settings"
            )
    return said


def left_out(database: str, only: str, ignored: str) -> str:
    """Why changes of a database are not written into the log; empty where they are.

    >>> left_out("shop", "", "crm,shop")
    'binlog_ignore_db names shop'
    """
    if only and database.lower() not in _names(only):
        return f"binlog_do_db names {only}, and not {database}"
    return f"binlog_ignore_db names {database}" if database.lower() in _names(ignored) else ""


def _names(listed: str) -> Iterable[str]:
    return [name.strip().lower() for name in listed.split(",")]
