"""Errors that code written for lifetimes catches (they are ValueErrors) and that Evervalue's own catch too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from evervalue.core.errors import EvervalueError, FitFailed, InputError, NotFitted


class ConvergenceError(FitFailed, ValueError):
    """No maximum was found, or the data cannot have one."""


class RefusedInput(InputError, ValueError):
    """The arguments cannot be taken as they are."""


@contextmanager
def as_lifetimes_errors() -> Iterator[None]:
    """Evervalue's errors as the above, with the same words."""
    try:
        yield
    except NotFitted:
        raise
    except FitFailed as error:
        raise ConvergenceError(str(error)) from error
    except EvervalueError as error:
        raise RefusedInput(str(error)) from error
