"""Commands over reports: pages as one file, written here or sent by mail."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evervalue.cli import app
from evervalue.cli.project_commands import Folder

report = typer.Typer(help="Pages of the dashboard as one file, and by mail.", no_args_is_help=True)
app.add_typer(report, name="report")

Name = Annotated[str, typer.Argument(help="Name of the report: [reports.NAME] in evervalue.toml.")]


@report.command()
def write(
    project: Folder = Path(),
    page: Annotated[
        list[str] | None, typer.Option(help="A page as the browser shows it (/gems); may be repeated.")
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Where to; .pdf prints it with this machine's Chromium.")
    ] = Path("report.html"),
    title: Annotated[str, typer.Option(help="What it is called.")] = "",
    language: Annotated[str, typer.Option(help="How numbers and dates are written (de-DE).")] = "en-US",
) -> None:
    """Write pages into one file that needs nothing else: /, /gems and /value unless others are named."""
    from evervalue.cli import show
    from evervalue.core.clock import SystemClock
    from evervalue.dashboard.reports.compose import compose
    from evervalue.dashboard.reports.pdf import printed
    from evervalue.pipeline.settings import read_project

    found = read_project(project)
    made = compose(
        found.data_dir, tuple(page or ("/", "/gems", "/value")), title=title, language=language, clock=SystemClock()
    )  # fmt: skip
    output.write_bytes(printed(made.html) if output.suffix.lower() == ".pdf" else made.html.encode())
    for finding in made.findings:
        show.say(f"- {finding}")
    show.say(f"{output}, {output.stat().st_size:,} bytes.")


@report.command()
def send(name: Name, project: Folder = Path()) -> None:
    """Make a report now, and send it to all who get it."""
    from evervalue.cli import show
    from evervalue.core.clock import SystemClock
    from evervalue.core.errors import SettingsError
    from evervalue.core.text import did_you_mean
    from evervalue.dashboard.reports.schedule import send_now
    from evervalue.pipeline.settings import read_project

    found = read_project(project)
    if name not in found.settings.reports:
        known = did_you_mean(name, found.settings.reports)
        raise SettingsError(f"There is no report '{name}'{known}. Add [reports.{name}] to evervalue.toml.")
    made = send_now(found, name, SystemClock())
    show.say(f"Sent '{made.title}' to {len(found.settings.reports[name].to)}.")


@report.command()
def due(project: Folder = Path()) -> None:
    """Send what is due and was not sent yet: for a timer, where no server runs ('evervalue serve' does it itself)."""
    from evervalue.cli import show
    from evervalue.core.clock import SystemClock
    from evervalue.core.errors import SourceUnavailable
    from evervalue.dashboard.reports.schedule import send_due
    from evervalue.pipeline.settings import read_project

    found = send_due(read_project(project), SystemClock())
    failed = [f"{name}: {fault}" for name, fault in found if fault]
    if failed:
        raise SourceUnavailable(" ".join(failed))
    show.say(f"{len(found)} sent." if found else "Nothing is due.")


@report.command("list")
def list_reports(project: Folder = Path()) -> None:
    """Every report: when it is sent, to how many, and what became of the latest."""
    from evervalue.cli import show
    from evervalue.core.clock import SystemClock
    from evervalue.pipeline.settings import read_project
    from evervalue.state.sent import Sent
    from evervalue.state.store import Store

    found = read_project(project)
    latest = {row["report"]: row for row in Sent(Store(found.data_dir, Sent.SCHEMA), SystemClock()).latest()}
    show.grid(
        ["name", "pages", "sent", "to", "latest due (UTC)", "became"],
        [
            [
                name, " ".join(one.pages), one.every, str(len(one.to)),
                latest[name]["due_at"] if name in latest else "",
                f"{latest[name]['state']} {latest[name]['says']}".strip() if name in latest else "not due yet",
            ]
            for name, one in found.settings.reports.items()
        ],
    )  # fmt: skip
