"""Commands over who is who: identity explain, list, merge, split and undo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from evervalue.cli import app
from evervalue.cli.project_commands import Folder
from evervalue.warehouse.duckdb import Connection

Customer = Annotated[str, typer.Argument(help="Customer id, or a record as namespace:key.")]
NEXT = "Now: evervalue run {project}    To take it back: evervalue identity undo {project}"

identity = typer.Typer(
    help="Which records are one customer and why; merge and split them by hand.", no_args_is_help=True
)
app.add_typer(identity, name="identity")


@contextmanager
def _published(project: Path) -> Iterator[Connection]:
    from evervalue.pipeline.run import told_plainly
    from evervalue.pipeline.settings import read_project
    from evervalue.warehouse.publish import Publisher

    with told_plainly("Looking up customers"):
        con = Publisher(read_project(project).data_dir).current().open()
        try:
            yield con
        finally:
            con.close()


@identity.command()
def explain(
    customer: Customer,
    project: Folder = Path(),
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show identifiers as they came, not masked.")
    ] = False,
) -> None:
    """Why records are one customer: each link with its reason."""
    from evervalue.cli import show
    from evervalue.identity.explain import explain as explained

    with _published(project) as con:
        found = explained(con, customer, reveal=reveal)
    show.heading(f"Customer {found.customer_id}")
    if found.aliases:
        show.say(f"  It was called {', '.join(found.aliases)} too.")
    show.grid(["record", "in a source now", "since run"], [list(row) for row in found.records])
    if found.links:
        show.heading("What holds them together")
        show.grid(["record", "record", "because", "identifier", "since run"], [list(r) for r in found.links])
    if found.unused:
        show.heading("What links nobody")
        show.grid(["record", "what", "identifier", "why not"], [list(row) for row in found.unused])


@identity.command("list")
def list_customers(
    project: Folder = Path(),
    suspicious: Annotated[
        bool,
        typer.Option("--suspicious", help="Only what deserves a look: weak links, and identifiers refused."),
    ] = False,
    limit: Annotated[int, typer.Option(help="Rows of each list.")] = 20,
) -> None:
    """Customers of several records, and the decisions taken by hand."""
    from evervalue.cli import show
    from evervalue.identity import explain as told
    from evervalue.identity.decisions import decisions

    with _published(project) as con:
        if suspicious:
            weak, refused = told.suspicious(con, limit), told.refused(con, limit)
            show.heading("Several records of one system, held together by e-mail or telephone alone")
            show.grid(["customer", "namespace", "records", "by"], [list(row) for row in weak])
            show.heading("Identifiers that link nobody")
            show.grid(["what", "identifier", "why not", "records"], [list(row) for row in refused])
            return
        show.grid(
            ["customer", "records", "namespaces", "by"], [list(row) for row in told.largest(con, limit)]
        )
        if taken := decisions(con):
            show.heading("Decided by hand, as the published run applied it")
            rows = [
                [d.number, d.kind, ", ".join(d.records), d.why, "undone" if d.is_undone else ""]
                for d in taken
            ]
            show.grid(["number", "kind", "records", "why", ""], rows)


@identity.command()
def merge(
    one: Customer,
    other: Customer,
    project: Folder = Path(),
    why: Annotated[str, typer.Option(help="Reason, kept with the decision.")] = "",
) -> None:
    """Decide that two customers are one."""
    from evervalue.cli import show
    from evervalue.core.clock import SystemClock
    from evervalue.core.errors import InputError
    from evervalue.identity import decisions
    from evervalue.pipeline.settings import read_project
    from evervalue.pipeline.warehouse_view import warehouse

    if not why.strip():
        raise InputError('Say why they are one: --why "the same firm, told by its account manager".')
    with warehouse(read_project(project), read_only=False) as con:
        done = decisions.merge(con, one, other, why=why.strip(), clock=SystemClock())
    show.say(f"Decision {done.number}: {' and '.join(done.records)} are one customer from the next run on.")
    show.say(NEXT.format(project=project))


@identity.command()
def split(
    customer: Customer,
    records: Annotated[list[str], typer.Option("--records", help="Record to split off; may be repeated.")],
    project: Folder = Path(),
    why: Annotated[str | None, typer.Option(help="Reason, kept with the decision.")] = None,
) -> None:
    """Decide that some records of a customer are another one."""
    from evervalue.cli import show
    from evervalue.core.clock import SystemClock
    from evervalue.identity import decisions
    from evervalue.pipeline.settings import read_project
    from evervalue.pipeline.warehouse_view import warehouse

    named = [record.strip() for part in records for record in part.split(",") if record.strip()]
    with warehouse(read_project(project), read_only=False) as con:
        done = decisions.split(con, customer, named, why=why, clock=SystemClock())
    show.say(
        f"Decision {done.number}: {', '.join(done.records)} {'is a customer' if len(done.records) == 1 else 'are one'} "
        "apart from the next run on."
    )
    show.say(NEXT.format(project=project))


@identity.command()
def undo(
    project: Folder = Path(),
    decision: Annotated[int | None, typer.Option(help="Number of the decision. Default: the last.")] = None,
) -> None:
    """Take a decision back."""
    from evervalue.cli import show
    from evervalue.core.clock import SystemClock
    from evervalue.identity import decisions
    from evervalue.pipeline.settings import read_project
    from evervalue.pipeline.warehouse_view import warehouse

    with warehouse(read_project(project), read_only=False) as con:
        done = decisions.undo(con, decision, clock=SystemClock())
    show.say(f"Decision {done.number} ({done.kind} of {', '.join(done.records)}) does not hold any more.")
    show.say(f"Now: evervalue run {project}")
