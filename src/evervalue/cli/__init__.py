"""The command line: parses, calls, prints."""

from __future__ import annotations

import os
import sys

import typer

from evervalue.core.errors import EvervalueError

INTERRUPTED = 130
"""Exit code after ctrl-C, as shells have it."""

app = typer.Typer(
    name="evervalue",
    help="Who is worth what, how sure we are, and whom to act on next.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Runs a command; what a user can mend is told in one paragraph, with exit code 1."""
    # Matrices here are small, and customers are shared out to threads already: more threads in linear algebra wait for
    # each other, which takes several times the processor time. numpy reads this when it is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # noqa: TID251 - set, not read
    from evervalue.cli import (  # noqa: F401 - they register
        backtest_commands,
        event_commands,
        event_keeping,
        file_commands,
        identity_commands,
        people_commands,
        project_commands,
        report_commands,
        source_commands,
        table_commands,
        value_commands,
    )

    try:
        app()
    except EvervalueError as error:
        _say(f"Error: {error}")
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        _stopped()
    except SystemExit as done:
        if done.code == INTERRUPTED:
            _stopped()
        raise


def _stopped() -> None:
    _say("Stopped. Nothing was published; what was published before is untouched.")
    sys.exit(INTERRUPTED)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
