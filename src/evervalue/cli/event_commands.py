"""Commands over events: collect, keys create, list and revoke, events tail and count."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evervalue.cli import app
from evervalue.cli.project_commands import Folder, Host

if TYPE_CHECKING:
    from evervalue.collector.keys import Keys
    from evervalue.collector.records import Log

keys = typer.Typer(help="Write keys, by which sites and tills send events.", no_args_is_help=True)
events = typer.Typer(help="Look at the events that came.", no_args_is_help=True)
app.add_typer(keys, name="keys")
app.add_typer(events, name="events")

LOOK_SECONDS = 0.5
PORT = Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")]
LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option(help="What is written of its doings on the standard error: text, or an object a line."),
]


@app.command()
def collect(
    project: Folder = Path(), host: Host = "127.0.0.1", port: PORT = 8766, log_format: LogFormat = "text"
) -> None:
    """Take events of SDKs, and of the streams that the settings name; each is acknowledged once it is on disk."""
    from evervalue.cli import show
    from evervalue.core import logs
    from evervalue.core.clock import SystemClock
    from evervalue.pipeline.collect import collect_project

    def ready(address: str) -> None:
        show.say(
            f"Taking events at {address}v1/batch   (ctrl-C stops; make a write key: evervalue keys create NAME)"
        )

    logs.setup(log_format)
    collect_project(project, SystemClock(), host=host, port=port, ready=ready)


@keys.command()
def create(
    source: Annotated[str, typer.Argument(help="Name of the source that the events belong to, such as web.")],
    project: Folder = Path(),
) -> None:
    """Print a new write key; it is shown this once."""
    from evervalue.cli import show

    key = _keys(project).create(source)
    print(key)
    show.warn(f"Events sent with this key belong to the source '{source}'. It cannot be shown again.")


@keys.command("list")
def list_keys(project: Folder = Path()) -> None:
    """The write keys, by their first characters."""
    from evervalue.cli import show

    show.grid(
        ["source", "begins with", "created", "revoked"],
        [[key.source, key.shown, key.created_at, key.revoked_at or ""] for key in _keys(project).all()],
    )


@keys.command()
def revoke(
    begins_with: Annotated[
        str, typer.Argument(help="First characters of the key, as 'keys list' shows them.")
    ],
    project: Folder = Path(),
) -> None:
    """Let a key in no more."""
    from evervalue.cli import show

    gone = _keys(project).revoke(begins_with)
    show.say(f"The key {gone.shown}... of source '{gone.source}' lets nobody in any more.")


@events.command()
def tail(
    project: Folder = Path(),
    n: Annotated[int, typer.Option("-n", help="How many of the newest to begin with.")] = 10,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", "-f", help="Go on as events come.")] = True,
    format: Annotated[str, typer.Option(help="table, or json: one event a line.")] = "table",
) -> None:
    """Show events as they come."""
    log = _log(project)
    seen = log.before(n)
    while True:
        for event in log.read(seen):
            seen = event.seq
            print(event.body.decode() if format == "json" else _line(event.source, event.body), flush=True)
        if not follow:
            return
        time.sleep(LOOK_SECONDS)


@events.command("count")
def count_events(project: Folder = Path()) -> None:
    """What became of all that came: accepted = stored + duplicate + quarantined."""
    from evervalue.cli import show

    tallies = _log(project).tallies()
    show.grid(
        ["source", "accepted", "= stored", "+ duplicate", "+ quarantined"],
        [[t.source, t.accepted, t.stored, t.duplicate, t.quarantined] for t in tallies],
    )


@events.command("refused")
def show_refused(
    project: Folder = Path(),
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, max=100_000, help="Events to show, the newest first.")
    ] = 10,
    format: Annotated[str, typer.Option(help="table, or json: one event a line.")] = "table",
) -> None:
    """Show the events in quarantine: how many for which reason, what mends it, and the newest."""
    from evervalue.cli.tell_refused import tell_refused

    tell_refused(_log(project), source, limit, as_json=format == "json")


@events.command("streams")
def show_streams(
    project: Folder = Path(),
    format: Annotated[str, typer.Option(help="table or json.")] = "table",
) -> None:
    """How far the streams of the settings are read, and how much waits in each."""
    from evervalue.cli import show
    from evervalue.collector.streams.opening import reader
    from evervalue.core.clock import SystemClock
    from evervalue.core.errors import EvervalueError
    from evervalue.core.text import span
    from evervalue.pipeline.event_log import open_log
    from evervalue.pipeline.settings import read_project

    found = read_project(project)
    if not found.settings.streams:
        show.say("No source names a stream. docs/streams.md says how.")
        return
    log = open_log(found)
    rows, faults = [], []
    for source, settings in sorted(found.settings.streams.items()):
        try:
            parts = reader(settings, SystemClock()).parts(log.positions(source))
        except EvervalueError as error:
            faults.append(str(error))
            continue
        rows += [(source, settings.where, part) for part in parts]
    if format == "json":
        for source, where, part in rows:
            named = {"source": source, "stream": where, "part": part.name, "position": part.position}
            behind = {"behind_records": part.behind_records, "behind_seconds": part.behind_seconds}
            print(json.dumps(named | behind))
    elif rows:
        show.grid(
            ["source", "stream", "part", "read to", "records waiting", "behind"],
            [
                [
                    source, where, part.name, part.position,
                    "" if part.behind_records is None else part.behind_records,
                    "" if part.behind_seconds is None else span(part.behind_seconds),
                ]
                for source, where, part in rows
            ],
        )  # fmt: skip
    for fault in faults:
        show.warn(fault)
    if faults:
        raise typer.Exit(1)


def _line(source: str, body: bytes) -> str:
    """An event in one line: when, from where, what, and whose; what would steer the terminal stands as `?`."""
    event = json.loads(body)
    what = event.get("event") or event.get("name") or (event.get("properties") or {}).get("path") or ""
    who = event.get("userId") or event.get("anonymousId")
    line = f"{event['timestamp']}  {source:12}  {event['type']:8}  {who!s:24.24}  {what}"
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _log(project: Path) -> Log:
    from evervalue.pipeline.event_log import open_log
    from evervalue.pipeline.settings import read_project

    return open_log(read_project(project))


def _keys(project: Path) -> Keys:
    from evervalue.core.clock import SystemClock
    from evervalue.pipeline.event_log import open_keys
    from evervalue.pipeline.settings import read_project

    return open_keys(read_project(project), SystemClock())
