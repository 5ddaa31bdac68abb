"""Commands over declared tables and over what sources brought: sql, glossary, sources, quarantine, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evervalue.cli import app
from evervalue.cli.project_commands import Folder


@app.command()
def sql(
    table: Annotated[str, typer.Argument(help="Table, for example customers.lrfm.")],
    dialect: Annotated[str, typer.Option(help="duckdb, spark, redshift, snowflake or bigquery.")] = "duckdb",
) -> None:
    """Print the SQL of a table for an engine."""
    from evervalue.core.errors import TableError
    from evervalue.core.text import did_you_mean
    from evervalue.pipeline.tables import all_models
    from evervalue.warehouse.dialects import sql_for

    models = {m.name: m for m in all_models()}
    if table not in models:
        raise TableError(
            f"No table is called {table}{did_you_mean(table, models)}. 'evervalue glossary' lists them."
        )
    typer.echo(sql_for(models[table], dialect))


@app.command()
def glossary(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")] = None,
) -> None:
    """Every table and column, from the heads of the SQL files, as Markdown."""
    from evervalue.pipeline.glossary import glossary as text

    if output:
        output.write_text(text(), "utf-8")
    else:
        typer.echo(text(), nl=False)


@app.command()
def doctor(project: Folder = Path()) -> None:
    """Look a project over: settings, files, disk, the published run."""
    from evervalue.cli import show
    from evervalue.core.clock import SystemClock
    from evervalue.pipeline.doctor import examine

    findings = list(examine(project, SystemClock()))
    for finding in findings:
        show.say(f"  {'✓' if finding.fine else '✗'} {finding.what:<20} {finding.says}")
    if not all(f.fine for f in findings):
        raise typer.Exit(1)
