"""A client for Kinesis, and what it refuses in our words."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from evervalue.collector.streams.reader import Moved
from evervalue.collector.streams.settings import StreamSettings
from evervalue.core.errors import SourceUnavailable

NEEDED = "kinesis:DescribeStreamSummary, ListShards, GetShardIterator and GetRecords"
DENIED = ("AccessDeniedException", "AccessDenied", "KMSAccessDeniedException", "UnauthorizedOperation")
UNKNOWN = ("UnrecognizedClientException", "InvalidSignatureException", "InvalidClientTokenId", "ExpiredTokenException",
           "MissingAuthenticationTokenException", "IncompleteSignature")  # fmt: skip


THROTTLED = ("ProvisionedThroughputExceededException", "LimitExceededException", "KMSThrottlingException")


class Throttled(SourceUnavailable):
    """More is asked than a shard answers, by us and by others who read it."""


class ExpiredIterator(SourceUnavailable):
    """An iterator was not used for five minutes; the position it was made of is still good."""


def client(settings: StreamSettings) -> Any:
    """A client, made of the settings and, where they say nothing, of what the AWS tools find on this machine.

    Raises
    ------
    SettingsError
        An option names a variable that is not set.
    SourceUnavailable
        What the settings name cannot be used.
    """
    boto3 = importlib.import_module("boto3")
    config = importlib.import_module("botocore.config").Config
    given = settings.filled()
    keys = {
        f"aws_{name}": given[name]
        for name in ("access_key_id", "secret_access_key", "session_token")
        if name in given
    }
    with told(settings, "making a client"):
        session = boto3.Session(
            region_name=settings.hosts,
            **keys,
            **({"profile_name": given["profile"]} if "profile" in given else {}),
        )
        if "role_arn" in given:
            role = session.client("sts").assume_role(
                RoleArn=given["role_arn"], RoleSessionName="evervalue", DurationSeconds=3600
            )["Credentials"]
            session = boto3.Session(
                region_name=settings.hosts,
                aws_access_key_id=role["AccessKeyId"],
                aws_secret_access_key=role["SecretAccessKey"],
                aws_session_token=role["SessionToken"],
            )
        return session.client(
            "kinesis",
            endpoint_url=given.get("endpoint"),
            verify=given.get("ca"),
            config=config(
                connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4}
            ),
        )


@contextmanager
def told(settings: StreamSettings, doing: str) -> Iterator[None]:
    """Turns what the library raises into our own error, with what mends it.

    Raises
    ------
    ExpiredIterator
        The iterator is too old.
    Throttled
        Ask later.
    Moved
        The role that was taken on has ended; take it on again.
    SourceUnavailable
        Anything else.
    """
    library = importlib.import_module("botocore.exceptions")
    where = f"sources.{settings.source}.stream, {settings.where}"
    try:
        yield
    except library.ClientError as error:
        said = error.response.get("Error", {})
        code, message = str(said.get("Code", "")), str(said.get("Message", ""))
        if code == "ExpiredIteratorException":
            raise ExpiredIterator(f"{where}: the iterator expired.") from None
        if code in THROTTLED:
            raise Throttled(f"{where}: more is asked of it than it answers ({code}).") from None
        if code == "ExpiredTokenException" and "role_arn" in settings.options:
            raise Moved from None  # a role is taken on for an hour
        raise SourceUnavailable(f"{where}: {_mend(settings, code, message, doing)}") from None
    except (library.NoCredentialsError, library.PartialCredentialsError):
        raise SourceUnavailable(
            f"{where}: there are no credentials. Give this machine a role or a profile as for the AWS tools, or name "
            f'variables: [sources.{settings.source}.options] access_key_id = "${{ID}}", secret_access_key = '
            '"${SECRET}".'
        ) from None
    except library.ProfileNotFound:
        raise SourceUnavailable(f"{where}: the profile of options.profile is not on this machine.") from None
    except (library.BotoCoreError, ValueError) as error:
        raise SourceUnavailable(
            f"{where} cannot be reached ({type(error).__name__}, {doing}): {str(error)[:200]}. See that the region "
            "exists, and that this machine may connect to it."
        ) from None


def _mend(settings: StreamSettings, code: str, message: str, doing: str) -> str:
    if code == "ResourceNotFoundException":
        return (
            f"there is no stream '{settings.name}' in {settings.hosts} in this account. See "
            f"'aws kinesis list-streams --region {settings.hosts}'."
        )
    if code in DENIED:
        return (
            f"{doing} is not allowed to us. Reading needs the rights {NEEDED}, and kms:Decrypt where the stream is "
            "encrypted."
        )
    if code in UNKNOWN:
        return f"the credentials are refused ({code}). See that they are right, and not expired."
    return f"{doing} was refused ({code}): {message[:200]}"
