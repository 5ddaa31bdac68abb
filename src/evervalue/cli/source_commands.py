"""Commands over what the sources brought: sources, and quarantine list, export and replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evervalue.cli import app
from evervalue.cli.project_commands import Folder

Source = Annotated[str | None, typer.Option(help="Only this source.")]
NeededSource = Annotated[str, typer.Option("--source", help="Source of the rows.")]


sources = typer.Typer(
    help="Where data comes from: what was read, whether it can be read, and following it.",
    no_args_is_help=True,
)
app.add_typer(sources, name="sources")


@sources.command("list")
def list_sources(
    project: Folder = Path(),
    files: Annotated[bool, typer.Option("--files", help="List every file, object and range.")] = False,
) -> None:
    """What every source brought, how new it is, and how each doubt in a column was settled."""
    from evervalue.cli import show
    from evervalue.cli.tell_sources import tell_events, tell_files, tell_notes, tell_sources
    from evervalue.core.clock import SystemClock
    from evervalue.core.errors import Busy, NothingPublished
    from evervalue.pipeline.settings import read_project
    from evervalue.pipeline.warehouse_view import warehouse
    from evervalue.warehouse.publish import Publisher

    found = read_project(project)
    if files:
        with warehouse(found) as con:
            tell_files(con)
            for line in tell_notes(con):
                show.say(line)
        return
    snapshot = Publisher(found.data_dir).current().open()
    try:
        tell_sources(snapshot, found.data_dir, SystemClock())
    finally:
        snapshot.close()
    tell_events(found, SystemClock())
    try:
        with warehouse(found) as con:
            notes = list(tell_notes(con))
    except NothingPublished:  # the run is there, and what it was made from is not
        notes = []
    except Busy:  # a run, or who follows a source
        notes = ["How doubts in columns were settled cannot be told just now: the warehouse is in use."]
    for line in notes:
        show.say(line)


@sources.command()
def check(
    project: Folder = Path(),
    source: Source = None,
    rows: Annotated[int, typer.Option(min=0, max=1000, help="Mapped rows to show.")] = 10,
) -> None:
    """Look at every source without loading it: connection, rights, columns, and what its first rows come to."""
    from evervalue.cli import show
    from evervalue.core.clock import SystemClock
    from evervalue.core.errors import SettingsError
    from evervalue.core.text import did_you_mean
    from evervalue.pipeline.settings import read_project
    from evervalue.pipeline.source_check import check_sources

    found = read_project(project)
    if source is not None and source not in found.settings.sources:
        raise SettingsError(f"There is no source '{source}'{did_you_mean(source, found.settings.sources)}.")
    faults = 0
    for checked in check_sources(found, clock=SystemClock(), only=source, rows=rows):
        faults += not checked.fine
        first, *others = checked.says or [""]
        show.say(f"{'✓' if checked.fine else '✗'} {checked.name}: {first}")
        for line in others:
            show.say(f"    {line}")
        if checked.rows:
            # Fields that are empty in all of the rows tell nothing.
            filled = [
                n for n in range(len(checked.columns)) if any(row[n] is not None for row in checked.rows)
            ]
            show.grid(
                [checked.columns[n] for n in filled], [[row[n] for n in filled] for row in checked.rows]
            )
    if faults:
        raise typer.Exit(1)


@sources.command("watch")
def watch_sources(
    project: Folder = Path(),
    publish: Annotated[
        str | None, typer.Option(help="Run and publish this often (such as 15m) where something came.")
    ] = None,
) -> None:
    """Follow databases whose changes are captured, until stopped; tells how far behind each is."""
    from evervalue.cli import show
    from evervalue.cli.tell_sources import Lags
    from evervalue.core.clock import SystemClock
    from evervalue.pipeline.settings import read_project
    from evervalue.pipeline.watching import follow

    found = read_project(project)
    follow(found, clock=SystemClock(), progress=show.Steps(), tell=Lags(), publish_every=publish)


quarantine = typer.Typer(
    help="Rows that were refused: list them, mend them in a file, take them back.", no_args_is_help=True
)
app.add_typer(quarantine, name="quarantine")


@quarantine.command("list")
def list_refused(project: Folder = Path(), source: Source = None) -> None:
    """What was refused and why, by source, reason and column."""
    from evervalue.cli import show
    from evervalue.pipeline.settings import read_project
    from evervalue.pipeline.warehouse_view import warehouse
    from evervalue.sources import quarantine as refused

    with warehouse(read_project(project)) as con:
        found = refused.groups(con, source)
    if not found:
        show.say("No row is in quarantine.")
        return
    rows = [
        [g.source, g.reason, g.column, g.rows, f"{g.example_path}, row {g.example_line:,}", g.says]
        for g in found
    ]
    show.grid(["source", "reason", "column", "rows", "first in", "says"], rows)
    show.say(f"\nMend them: evervalue quarantine export {project} --source {found[0].source} -o mend.csv")


@quarantine.command("export")
def export_refused(
    source: NeededSource,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    project: Folder = Path(),
    reason: Annotated[str | None, typer.Option(help="Only rows refused for this reason.")] = None,
) -> None:
    """Write refused rows to a CSV file, in which they can be mended."""
    from evervalue.cli import show
    from evervalue.core.text import count
    from evervalue.pipeline.run import told_plainly
    from evervalue.pipeline.settings import read_project
    from evervalue.pipeline.warehouse_view import warehouse
    from evervalue.sources import quarantine as refused

    with warehouse(read_project(project)) as con, told_plainly("Writing the refused rows"):
        written = refused.export(con, output, source, reason)
    show.say(
        f"Wrote {count(written, 'row')} to {output}. Mend the cells, keep the columns that begin with _, then:"
    )
    show.say(f"  evervalue quarantine replay {project} --source {source} --from {output}")


@quarantine.command("replay")
def replay_refused(
    source: NeededSource,
    file: Annotated[Path, typer.Option("--from", help="The mended file.")],
    project: Folder = Path(),
) -> None:
    """Take mended rows back; those that are fine leave quarantine, and the next run counts them."""
    from evervalue.cli import show
    from evervalue.core.clock import SystemClock
    from evervalue.core.text import count
    from evervalue.pipeline.settings import read_project
    from evervalue.pipeline.warehouse_view import replay_rows

    done = replay_rows(read_project(project), source, file, clock=SystemClock(), progress=show.Steps())
    show.say(f"{count(done.rows, 'row')} mended: {done.left:,} left quarantine.")
    for reason, n in sorted(done.stayed.items()):
        show.warn(f"{count(n, 'row')} stayed: {reason}")
    show.say(f"Now: evervalue run {project}")
