"""The secret of the server, which signs what browsers hold: made at the first start, or given by the settings."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from evervalue.core.errors import SettingsError, StorageError

FILE = "server.secret"
BYTES = 32
FEWEST_LETTERS = 12
COMMAND = "evervalue people secret"
PLACEHOLDERS = (
    "changeme", "changethis", "replaceme", "replacethis", "yoursecret", "yourown", "mysecret", "thisisasecret",
    "thisismys", "secretkey", "notsecret", "nondevsecret", "randomsecret", "randomgenerated", "placeholder",
    "example", "default", "insecure", "password", "evervalue", "0123456789abcdef", "abcdefghijklmnop",
)  # fmt: skip
"""What is left of small letters and digits in the defaults of products and in the examples of documentation."""


def server_secret(data_dir: Path, given: str | None = None) -> bytes:
    """The secret that signs: the one that was given, else the file's, which is made where there is none.

    Raises
    ------
    SettingsError
        The one that was given is short, or known to everybody.
    StorageError
        The file cannot be read, or others may read it.
    """
    if given is not None:
        return hashlib.sha256(checked(given).encode()).digest()
    path = data_dir / FILE
    try:
        if not path.exists():
            _make(path)
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise StorageError(
                f"{path} may be read by others on this machine, and whoever reads it can forge forms of this server. "
                f"Take it away ('rm {path}'): the next start makes another, and nobody need sign in again."
            )
        found = path.read_bytes().strip()
    except OSError as error:
        raise StorageError(f"{path} cannot be used: {error}.") from None
    if len(found) < BYTES:
        raise StorageError(f"{path} is damaged. Take it away: the next start makes another.")
    return hashlib.sha256(found).digest()


def checked(given: str) -> str:
    """The secret of the settings, where it may be one.

    Raises
    ------
    SettingsError
        It is short, or known to everybody.
    """
    if is_known(given) or len(given) < BYTES or len(set(given)) < FEWEST_LETTERS:
        raise SettingsError(
            "server.secret is short, or one that everybody knows: with it anybody could forge what this server signs. "
            f"'{COMMAND}' makes one; or take the setting away, and the server makes its own."
        )
    return given


def is_known(given: str) -> bool:
    """Whether a secret stands in somebody's documentation or template."""
    plain = "".join(letter for letter in given.casefold() if letter.isalnum())
    return any(part in plain for part in PLACEHOLDERS)


def made() -> str:
    """A new secret, for the settings of several servers that share one."""
    return secrets.token_urlsafe(BYTES + 16)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(made())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # of several processes that start at once, the first one's stays
            os.link(draft, path)
    finally:
        draft.unlink()
