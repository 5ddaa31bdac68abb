"""A connection to NATS, and what it refuses in our words."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from evervalue.collector.streams.settings import StreamSettings
from evervalue.core.errors import MissingExtra, SettingsError, SourceUnavailable

PORT = 4222
CONNECT_SECONDS = 5
ANSWER_SECONDS = 5.0
ONCE = {
    "name": "evervalue", "connect_timeout": CONNECT_SECONDS, "allow_reconnect": False, "max_reconnect_attempts": 0,
    "reconnect_time_wait": 0,
}  # fmt: skip
"""A connection that breaks is opened anew by the loop, behind the position of the log."""


class Connection:
    """A connection, and what the server said that belongs to no answer, such as that something is not allowed."""

    def __init__(self, settings: StreamSettings) -> None:
        self.settings = settings
        self.given = settings.filled()
        self.nc: Any = None
        self.js: Any = None
        self.said: list[str] = []

    async def open(self) -> None:
        """Connects to the first of the hosts that answers.

        Raises
        ------
        SourceUnavailable
            None does, or does not let us in.
        """
        from nats.aio.client import Client

        options = {**login(self.settings, self.given), "error_cb": self._note}
        hosts = self.settings.hosts.split(",")
        for host in hosts:
            try:
                with told(self):
                    name, _, port = host.partition(":")
                    await _is_there(name, int(port or PORT))
                    address = f"nats://{name}:{port or PORT}"
                    self.nc = Client()
                    await asyncio.wait_for(self.nc.connect([address], **ONCE, **options), 2 * CONNECT_SECONDS)
                break
            except SourceUnavailable:
                await self.close()
                if host == hosts[-1]:
                    raise
        domain = {"domain": self.given["domain"]} if "domain" in self.given else {}
        self.js = self.nc.jetstream(timeout=ANSWER_SECONDS, **domain)

    async def close(self) -> None:
        """Lets go of the connection."""
        if self.nc is None:
            return
        await self.nc.close()
        # Where the server did not let us in, the library leaves its socket open.
        transport = self.nc._transport
        if transport is not None:
            transport.close()
            await asyncio.sleep(0)

    async def _note(self, error: Exception) -> None:
        self.said.append(str(error)[:200])


async def _is_there(host: str, port: int) -> None:
    """Returns where something listens; the library would try for minutes, and not say why it cannot."""
    _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_SECONDS)
    writer.close()
    await writer.wait_closed()


def login(settings: StreamSettings, given: Mapping[str, str]) -> dict[str, Any]:
    """What `nats.connect` is told of who we are.

    Raises
    ------
    SettingsError
        A file that is named cannot be used.
    MissingExtra
        Keys of NATS' own are named, and the library that signs with them is not installed.
    """
    options: dict[str, Any] = {key: given[key] for key in ("user", "password", "token") if key in given}
    if "credentials" in given or "nkey_seed" in given:
        _needs_nkeys(settings.source)
    if "credentials" in given:
        options["user_credentials"] = given["credentials"]
    if "nkey_seed" in given:
        options["nkeys_seed_str"] = given["nkey_seed"]
    if "inbox_prefix" in given:
        options["inbox_prefix"] = given["inbox_prefix"].encode()
    if given.get("tls", "false") == "true" or "ca" in given or "certificate" in given:
        try:
            context = ssl.create_default_context(cafile=given.get("ca"))
            if "certificate" in given:
                context.load_cert_chain(given["certificate"], given.get("key"))
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"sources.{settings.source}.options: ca, certificate or key cannot be used: {error}."
            ) from None
        options["tls"] = context
    return options


def _needs_nkeys(source: str) -> None:
    """Nothing, where the library of NATS' keys is there; it has no wheel, so that no extra of ours brings it."""
    if find_spec("nkeys") is None:
        raise MissingExtra(
            f"sources.{source}.options: credentials and nkey_seed need a library that signs with NATS' keys: "
            "pip install nkeys"
        )


@contextmanager
def told(connection: Connection) -> Iterator[None]:
    """Turns what the library raises into our own error, with what mends it.

    Raises
    ------
    SourceUnavailable
        Always, where anything was raised.
    """
    import nats.errors
    import nats.js.errors

    settings = connection.settings
    where = f"sources.{settings.source}.stream, {settings.where}"
    try:
        yield
    except nats.js.errors.NotFoundError as error:
        what = "consumer" if "consumer" in str(error.description) else "stream"
        raise SourceUnavailable(
            f"{where}: there is no such {what}. See 'nats {what} ls', the case of letters, and options.domain where "
            "JetStream runs behind a leaf node."
        ) from None
    except nats.js.errors.ServiceUnavailableError:
        raise SourceUnavailable(
            f"{where}: the server answers, and JetStream does not: it is not enabled there, or not for this account."
        ) from None
    except nats.js.errors.APIError as error:
        raise SourceUnavailable(f"{where}: refused: {str(error.description)[:200]}.") from None
    except (OSError, nats.errors.Error, ssl.SSLError) as error:
        if "authorization violation" in str(error).lower() or isinstance(
            error, nats.errors.AuthorizationError
        ):
            raise SourceUnavailable(
                f"{where}: the server does not let us in. Name user and password, token, credentials or nkey_seed in "
                f"[sources.{settings.source}.options], secrets as ${{VARIABLES}}."
            ) from None
        raise SourceUnavailable(f"{where}: {_unanswered(connection, error)}") from None
    except (ValueError, RuntimeError) as error:  # as the library tells of files of credentials
        raise SourceUnavailable(f"{where}: {type(error).__name__}: {str(error)[:200]}") from None


def _unanswered(connection: Connection, error: BaseException) -> str:
    denied = [text for text in connection.said if "ermissions" in text]
    if denied:
        return (
            f"we are not allowed to ask ({denied[-1]}). Reading needs to publish to $JS.API.STREAM.INFO.NAME, "
            "$JS.API.CONSUMER.> of the stream and $JS.ACK.>, and to subscribe to _INBOX.> (or options.inbox_prefix)."
        )
    if connection.nc is not None and connection.nc.is_connected:
        return f"the server does not answer ({type(error).__name__})."
    said = str(error) or type(error).__name__
    return (
        f"cannot be reached ({said[:200]}). See that the server runs and that this machine may connect to it."
    )
