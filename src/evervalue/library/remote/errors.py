"""What a server may say instead of an answer, as exceptions.

The tree::

    ApiError                  any of these; carries what the server told (RFC 9457)
    ├── CannotBeAsked         400, 414, 422: a parameter is unknown or impossible
    ├── NotSignedIn           401: the key is missing, wrong or expired
    ├── NotAllowed            403: the key may not do that
    ├── NotThere              404: there is no such thing
    ├── TooManyRequests       429, still after the retries
    ├── ServerFailed          5xx, still after the retries
    └── Unreachable           no answer at all
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evervalue.core.errors import EvervalueError


class ApiError(EvervalueError):
    """The server did not answer what was asked."""

    def __init__(self, message: str, status: int = 0, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        told = problem or {}
        self.status = status
        """HTTP status; 0 where there was no answer."""
        self.code = str(told.get("type", "")).removeprefix("urn:evervalue:problem:")
        """Which problem it is ('not-found'), for programs."""
        self.title = str(told.get("title", ""))
        self.detail = str(told.get("detail", ""))
        self.errors: list[dict[str, str]] = list(told.get("errors") or [])
        """What is wrong, field by field: `where` and `says`."""
        self.instance = str(told.get("instance", ""))
        """The address that was asked."""


class CannotBeAsked(ApiError):
    """A parameter is unknown or impossible."""


class NotSignedIn(ApiError):
    """The key is missing, wrong or expired."""


class NotAllowed(ApiError):
    """The key may not do that."""


class NotThere(ApiError):
    """There is no such thing."""


class TooManyRequests(ApiError):
    """The server asks for a pause, still after the retries."""


class ServerFailed(ApiError):
    """The server could not answer, still after the retries."""


class Unreachable(ApiError):
    """There was no answer at all."""


_KINDS: dict[int, type[ApiError]] = {
    400: CannotBeAsked,
    401: NotSignedIn,
    403: NotAllowed,
    404: NotThere,
    414: CannotBeAsked,
    422: CannotBeAsked,
    429: TooManyRequests,
}


def api_error(status: int, kind: str, body: bytes, place: str) -> ApiError:
    """The exception for an answer that is none.

    Parameters
    ----------
    kind
        Its content type; what is no problem of ours is quoted in short.
    place
        The address without its parameters.
    """
    problem: Mapping[str, Any] = {}
    if "json" in kind:
        try:
            found = json.loads(body)
            problem = found if isinstance(found, dict) else {}
        except ValueError:
            pass
    if problem.get("title"):
        says = f"{problem['title']}: {problem.get('detail', '')}"
    else:
        says = f"Status {status} from {place}, which does not look like Evervalue. Is the address right?"
    default = ServerFailed if status >= 500 else ApiError
    return _KINDS.get(status, default)(says, status, problem)
