"""What a client is told when something goes wrong: one shape (RFC 9457), never a traceback.

Pages translate the same `Problem` into a designed page; the JSON routes send it as
`application/problem+json`.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from evervalue.api.limits import TooManyRequests
from evervalue.api.metrics import route_of
from evervalue.api.proxy import shown
from evervalue.api.snapshots import QueryTimeout, SnapshotUnreadable
from evervalue.core.errors import EvervalueError, InputError, NothingPublished, StorageError
from evervalue.warehouse.duckdb import EngineError

log = logging.getLogger("evervalue.api")
MEDIA_TYPE = "application/problem+json"


class BadRequest(EvervalueError):
    """The client asked for something that cannot be."""


class NotFound(EvervalueError):
    """There is no such thing."""


class UnknownHost(EvervalueError):
    """The server was asked under a name that is none of its own."""


class NotSignedIn(EvervalueError):
    """Nobody is known who asks."""


class Forbidden(EvervalueError):
    """Who asks may not ask that."""


class TooLarge(EvervalueError):
    """More was sent than is taken."""


@dataclass(frozen=True)
class Problem:
    """One error, as it is told."""

    status: int
    code: str
    title: str
    detail: str
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def body(self, instance: str) -> dict[str, Any]:
        """The members of RFC 9457, with what is wrong field by field in `errors`."""
        return {
            "type": f"urn:evervalue:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "errors": self.errors,
        }


def problem_of(error: Exception, request: Request) -> Problem:
    """What the client is told about an error; what it is not told goes to the log under an incident number."""
    if isinstance(error, NothingPublished):
        return Problem(
            503,
            "nothing-published",
            "Nothing is published yet",
            "There is no run to show yet. Run 'evervalue run' in the project; the page fills itself when it has ended.",
            headers={"Retry-After": "10"},
        )
    if isinstance(error, SnapshotUnreadable):
        log.error("the published run cannot be opened: %s", error)
        return Problem(
            503,
            "snapshot-unreadable",
            "The published run cannot be opened",
            "Its file may be damaged; the server's log has the reason. In the project, 'evervalue publish --rollback' "
            "points readers to the run before, and 'evervalue run' publishes a new one; nothing needs to be "
            "started again.",
            headers={"Retry-After": "10"},
        )
    if isinstance(error, StorageError):
        log.error("what is asked for cannot be read: %s", error)
        return Problem(
            503,
            "storage-unavailable",
            "That cannot be read just now",
            "A file or the event log cannot be read; the server's log has the reason. Ask again in a moment.",
            headers={"Retry-After": "5"},
        )
    if isinstance(error, QueryTimeout):
        return Problem(504, "query-timeout", "That took too long", str(error))
    if isinstance(error, UnknownHost):
        return Problem(421, "unknown-host", "Unknown host", str(error))
    if isinstance(error, NotSignedIn):
        return Problem(
            401,
            "not-signed-in",
            "Not signed in",
            str(error),
            headers={"WWW-Authenticate": 'Bearer realm="evervalue"'},
        )
    if isinstance(error, Forbidden):
        return Problem(403, "forbidden", "That is not yours to do", str(error))
    if isinstance(error, TooManyRequests):
        return Problem(429, "too-many-requests", "Too many requests", str(error), headers=error.headers)
    if isinstance(error, TooLarge):
        return Problem(413, "too-large", "That is too large", str(error))
    if isinstance(error, NotFound):
        return Problem(404, "not-found", "Not found", str(error))
    if isinstance(error, InputError):
        return Problem(422, "invalid-input", "That cannot be kept", str(error))
    if isinstance(error, BadRequest):
        return Problem(400, "bad-request", "That cannot be asked", str(error))
    if isinstance(error, RequestValidationError):
        faults = [_fault(dict(e)) for e in error.errors()]
        words = "; ".join(f"{f['where']}: {f['says']}" for f in faults)
        return Problem(422, "invalid-parameters", "That cannot be asked", words, errors=faults)
    if isinstance(error, HTTPException):
        phrase = HTTPStatus(error.status_code).phrase
        detail = "There is nothing at this address." if error.status_code == 404 else str(error.detail)
        code = phrase.lower().replace(" ", "-")
        return Problem(
            error.status_code, code, phrase.capitalize(), detail, headers=dict(error.headers or {})
        )
    incident = secrets.token_hex(4)
    log.error("incident %s at %s", incident, route_of(request.scope), exc_info=error)
    where = "The engine could not answer" if isinstance(error, EngineError) else "The server could not answer"
    return Problem(
        500,
        "internal",
        "Something went wrong",
        f"{where}. The server's log has the reason under incident {incident}.",
    )


def respond(request: Request, problem: Problem) -> Response:
    """The problem as `application/problem+json`."""
    headers = {"Cache-Control": "no-store", **problem.headers}
    body = problem.body(shown(request.scope["path"]))
    return JSONResponse(body, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


def handle(request: Request, error: Exception) -> Response:
    """Answers any error of a JSON route."""
    return respond(request, problem_of(error, request))


HANDLED: tuple[type[Exception], ...] = (EvervalueError, RequestValidationError, HTTPException)


def _fault(error: dict[str, Any]) -> dict[str, str]:
    where = ".".join(str(part) for part in error.get("loc", ()) if part not in ("query", "path"))
    says = str(error.get("msg", "not valid"))
    if error.get("type") == "extra_forbidden":
        says = "there is no such parameter"
    return {"where": where or "request", "says": says[:1].lower() + says[1:]}
