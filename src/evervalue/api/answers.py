"""The one success shape: `{data, meta}` as JSON or the rows as CSV, with an ETag that names snapshot and question."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

import evervalue
from evervalue.api.cells import csv_text, to_json
from evervalue.api.snapshots import Reading, Result, SnapshotReader, Statement

Format = Literal["json", "csv"]
PRIVATE = {"Cache-Control": "private, no-cache"}


def etag(reading: Reading, request: Request, *more: str) -> str:
    """A tag that changes with the snapshot, the question, our version and whatever else shapes the answer."""
    parts = (reading.run_id, request.url.path, request.url.query, evervalue.__version__, *more)
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
    """`{data, meta}`."""
    body = to_json({"data": data, "meta": about})
    return Response(body, media_type="application/json", headers={"ETag": tag, **PRIVATE})


def csv_answer(name: str, reading: Reading, result: Result, tag: str) -> Response:
    """A small result as a CSV file."""
    text = csv_text([result.columns, *result.rows])
    return Response(
        text, media_type="text/csv", headers={"ETag": tag, **PRIVATE, **_attachment(name, reading)}
    )


def csv_stream(name: str, reader: SnapshotReader, statement: Statement, tag: str) -> Response:
    """A result of any size as a CSV file, sent while it is read; the snapshot stays open until the end."""
    stack = ExitStack()
    reading = stack.enter_context(reader.lease())
    try:
        pieces = reading.stream(statement)
        head = next(pieces)
    except BaseException:
        stack.close()
        raise
    headers = {"ETag": tag, **PRIVATE, **_attachment(name, reading)}
    return StreamingResponse(_written(stack, head, pieces), media_type="text/csv", headers=headers)


def _written(
    stack: ExitStack, head: Sequence[tuple[Any, ...]], pieces: Iterator[Sequence[tuple[Any, ...]]]
) -> Iterator[str]:
    with stack:
        yield csv_text(head)
        for rows in pieces:
            yield csv_text(rows)


def _attachment(name: str, reading: Reading) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}-{reading.run_id}.csv"'}


def table_answer(
    request: Request, reading: Reading, name: str, statement: Statement, format_: Format, *, one: bool = False
) -> Response:
    """A small result in the format asked for; `one` gives the object instead of a list of one."""
    tag = etag(reading, request)
    if (same := unchanged(request, tag)) is not None:
        return same
    result = reading.result(statement)
    if format_ == "csv":
        return csv_answer(name, reading, result, tag)
    rows = result.dicts()
    data: object = (rows[0] if rows else None) if one else rows
    return json_answer(data, meta(reading, statement, result.seconds), tag)
