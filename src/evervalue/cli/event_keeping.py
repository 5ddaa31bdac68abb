"""Commands that keep the event log: events compact, backup and restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evervalue.cli.event_commands import events
from evervalue.cli.project_commands import Folder


@events.command()
def compact(
    project: Folder = Path(),
    keep: Annotated[
        str | None,
        typer.Option(help='How old events may become in the log, such as "30d"; else the setting.'),
    ] = None,
) -> None:
    """Take events out of the log that lie whole in checked files; they stay known, so that none is stored again."""
    from evervalue.cli import show
    from evervalue.core.clock import SystemClock
    from evervalue.core.errors import InputError, SettingsError
    from evervalue.core.progress import Silent
    from evervalue.pipeline.collector_settings import days_of
    from evervalue.pipeline.event_compaction import compact_events
    from evervalue.pipeline.settings import read_project

    found = read_project(project)
    try:
        days = found.settings.collector.keep_days if keep is None else days_of(keep)
    except ValueError as error:
        raise InputError(f"--keep: {error}.") from None
    if days is None:
        raise SettingsError(
            'How long events are kept is not said. Give --keep 30d, or write keep = "30d" under [collector].'
        )
    done = compact_events(found, SystemClock(), Silent(), keep_days=days)
    show.grid(
        ["source", "events taken out", "of files", "others stay"],
        [[one.source, one.events, one.files, one.kept_because] for one in done],
    )


@events.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The copy to write.")],
    project: Folder = Path(),
) -> None:
    """Copy the log while events come; the copy is checked, and its checksum printed and written beside it."""
    from evervalue.cli import show
    from evervalue.pipeline.event_backup import back_up
    from evervalue.pipeline.settings import read_project

    copy, checksum = back_up(read_project(project), file)
    print(f"{checksum}  {file}")
    show.warn(f"Every event up to {copy.last} is in it. Write keys are in state.db.")


@events.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A copy that 'evervalue events backup' wrote.")],
    project: Folder = Path(),
    replace: Annotated[bool, typer.Option("--replace", help="Put the log that is there aside.")] = False,
) -> None:
    """Put a copy in the place of the log, and into it what runs wrote out since; no event is stored twice."""
    from evervalue.cli import show
    from evervalue.core.text import count
    from evervalue.pipeline.event_backup import restore as put_back
    from evervalue.pipeline.settings import read_project

    done = put_back(read_project(project), file, replace=replace)
    show.say(
        f"The log holds every event up to {done.copy.last}, and {count(done.taken_up, 'event')} that came later and "
        "were in files of a run."
    )
    if done.aside:
        show.say(f"What was there before lies in {', '.join(str(path) for path in done.aside)}.")
