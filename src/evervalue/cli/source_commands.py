"""Commands over what the sources brought: sources, and quarantine list, export and replay."""

from __future__ import annotations

import json
from pathlib import Path

from evervalue.cli import app
from evervalue.cli.project_commands import Folder


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
