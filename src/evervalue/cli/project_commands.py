"""Commands over a project: demo, init, run, serve, publish, sources, quarantine, doctor."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evervalue.cli import app

if TYPE_CHECKING:
    from evervalue.governance.settings import Access
    from evervalue.pipeline.settings import Project

Folder = Annotated[Path, typer.Argument(help="Folder with evervalue.toml.", show_default="here")]
AsOf = Annotated[
    str | None,
    typer.Option(help="Cutoff YYYY-MM-DD. [default: the setting, else the day after the newest order]"),
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")]
Workers = Annotated[int, typer.Option(help="Server processes.")]

EXAMPLE = Path("examples") / "saas"


@app.command()
def demo(
    port: Port = 8765,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Print the story and stop.")] = False,
    example: Annotated[
        Path | None, typer.Option(help="Folder of the example. [default: examples/saas]")
    ] = None,
) -> None:
    """The whole job on the example: a company's sales file in, its hidden gems out, and the dashboard."""
    from evervalue.core.errors import SettingsError
    from evervalue.pipeline.settings import FILE

    source_tree = Path(__file__).parents[3] / EXAMPLE
    folder = example or next((f for f in (EXAMPLE, source_tree) if (f / FILE).exists()), None)
    if folder is None:
        raise SettingsError(
            "The example is not here: it comes with the source repository, not with the package. Run this in a clone, "
            "or begin with your own file: evervalue gems FILE, or evervalue init DIR --from FILE."
        )
    _run(folder)
    if not no_serve:
        from evervalue.governance.settings import access_for

        _serve(folder, "127.0.0.1", port, 1, access_for(_project(folder).settings.server, "127.0.0.1"))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make or to use.")],
    source: Annotated[
        list[str],
        typer.Option(
            "--from",
            help="A sales file to begin with; or several tables, or a folder of them. It may lie in a bucket: "
            "s3://bucket/prefix/*.csv.",
        ),
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite an evervalue.toml that is there.")
    ] = False,
) -> None:
    """Write a commented evervalue.toml for a sales file or for several tables: each guess explained."""
    from evervalue.cli import show
    from evervalue.pipeline.start import start_project

    written = start_project(folder, source, force=force)
    for line in written.explained:
        show.say("  " + line)
    show.say(f"\nWrote {written.file}.")
    for question in written.open_questions:
        show.warn(f"to decide first: {question}")
    show.say(f"Read it, then: evervalue run {folder} && evervalue serve {folder}")


@app.command()
def run(
    project: Folder = Path(),
    as_of: AsOf = None,
    known_at: Annotated[
        str | None,
        typer.Option(
            help="Take what was known at this instant (2024-03-01T12:00Z) instead of reading the sources; readers stay "
            "where they are."
        ),
    ] = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Read everything again.")] = False,
) -> None:
    """Take the sources through every table to a published snapshot, and tell the story."""
    _run(project, as_of=as_of, known_at=known_at, full_refresh=full_refresh)


@app.command()
def serve(
    project: Folder = Path(),
    host: Host = "127.0.0.1",
    port: Port = 8765,
    workers: Workers = 1,
    watch: Annotated[
        str | None,
        typer.Option(
            help="Follow databases whose changes are captured, and publish what came this often (15m)."
        ),
    ] = None,
    collect: Annotated[
        bool | None,
        typer.Option(
            "--collect/--no-collect",
            help="Take events beside it. [default: where a source of the settings is of kind events]",
        ),
    ] = None,
    collect_port: Annotated[
        int, typer.Option(help="Port that events are taken at; 0 takes a free one.")
    ] = 8766,
    sign_in: Annotated[
        bool,
        typer.Option(
            "--sign-in",
            help="People sign in with accounts. [default: where other machines can reach the server; else whoever "
            "opens the link that is printed is let in]",
        ),
    ] = False,
    open_: Annotated[
        bool,
        typer.Option(
            "--open",
            help="Nobody signs in: whoever uses this machine may do everything. For tests and benchmarks.",
        ),
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A further name under which the server may be asked for; may be repeated."),
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="Path under which a reverse proxy shows the server (/value).")
    ] = "",
    trust_proxy: Annotated[
        list[str] | None,
        typer.Option(
            help="Address or range of a reverse proxy whose X-Forwarded-* headers are believed (127.0.0.1, "
            "10.0.0.0/8); may be repeated."
        ),
    ] = None,
) -> None:
    """Serve the dashboard and the API over the published snapshot, and take events beside them."""
    from evervalue.governance.settings import access_for

    found = _project_or_empty(project)
    is_shown = bool(allow_host or trust_proxy)  # by a proxy, to others than this machine
    access = access_for(found.settings.server, host, is_open=open_, sign_in=sign_in or is_shown)
    with ExitStack() as beside:
        if found.settings.reports:
            from evervalue.core.clock import SystemClock
            from evervalue.dashboard.reports.schedule import sent_beside

            beside.enter_context(sent_beside(found, SystemClock()))
        if watch is not None:
            from evervalue.pipeline.watching import followed_beside

            beside.enter_context(followed_beside(found, publish_every=watch))
        address = None
        if collect or (collect is None and found.settings.events):
            from evervalue.pipeline.collector_beside import collected_beside

            address = beside.enter_context(collected_beside(found, host=host, port=collect_port))
        front = {
            "allowed_hosts": tuple(allow_host or ()), "prefix": prefix, "trusted_proxies": tuple(trust_proxy or ()),
        }  # fmt: skip
        _serve(project, host, port, workers, access, address, **front)


