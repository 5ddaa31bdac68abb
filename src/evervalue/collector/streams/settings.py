"""Where a source's stream is and how it is read: `stream`, `start` and `options` of `[sources.NAME]`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from evervalue.core.errors import SettingsError
from evervalue.core.settings import variable
from evervalue.core.text import did_you_mean, listing

KINDS: Mapping[str, tuple[str, str]] = {
    "kinesis": ("kinesis://REGION/STREAM", "kinesis://eu-west-1/clicks"),
    "kafka": ("kafka://HOST:PORT/TOPIC", "kafka://broker:9092/clicks?group=evervalue"),
    "nats": ("nats://HOST:PORT/STREAM", "nats://host:4222/CLICKS"),
}
"""Kind of stream: how its address is written, and an example."""
SECRET = re.compile(r"password|passphrase|secret|(^|[._])token$|seed|\.pem$|oauthbearer\.config$")
VARIABLE = re.compile(r"\$\{(\w+)\}")
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "kinesis": ("endpoint", "profile", "access_key_id", "secret_access_key", "session_token", "role_arn", "ca"),
    "nats": (
        "user", "password", "token", "credentials", "nkey_seed", "tls", "ca", "certificate", "key",
        "consumer", "subject", "domain", "inbox_prefix",
    ),
}  # fmt: skip
"""Options by kind; those of Kafka are librdkafka's own, and `group`."""


@dataclass(frozen=True)
class StreamSettings:
    """A stream as `evervalue.toml` names it; secrets stand in it as `${VARIABLE}`."""

    source: str
    url: str
    start: str = "oldest"
    """Where a part begins that was never read: oldest, newest, or an instant as ISO 8601 writes it."""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The protocol."""
        return self.url.partition("://")[0]

    @property
    def hosts(self) -> str:
        """What stands for the server: a region, or one or several HOST:PORT."""
        return self.url.partition("://")[2].partition("/")[0]

    @property
    def name(self) -> str:
        """The stream, or the topic."""
        return unquote(urlsplit(self.url).path.strip("/"))

    @property
    def where(self) -> str:
        """The address without options, for messages."""
        return self.url.partition("?")[0]

    @property
    def start_at(self) -> dt.datetime | None:
        """The instant to start at; None where it is oldest or newest."""
        return None if self.start in ("oldest", "newest") else _instant(self.start)

    def filled(self) -> dict[str, str]:
        """The options, `${VARIABLES}` taken from the environment.

        Raises
        ------
        SettingsError
            A variable is not set; all are named.
        """
        names = dict.fromkeys(name for value in self.options.values() for name in VARIABLE.findall(value))
        missing = [name for name in names if not variable(name)]
        if missing:
            raise SettingsError(
                f"sources.{self.source}.options names {listing(['${' + name + '}' for name in missing])}, which the "
                f"environment does not set. Set it, for example: export {missing[0]}='...'."
            )
        return {
            key: VARIABLE.sub(lambda found: variable(found[1]) or "", value)
            for key, value in self.options.items()
        }


def without_stream(table: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a source without those of its stream."""
    return {key: value for key, value in table.items() if key not in ("stream", "start", "options")}


def stream_settings(source: str, table: Mapping[str, Any]) -> StreamSettings | None:
    """The stream that a source of events names; None where it names none.

    Raises
    ------
    SettingsError
        The address, the start or an option is none.
    """
    where = f"sources.{source}"
    if "stream" not in table:
        stray = [name for name in ("start", "options") if name in table]
        if stray:
            raise SettingsError(
                f'{where}.{stray[0]} belongs to a stream, and none is named. Add stream = "kinesis://...", '
                f"or take {stray[0]} out."
            )
        return None
    url, start = table["stream"], table.get("start", "oldest")
    if isinstance(start, dt.datetime | dt.date):
        start = start.isoformat()
    if not isinstance(url, str) or "://" not in url:
        raise SettingsError(
            f"{where}.stream must be an address such as {listing(e for _, e in KINDS.values())}."
        )
    kind, _, rest = url.partition("://")
    if kind not in KINDS:
        raise SettingsError(
            f"{where}.stream: '{kind}' is not a kind of stream{did_you_mean(kind, KINDS)}. There are "
            f"{', '.join(KINDS)}."
        )
    if "@" in rest.partition("/")[0]:
        raise SettingsError(
            f"{where}.stream: names and passwords do not belong into the address. Write them as options, passwords as "
            f'${{VARIABLES}}: options = {{user = "reader", password = "${{STREAM_PASSWORD}}"}}.'
        )
    found = StreamSettings(source, url, str(start), _options(where, kind, url, table.get("options", {})))
    if not found.hosts or not found.name or "/" in found.name:
        raise SettingsError(
            f"{where}.stream is not written as {KINDS[kind][0]}. An example: {KINDS[kind][1]}."
        )
    if found.start not in ("oldest", "newest") and _instant(found.start) is None:
        raise SettingsError(
            f'{where}.start must be "oldest", "newest" or an instant such as 2026-03-01T00:00:00Z, not '
            f"'{found.start}'."
        )
    return found


def _options(where: str, kind: str, url: str, table: object) -> dict[str, str]:
    """The options of the table and of the address, all as texts."""
    if not isinstance(table, Mapping):
        raise SettingsError(f"{where}.options must be a table: write [{where}.options].")
    found = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    for key, value in table.items():
        if not isinstance(value, str | int | float | bool):
            raise SettingsError(f"{where}.options.{key} must be a text, a number, or true or false.")
        found[key] = str(value).lower() if isinstance(value, bool) else str(value)
    known = OPTIONS.get(kind)
    for key, value in found.items():
        if known is not None and key not in known:
            raise SettingsError(
                f"{where}.options.{key} is not an option of {kind}{did_you_mean(key, known)}. There are "
                f"{', '.join(known)}."
            )
        if SECRET.search(key) and not VARIABLE.fullmatch(value):
            raise SettingsError(
                f"{where}.options.{key} is a secret, which does not belong into the file. Put it into an environment "
                f'variable and write {key} = "${{NAME}}".'
            )
    return found


def _instant(text: str) -> dt.datetime | None:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=dt.UTC)
