"""How a database is reached: the setting `connection`, its variables, and messages that never show a password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from evervalue.core.errors import SettingsError
from evervalue.core.settings import variable
from evervalue.core.text import listing

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
SECRET_KEYS = ("password", "passwd", "sslpassword", "ssl_key_password")


@dataclass(frozen=True)
class Address:
    """Where a database is and how it lets us in. Printing it shows no password."""

    where: str
    """Key of the source in the settings, for messages."""
    text: str = field(repr=False)
    """The connection as written, with its variables filled in."""

    @property
    def scheme(self) -> str:
        """What stands before `://`; empty where the connection is written in key=value words."""
        return self.text.partition("://")[0].lower() if "://" in self.text else ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must not be shown, longest first."""
        found: set[str] = set()
        if "://" in self.text:
            # Not by urlsplit alone: a password with an unescaped / or # is one all the same.
            rest = self.text.partition("://")[2]
            user_part = rest.rpartition("@")[0]
            if ":" in user_part:
                found.add(user_part.partition(":")[2])
            found |= {value for key, value in parse_qsl(rest.partition("?")[2]) if key.lower() in SECRET_KEYS}
        for key in SECRET_KEYS:
            for quoted, plain in re.findall(
                rf"\b{key}\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s&]+))", self.text, re.I
            ):
                found.add(quoted or plain)
        found |= {unquote(secret) for secret in found} | {quote(secret, safe="") for secret in found}
        # Of a password that a URL cannot hold as it is, clients may show the piece that they took for something else.
        found |= {piece for secret in found for piece in re.split("[/#?@:]", secret) if len(piece) > 3}
        return tuple(sorted((secret for secret in found if secret), key=len, reverse=True))

    def shown(self) -> str:
        """The connection without its password."""
        return self.redacted(self.text)

    def redacted(self, text: str) -> str:
        """`text` with every secret of this address blotted out."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def parts(self) -> dict[str, str]:
        """host, port, user, password, database and options of a URL, as far as they are given.

        Raises
        ------
        SettingsError
            It is no URL.
        """
        try:
            split = urlsplit(self.text)
            port = split.port
        except ValueError:
            split, port = None, None
        if split is None or not split.scheme or "://" not in self.text:
            raise SettingsError(
                f"{self.where}.connection is not a URL. Write it as mysql://USER:PASSWORD@HOST:PORT/DATABASE; "
                "characters such as @ / # in the password are written with %, as in %40."
            )
        found = {
            "host": split.hostname or "",
            "port": str(port or ""),
            "user": unquote(split.username or ""),
            "password": unquote(split.password or ""),
            "database": unquote(split.path.lstrip("/")),
            **dict(parse_qsl(split.query)),
        }
        return {key: value for key, value in found.items() if value}


def address(connection: str, where: str) -> Address:
    """The address that a setting means, `${VARIABLES}` taken from the environment; `where` is the source's key.

    Raises
    ------
    SettingsError
        A variable is not set, or is empty; all are named.
    """
    names = dict.fromkeys(VARIABLE.findall(connection))
    missing = [name for name in names if not variable(name)]
    if missing:
        raise SettingsError(
            f"{where}.connection names {listing(['${' + name + '}' for name in missing])}, which the environment does "
            f"not set. Set it, for example: export {missing[0]}='postgresql://USER:PASSWORD@HOST/DATABASE'."
        )
    filled = VARIABLE.sub(lambda found: variable(found[1]) or "", connection).strip()
    if not filled:
        raise SettingsError(f'{where}.connection is empty. Write connection = "${{NAME_OF_A_VARIABLE}}".')
    return Address(where, filled)
