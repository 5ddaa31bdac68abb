"""Commands over people: who may sign in, with which role, the link of this machine, and API keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from evervalue.cli import app
from evervalue.cli.project_commands import Folder

if TYPE_CHECKING:
    from evervalue.governance.people import People
    from evervalue.governance.roles import Role
    from evervalue.governance.settings import Access

people = typer.Typer(help="Who may use the dashboard and the API, and their keys.", no_args_is_help=True)
keys = typer.Typer(help="API keys, which programs show instead of signing in.", invoke_without_command=True)
app.add_typer(people, name="people")
people.add_typer(keys, name="keys")

BY = "local"
Name = Annotated[str, typer.Argument(help="The person's name.")]
Roles = Annotated[str, typer.Option(help="viewer, analyst or admin.")]
Generate = Annotated[
    bool, typer.Option("--generate", help="Do not ask for a password: make one and show it once.")
]


@people.command()
def add(name: Name, project: Folder = Path(), role: Roles = "viewer", generate: Generate = False) -> None:
    """Let somebody sign in; the password is asked for, or made and shown once."""
    from evervalue.cli import show

    known = _people(project)
    chosen = _role(role)
    password, is_made = _password(generate)
    added = known.accounts.add(name, chosen, password, by=BY)
    show.say(f"{added.name} may sign in as {added.role}.")
    _tell_password(password, is_made)


@people.command("list")
def list_people(project: Folder = Path()) -> None:
    """Everybody who may sign in, with role and when they were last seen."""
    from evervalue.cli import show

    show.grid(
        ["name", "role", "signs in by", "last seen (UTC)", "disabled"],
        [
            [one.name, one.role, "identity provider" if one.subject else "password", one.seen_at or "never",
             one.disabled_at or ""]
            for one in _people(project).accounts.all()
        ],
    )  # fmt: skip


@people.command("role")
def set_role(
    name: Name,
    role: Annotated[str, typer.Argument(help="viewer, analyst or admin.")],
    project: Folder = Path(),
) -> None:
    """Give somebody another role; their sessions end."""
    from evervalue.cli import show

    _people(project).accounts.set_role(name, _role(role), by=BY)
    show.say(f"{name} is {role} now, and signs in again.")


@people.command()
def password(name: Name, project: Folder = Path(), generate: Generate = False) -> None:
    """Give somebody another password; their sessions end."""
    from evervalue.cli import show

    known = _people(project)
    new, is_made = _password(generate)
    known.accounts.set_password(name, new, by=BY)
    show.say(f"{name} has another password, and signs in again.")
    _tell_password(new, is_made)


@people.command()
def disable(name: Name, project: Folder = Path()) -> None:
    """Let somebody in no more, from the next request on."""
    from evervalue.cli import show

    _people(project).accounts.disable(name, by=BY)
    show.say(f"{name} is let in no more. 'evervalue people enable' lets them in again.")


@people.command()
def enable(name: Name, project: Folder = Path()) -> None:
    """Let somebody in again."""
    from evervalue.cli import show

    _people(project).accounts.enable(name, by=BY)
    show.say(f"{name} may sign in again.")


@people.command()
def remove(name: Name, project: Folder = Path()) -> None:
    """Take somebody out, with their sessions and keys."""
    from evervalue.cli import show

    _people(project).accounts.remove(name, by=BY)
    show.say(f"{name} was taken out.")


@people.command()
def link(
    project: Folder = Path(),
    port: Annotated[int, typer.Option(help="Port that the server listens on.")] = 8765,
) -> None:
    """Print another one-time link for whoever sits at this machine."""
    from evervalue.governance.links import MINUTES

    print(f"http://127.0.0.1:{port}/?once={_people(project).links.make()}")
    print(f"Good once, for {MINUTES} minutes, where the server asks for no accounts.", file=sys.stderr)


@people.command()
def secret() -> None:
    """Print a new secret that several servers may share (server.secret in the settings)."""
    from evervalue.governance.secret import made

    print(made())


@people.command("events")
def show_events(
    project: Folder = Path(),
    kind: Annotated[str, typer.Option(help="Only this kind, such as sign-in-failed.")] = "",
    who: Annotated[str, typer.Option(help="Only what this person did, or what concerns them.")] = "",
    days: Annotated[int, typer.Option(min=1, max=400, help="How far back.")] = 30,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000)] = 50,
) -> None:
    """What happened at the door, the newest first."""
    from evervalue.cli import show

    found = _people(project).audit.events(kind=kind, who=who, days=days, limit=limit)
    show.grid(
        ["when (UTC)", "what", "who", "about", "from"],
        [[event.at, event.kind, event.who, event.about, event.address] for _, event in found],
    )


@keys.callback()
def list_keys(context: typer.Context) -> None:
    """API keys, by their first characters; add and revoke make and end them."""
    if context.invoked_subcommand is None:
        show_keys(Path())


@keys.command("list")
def show_keys(project: Folder = Path()) -> None:
    """The API keys, by their first characters."""
    from evervalue.cli import show

    show.grid(
        ["id", "used by", "begins with", "may", "made by", "good until (UTC)", "last used", "revoked"],
        [
            [key.id, key.name, key.shown, " ".join(key.rights), key.owner, key.ends_at or "", key.used_at or "never",
             key.revoked_at or ""]
            for key in _people(project).keys.all()
        ],
    )  # fmt: skip


@keys.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="What uses the key.")],
    project: Folder = Path(),
    right: Annotated[
        list[str] | None, typer.Option(help="read, export, work or manage; may be repeated. [default: read]")
    ] = None,
    days: Annotated[int, typer.Option(help="For how many days it is good.")] = 90,
) -> None:
    """Print a new API key; it is shown this once."""
    from evervalue.cli import show
    from evervalue.core.errors import InputError
    from evervalue.governance.roles import Right

    try:
        rights = [Right(one) for one in right or ["read"]]
    except ValueError as error:
        raise InputError(f"{error}: there are the rights {', '.join(Right)}.") from None
    print(_people(project).keys.make(name, rights, days, account=None, by=BY))
    show.warn("Programs send it as 'Authorization: Bearer evk_…'. It cannot be shown again.")


@keys.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="Its id, as 'people keys list' shows it.")],
    project: Folder = Path(),
) -> None:
    """Let a key in no more."""
    from evervalue.cli import show

    gone = _people(project).keys.revoke(key, by=BY)
    show.say(f"The key of '{gone.name}' lets nobody in any more.")


def tell_door(folder: Path, data_dir: Path, access: Access | None, address: str) -> None:
    """Says how people come in: by the link of this machine, or by an account, and how the first one is made."""
    from evervalue.cli import show
    from evervalue.core.clock import SystemClock
    from evervalue.governance.links import MINUTES
    from evervalue.governance.people import People

    if access is None:
        show.warn("The door is open: whoever uses this machine may do everything.")
        return
    known = People(data_dir, SystemClock(), access)
    if not access.by_account:
        show.say(f"  Open it here: {address}?once={known.links.make()}")
        port = urlsplit(address).port
        show.say(
            f"  Good once, for {MINUTES} minutes. Another link: evervalue people link {folder} --port {port}"
        )
    elif not known.accounts.any() and access.settings.oidc is None:
        show.warn(
            f"Nobody can sign in yet. Make the first admin: evervalue people add NAME {folder} --role admin"
        )
    known.store.close()


def _people(project: Path) -> People:
    from evervalue.core.clock import SystemClock
    from evervalue.governance.people import People
    from evervalue.governance.settings import Access
    from evervalue.pipeline.connect import empty_project
    from evervalue.pipeline.settings import FILE, read_project

    is_begun = not (project / FILE).exists() and empty_project(project).data_dir.is_dir()
    found = empty_project(project) if is_begun else read_project(project)
    return People(found.data_dir, SystemClock(), Access(found.settings.server))


def _role(text: str) -> Role:
    from evervalue.core.errors import InputError
    from evervalue.governance.roles import Role

    try:
        return Role(text)
    except ValueError:
        raise InputError(f"There is no role '{text}'; there are {', '.join(Role)}.") from None


def _password(generate: bool) -> tuple[str, bool]:
    """A password, and whether it was made here."""
    from evervalue.governance.passwords import generated

    if generate or not sys.stdin.isatty():
        return generated(), True
    typed = typer.prompt(
        "Password (Enter makes one)",
        default="",
        show_default=False,
        hide_input=True,
        confirmation_prompt=True,
    )
    return (str(typed), False) if typed else (generated(), True)


def _tell_password(password: str, is_made: bool) -> None:
    from evervalue.cli import show

    if is_made:
        print(password)
        show.warn(
            "This password is shown once. Hand it over by a safe way; it can be changed in the dashboard."
        )
