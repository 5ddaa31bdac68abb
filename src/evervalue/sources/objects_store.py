"""A bucket of S3 or a store like it: listed by prefix, and fetched object by object, each whole or not at all."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import functools
import hashlib
import importlib
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from evervalue.core.errors import InputError, MissingExtra, SettingsError, SourceUnavailable
from evervalue.core.settings import variable
from evervalue.sources.files import BLOCK
from evervalue.sources.objects_errors import Asked, code_of, explained

ATTEMPTS = 4
"""How often an object is fetched that changes, or whose transfer breaks off, before it is given up."""

UNREACHED = ("EndpointConnectionError", "ConnectTimeoutError", "SSLError", "ProxyConnectionError")


@dataclass(frozen=True)
class Access:
    """How a bucket is to be read, besides what the environment says; nothing in it is secret."""

    requester_pays: bool = False
    """Whether this account pays for what it reads."""
    sse_customer_key: str | None = None
    """'${VARIABLE}': the environment variable that holds the key of SSE-C, in base64."""


@dataclass(frozen=True)
class Entry:
    """An object as the listing of its bucket shows it."""

    key: str
    etag: str
    bytes: int
    modified_at: dt.datetime
    """UTC without a zone."""


class Bucket:
    """One bucket. Credentials, region and endpoint come from where the AWS tools take them."""

    def __init__(self, name: str, access: Access, source: str) -> None:
        self.name = name
        self.source = source
        self._client, self._library = _client(Asked(source, name, ""))
        self.endpoint = str(self._client.meta.endpoint_url)
        self._pays = {"RequestPayer": "requester"} if access.requester_pays else {}
        self._key = _customer_key(access.sse_customer_key, source)

    def entries(self, prefix: str, delimiter: str = "") -> Iterator[Entry]:
        """The objects whose keys begin with `prefix`; with a delimiter, only those without it behind the prefix."""
        asked = Asked(self.source, self.name, self.endpoint)
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix, **({"Delimiter": delimiter} if delimiter else {}), **self._pays
        )
        with _Told(self._library, asked):
            for page in pages:
                for found in page.get("Contents", ()):
                    yield Entry(found["Key"], found["ETag"], int(found["Size"]), _utc(found["LastModified"]))

    def fetch(self, entry: Entry, target: Path) -> tuple[Entry, str]:
        """Write the object to `target`; returns it as it was then, and the sha256 of its bytes.

        It is asked for by its ETag, so that what is read is one state of it; where it has changed since it was listed,
        the new state is fetched. What breaks off is fetched anew, and never read as if it were whole.

        Raises
        ------
        EvervalueError
            It cannot be had; `target` is not there then.
        """
        asked = Asked(self.source, self.name, self.endpoint, entry.key)
        broken: Exception | None = None
        try:
            for _ in range(ATTEMPTS):
                try:
                    return entry, self._fetch_once(entry, target)
                except self._library.ClientError as error:
                    if code_of(error) not in ("PreconditionFailed", "412"):
                        raise explained(error, asked) from None
                    entry, broken = self._as_it_is_now(entry, asked), None
                except (self._library.HTTPClientError, _Short) as error:
                    broken = error
                except self._library.BotoCoreError as error:
                    if type(error).__name__ not in ("IncompleteReadError", "FlexibleChecksumError"):
                        raise explained(error, asked) from None
                    broken = error
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        target.unlink(missing_ok=True)
        if broken is not None and type(broken).__name__ in UNREACHED:
            raise explained(broken, asked)
        if broken is None:
            raise InputError(
                f"{self.source}{asked.url} changed each of the {ATTEMPTS} times it was fetched. Let whoever writes it "
                "finish, or write under a new name each time; then run again."
            )
        raise SourceUnavailable(
            f"{self.source}{asked.url} ({entry.bytes:,} bytes) broke off or came damaged each of the {ATTEMPTS} "
            f"times it was fetched ({broken if isinstance(broken, _Short) else type(broken).__name__}). None of its "
            "rows was taken; check the network and run again."
        )

    def try_one(self, entry: Entry) -> None:
        """Ask for the first byte of an object, to see whether we may."""
        asked = Asked(self.source, self.name, self.endpoint, entry.key)
        with _Told(self._library, asked):
            first = {"Range": "bytes=0-0"} if entry.bytes else {}
            answer = self._client.get_object(
                Bucket=self.name, Key=entry.key, **first, **self._pays, **self._key
            )
            answer["Body"].close()

    def _fetch_once(self, entry: Entry, target: Path) -> str:
        answer = self._client.get_object(
            Bucket=self.name, Key=entry.key, IfMatch=entry.etag, **self._pays, **self._key
        )
        digest, size = hashlib.sha256(), 0
        # closing(): `with` on the body itself gives the bare stream, which compares neither length nor checksum.
        with closing(answer["Body"]) as body, target.open("wb") as out:
            while block := body.read(
                BLOCK
            ):  # a checksum that the store gives is compared by the library at the end
                digest.update(block)
                size += len(block)
                out.write(block)
        if size != entry.bytes:
            raise _Short(f"{size:,} bytes came")
        return digest.hexdigest()

    def _as_it_is_now(self, entry: Entry, asked: Asked) -> Entry:
        for now in self.entries(entry.key):
            if now.key == entry.key:
                return now
        raise explained(self._library.ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject"), asked)


class _Short(Exception):
    """Less came than the listing says there is."""


class _Told:
    """Turns what the client library raises in the block into an error that is told to the user."""

    def __init__(self, library: Any, asked: Asked) -> None:
        self._kinds = (library.ClientError, library.BotoCoreError)
        self._asked = asked

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, self._kinds):
            assert isinstance(error, Exception)
            raise explained(error, self._asked) from None


def _client(asked: Asked) -> tuple[Any, Any]:
    """A client for S3, and the module of the errors it raises."""
    try:
        session_of: Callable[[], Any] = importlib.import_module("botocore.session").Session
        config = importlib.import_module("botocore.config").Config
        library = importlib.import_module("botocore.exceptions")
    except ImportError:
        raise MissingExtra(
            f"{asked.source}{asked.url}: reading object storage needs the library boto3. Install it: "
            "pip install 'evervalue[s3]'"
        ) from None
    patience = {
        "connect_timeout": 10,
        "read_timeout": 60,
        "retries": {"mode": "standard", "total_max_attempts": 4},
    }
    with _Told(library, asked):
        try:
            session = session_of()
            session.register_component("data_loader", _loader())
            client = session.create_client("s3", config=config(**patience))
            style = (session.get_scoped_config().get("s3") or {}).get("addressing_style")
            if style is None and not _amazon(str(client.meta.endpoint_url)):
                # Other stores seldom have a host name for each bucket.
                client = session.create_client(
                    "s3", config=config(**patience, s3={"addressing_style": "path"})
                )
        except ValueError as error:
            raise explained(error, asked) from None
    return client, library


@functools.cache
def _loader() -> Any:
    """What reads the library's descriptions of services; it keeps them, and reading them takes a third of a second."""
    return importlib.import_module("botocore.loaders").create_loader()


def _amazon(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _customer_key(setting: str | None, source: str) -> dict[str, Any]:
    """The parameters of a request for objects that are encrypted with a key of their owner."""
    if setting is None:
        return {}
    name = re.fullmatch(r"\$\{(\w+)\}", setting)
    if name is None:
        raise SettingsError(
            f'{source}sse_customer_key names an environment variable, as in "${{CRM_KEY}}"; the key itself does not '
            "belong into the file."
        )
    try:
        key = base64.b64decode(variable(name[1]) or "", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise SettingsError(
            f"{source}sse_customer_key: the environment variable {name[1]} is not set to a key of 32 bytes in base64."
        )
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(tzinfo=None)
