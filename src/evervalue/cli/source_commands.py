"""Commands over what the sources brought: sources, and quarantine list, export and replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from evervalue.cli import app
from evervalue.cli.project_commands import Folder

Source = Annotated[str | None, typer.Option(help="Only this source.")]
NeededSource = Annotated[str, typer.Option("--source", help="Source of the rows.")]


@app.command()
def sources(project: Folder = Path()) -> None:
    """List what was read: files, their formats, and how each doubt in a column was settled."""
    from evervalue.cli import show
    from evervalue.pipeline.settings import read_project
    from evervalue.pipeline.warehouse_view import warehouse

    with warehouse(read_project(project)) as con:
        show.grid(
            ["source", "file", "format", "encoding", "delimiter", "bytes", "rows", "status"],
            con.execute(
                "select source, path, format, encoding, "
                "case delimiter when chr(9) then 'tab' else delimiter end, bytes, rows_read, status "
                "from raw.files order by source, path, status"
            ).fetchall(),
        )
        for source, report in con.execute(
            "select source, report from raw.mappings order by source"
        ).fetchall():
            for note in json.loads(report)["notes"]:
                show.say(f"{source}: {note}.")


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
