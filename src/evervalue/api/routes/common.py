"""What the routes under /v1 share: who reads, what time it is, and lists page by page or as a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api.answers import etag, file_answer, json_answer, meta, unchanged
from evervalue.api.live import Live
from evervalue.api.queries import sources
from evervalue.api.queries.base import ListQuery
from evervalue.api.requests import ListRequest
from evervalue.api.snapshots import Reading, SnapshotReader, Statement


class KeyConvertor(Convertor[str]):
    """A customer key at the end of a path: any characters, slashes and line ends included."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        """The key."""
        return value

    def to_string(self, value: str) -> str:
        """The key."""
        return value


register_url_convertor("key", KeyConvertor())


def reader_of(request: Request) -> SnapshotReader:
    """The reader of the application."""
    reader: SnapshotReader = request.app.state.reader
    return reader


def present_of(request: Request, reading: Reading) -> sources.Present:
    """The present, as questions about sources take it."""
    state = request.app.state
    return sources.present(state.clock, reading, state.reader.publisher.data_dir)


def live_of(request: Request) -> Live:
    """The live layer of the application."""
    live: Live = request.app.state.live
    return live


def list_answer(
    request: Request,
    reading: Reading,
    name: str,
    query: ListQuery,
    asked: ListRequest,
    default_sort: str,
    says: object,
    prediction: Statement | None = None,
    *,
    tagged: tuple[str, ...] = (),
    told: Callable[[Statement], Statement] | None = None,
    more: Mapping[str, object] | None = None,
) -> Response:
    """One page of a list with the way to its neighbours, or all of it as a file.

    `tagged` is what shapes the answer beside the snapshot; `told` gives the statement as the answer may show it; `more`
    goes into its description.
    """
    tag = etag(reading, request, *tagged)
    if (same := unchanged(request, tag)) is not None:
        return same
    page = asked.page(default_sort)
    if asked.format in ("csv", "xlsx"):
        return file_answer(
            request, reader_of(request), name, query.everything(page.sort), asked.format, tagged=tagged
        )
    found = query.page(reading, page)
    total = query.total(reading)
    about = meta(
        reading,
        told(found.statement) if told else found.statement,
        found.seconds,
        total=total,
        says=says(total) if callable(says) else "",
        sort=page.sort,
        next_cursor=found.next,
        previous_cursor=found.previous,
        **({"prediction": reading.row(prediction)} if prediction else {}),
        **(more or {}),
    )
    return json_answer(found.rows, about, tag)