@app.command()
def publish(
    project: Folder = Path(),
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Point readers back to the run before.")
    ] = False,
    to: Annotated[str | None, typer.Option(help="Point readers to this run.")] = None,
) -> None:
    """List the kept runs, or point readers to another one."""
    from evervalue.cli import show
    from evervalue.pipeline.settings import read_project
    from evervalue.warehouse.publish import Publisher

    publisher = Publisher(read_project(project).data_dir)
    if rollback or to:
        snapshot = publisher.rollback(to)
        show.say(f"Readers now see run {snapshot.run_id}, with orders before {snapshot.manifest['as_of']}.")
        return
    now = publisher.current().run_id
    show.grid(
        ["run", "as of", "bytes", "settings", ""],
        [
            [
                s.run_id,
                s.manifest["as_of"],
                s.manifest["bytes"],
                s.manifest["settings_sha256"][:12],
                "current" if s.run_id == now else "",
            ]
            for s in publisher.runs()
        ],
    )


def _project(folder: Path) -> Project:
    from evervalue.pipeline.settings import read_project

    return read_project(folder)


def _project_or_empty(folder: Path) -> Project:
    """The project; a folder without settings is one that begins on its first page."""
    from evervalue.pipeline.settings import FILE, read_project

    if folder.is_dir() and not (folder / FILE).exists():
        from evervalue.pipeline.connect import empty_project

        return empty_project(folder)
    return read_project(folder)


def _run(
    folder: Path, *, as_of: str | None = None, known_at: str | None = None, full_refresh: bool = False
) -> None:
    from evervalue.cli import show
    from evervalue.cli.file_commands import day, instant
    from evervalue.cli.tell import tell_reconciliation, tell_story
    from evervalue.core.clock import SystemClock
    from evervalue.pipeline.run import run as run_project
    from evervalue.pipeline.story import headline

    project = _project(folder)
    show.heading(f"{project.settings.project.name}: sources to published snapshot")
    steps = show.Steps()
    result = run_project(
        project,
        clock=SystemClock(),
        progress=steps,
        as_of=day(as_of, "--as-of"),
        known_at=instant(known_at, "--known-at"),
        full_refresh=full_refresh,
    )
    con = result.snapshot.open()
    try:
        tell_reconciliation(con, result.report.sentences())
        tell_story(con, headline(con))
    finally:
        con.close()
    if known_at is not None:
        run_id = result.snapshot.run_id
        show.say(
            f"\nThis is what was known then. Readers stay where they are; to show them this run: "
            f"evervalue publish {folder} --to {run_id}"
        )


def _serve(
    folder: Path,
    host: str,
    port: int,
    workers: int,
    access: Access | None,
    events: str | None = None,
    **front: Any,
) -> None:
    from evervalue.cli import show
    from evervalue.cli.people_commands import tell_door
    from evervalue.dashboard.serve import serve as serve_project
    from evervalue.pipeline.event_log import found_log_of
    from evervalue.pipeline.settings import FILE

    def ready(address: str) -> None:
        show.heading(f"Dashboard: {address}")
        tell_door(folder, data_dir, access, address)
        if events is not None:
            show.say(
                "  Events are taken at "
                + events
                + "v1/batch    evervalue keys create NAME makes a write key."
            )
        if (folder / FILE).exists():
            show.say("  Hidden gems: " + address + "gems    Ctrl-C stops it.")
        else:
            show.say(f"  There is no {FILE} yet: the page leads through connecting a file. Ctrl-C stops it.")

    data_dir = _project_or_empty(folder).data_dir
    serve_project(
        data_dir,
        host=host,
        port=port,
        workers=workers,
        ready=ready,
        open_log=partial(found_log_of, folder),
        project=folder,
        access=access,
        **front,
    )
