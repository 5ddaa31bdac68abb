"""The errors a user can meet. Each carries one paragraph: what is wrong, where, how much, and what to do next.

The tree::

    EvervalueError
    ├── SettingsError            a setting is missing, unknown or impossible
    ├── InputError               a file, a row or a cell cannot be taken as it is
    │   ├── AmbiguousInput       two readings are possible and nothing in the column decides
    │   └── MissingColumns       a column that is needed is not there
    ├── TableError               a declared table cannot be built as it is declared
    │   └── CycleError           tables read one another in a circle
    ├── CheckFailed              a table landed with rows that break its own head
    │   └── ReconciliationFailed rows or money that came in are not accounted for
    ├── FitFailed                a model has no maximum that could be found, so there is nothing to predict with
    │   └── NotFitted            a model was asked before it was fitted
    ├── Busy                     another process holds the warehouse
    ├── NothingPublished         there is no snapshot to read yet
    ├── StorageError             the disk is full, unwritable, or a stored file is damaged
    ├── SourceUnavailable        a source cannot be reached, or does not let us in
    └── MissingExtra             a library that an optional part needs is not installed
"""

from __future__ import annotations


class EvervalueError(Exception):
    """Base of all errors that are told to the user as one paragraph, without a traceback."""


class SettingsError(EvervalueError):
    """A setting is missing, unknown or impossible."""


class InputError(EvervalueError, ValueError):
    """A file, a row or a cell cannot be taken as it is."""


class AmbiguousInput(InputError):
    """Two readings are possible and nothing in the column decides; the message names the setting that does."""


class MissingColumns(InputError):
    """A column that is needed is not there; the message offers the nearest name."""


class TableError(EvervalueError):
    """A declared table cannot be built as it is declared."""


class CycleError(TableError):
    """Tables read one another in a circle; the message names it."""


class CheckFailed(EvervalueError):
    """A table landed with rows that break its own head; the message shows them."""


class ReconciliationFailed(CheckFailed):
    """Rows or money that came in are not accounted for."""


class FitFailed(EvervalueError, ValueError):
    """A model has no maximum that could be found; what was tried is said, and nothing is returned as if it had."""


class NotFitted(FitFailed, ValueError, AttributeError):
    """A model was asked for something that only fitting gives."""


class Busy(EvervalueError):
    """Another process holds the warehouse."""


class NothingPublished(EvervalueError):
    """There is no snapshot to read yet."""


class StorageError(EvervalueError):
    """The disk is full, unwritable, or a stored file is damaged."""


class MissingExtra(EvervalueError):
    """A library that an optional part needs is not installed."""


class SourceUnavailable(EvervalueError):
    """A source cannot be reached, or does not let us in."""
