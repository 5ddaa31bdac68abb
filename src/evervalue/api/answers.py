"""The one success shape: `{data, meta}`, or the rows as a file, with an ETag that names snapshot and question."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

import evervalue
from evervalue.api.access import who_of
from evervalue.api.cells import csv_text, to_json, types_of
from evervalue.api.snapshots import Reading, SnapshotReader, Statement
from evervalue.api.xlsx import workbook

Format = Literal["json", "csv", "xlsx"]
FileFormat = Literal["csv", "xlsx"]
FILE_TYPES: dict[str, str] = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
PRIVATE = {"Cache-Control": "private, no-cache"}


def etag(reading: Reading, request: Request, *more: str) -> str:
    """A tag that changes with the snapshot, the question, the role, our version and what else shapes the answer."""
    role = who_of(request).role
    parts = (reading.run_id, request.url.path, request.url.query, role, evervalue.__version__, *more)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f'W/"{digest[:24]}"'


def unchanged(request: Request, tag: str) -> Response | None:
    """304 where the client already holds this answer."""
    held = [t.strip() for t in request.headers.get("if-none-match", "").split(",")]
    return Response(status_code=304, headers={"ETag": tag, **PRIVATE}) if tag in held or "*" in held else None


def meta(reading: Reading, statement: Statement, seconds: float, **more: object) -> dict[str, object]:
    """What an answer says about itself."""
    return {
        "run_id": reading.run_id,
        "as_of": reading.run.as_of,
        "currency": reading.run.currency,
        "sql": statement.sql,
        "parameters": dict(statement.parameters),
        "seconds": round(seconds, 6),
        **more,
    }


def json_answer(data: object, about: dict[str, object], tag: str) -> Response:
    """`{data, meta}`; `meta.types` says which texts are decimals, dates and instants."""
    body = to_json({"data": data, "meta": {**about, "types": types_of(data)}})
    return Response(body, media_type="application/json", headers={"ETag": tag, **PRIVATE})


def file_answer(
    request: Request,
    reader: SnapshotReader,
    name: str,
    statement: Statement,
    format_: FileFormat,
    *,
    tagged: tuple[str, ...] = (),
) -> Response:
    """A result of any size as a file, sent while it is read; its snapshot stays open until the end."""
    stack = ExitStack()
    reading = stack.enter_context(reader.lease())
    try:
        pieces = reading.stream(statement)
        head = [str(column) for column in next(pieces)[0]]
    except BaseException:
        stack.close()
        raise
    body = _written(stack, name, format_, head, pieces)
    next(body)
    disposition = f'attachment; filename="{name}-{reading.run_id}.{format_}"'
    headers = {"ETag": etag(reading, request, *tagged), "Content-Disposition": disposition, **PRIVATE}
    return StreamingResponse(body, media_type=FILE_TYPES[format_], headers=headers)


def _written(
    stack: ExitStack,
    name: str,
    format_: FileFormat,
    head: list[str],
    pieces: Iterator[Sequence[tuple[Any, ...]]],
) -> Iterator[bytes]:
    with stack:
        yield b""  # begun: from here on even an answer that nobody takes gives its snapshot back
        if format_ == "csv":
            yield csv_text([head]).encode()
            for rows in pieces:
                yield csv_text(rows).encode()
        else:
            yield from workbook(name, head, chain.from_iterable(pieces))


def first_rows(reading: Reading, statement: Statement, most: int) -> tuple[Statement, dict[str, object]]:
    """The first rows of a statement alone, and how many it has in all, which the answer must say."""
    counted = Statement(f"select count(*) as n from ({statement.sql})", statement.parameters)
    total = int(reading.result(counted).rows[0][0])
    return Statement(f"{statement.sql}\nlimit {most}", statement.parameters), {"total": total}


def table_answer(
    request: Request,
    reader: SnapshotReader,
    reading: Reading,
    name: str,
    statement: Statement,
    format_: Format,
    *,
    one: bool = False,
    tagged: tuple[str, ...] = (),
    more: Mapping[str, object] | None = None,
) -> Response:
    """A small result in the format asked for; `one` gives the object instead of a list of one.

    `tagged` is what else shapes the answer, such as the minute in which it is given; `more` goes into its description.
    """
    tag = etag(reading, request, *tagged)
    if (same := unchanged(request, tag)) is not None:
        return same
    if format_ != "json":
        return file_answer(request, reader, name, statement, format_, tagged=tagged)
    result = reading.result(statement)
    rows = result.dicts()
    data: object = (rows[0] if rows else None) if one else rows
    return json_answer(data, meta(reading, statement, result.seconds, **(more or {})), tag)
