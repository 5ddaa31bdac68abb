"""What servers write down of what they do: one line an occurrence, as text or as JSON, on the standard error.

A line has a name and fields, and fields are numbers, names of settings and sentences of ours: what people send has no
way in. Of an exception that was not foreseen a line has its kind and its place alone, for its message may quote a
value; of other libraries' lines it has the first line of the message. That is a formatter of the standard library's
logging, which uvicorn writes to as well; structlog would add a dependency and 0.3 s to every start.
"""

from __future__ import annotations

import datetime as dt
import logging
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO

import orjson

Format = Literal["text", "json"]
OURS = "evervalue"


def setup(format: Format = "text", stream: TextIO | None = None) -> logging.Handler:
    """The handler that writes every line from now on; one that was set up before is replaced.

    Parameters
    ----------
    format
        text, or json: one object a line.
    stream
        Where to; default: the standard error.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines(format))
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h.formatter, Lines)]:
        root.removeHandler(old)
    root.addHandler(handler)
    logging.getLogger(OURS).setLevel(logging.INFO)
    return handler


def tell(log: logging.Logger, level: int, name: str, says: str = "", /, **fields: object) -> None:
    """Write one line.

    Parameters
    ----------
    name
        What happened, in a word: "refused".
    says
        The same in a sentence, where the fields do not say it.
    fields
        Numbers, names and instants; never what somebody sent.
    """
    if log.isEnabledFor(level):
        log.log(level, "%s", says or name, extra={"told": (name, fields)})


def fault(error: BaseException) -> str:
    """The kind of an exception and the place it came from, without its message: 'ValueError at app.py:12'."""
    place = _last(error.__traceback__)
    return type(error).__name__ + (f" at {place}" if place else "")


class Lines(logging.Formatter):
    """Writes a record as one line."""

    def __init__(self, format: Format) -> None:
        super().__init__()
        self.as_json = format == "json"

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        name, fields = getattr(record, "told", ("", {}))
        held: dict[str, Any] = {
            "at": at.replace("+00:00", "Z"), "level": record.levelname.lower(), "logger": record.name,
        }  # fmt: skip
        says = record.getMessage().strip()
        if record.name.partition(".")[0] != OURS:
            says = says.partition("\n")[0]
        if name:
            held["event"] = name
        if says != name:
            held["says"] = says
        held.update(fields)
        if record.exc_info and record.exc_info[1] is not None:
            held["fault"] = fault(record.exc_info[1])
        if self.as_json:
            return orjson.dumps(held, default=str).decode()
        at, level, logger = held.pop("at"), held.pop("level"), held.pop("logger")
        first = held.pop("event", "") or held.pop("says", "")
        more = " ".join(f"{key}={_value(value)}" for key, value in held.items())
        return f"{at} {level.upper():7} {logger} {first}{' ' if more else ''}{more}"


def _value(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text or not text else text


def _last(trace: TracebackType | None) -> str:
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
