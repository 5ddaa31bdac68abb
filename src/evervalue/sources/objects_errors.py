"""What an object store answered, said so that it can be mended: the right that is lacking, the setting, the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from evervalue.core.errors import EvervalueError, InputError, SourceUnavailable

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"})
WRONG_KEYS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId"}
)
OTHER_REGION = frozenset(
    {
        "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301",
        "TemporaryRedirect", "307",
    }
)  # fmt: skip
BUSY = frozenset(
    {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "503", "500"}
)
NO_KEYS = frozenset({"NoCredentialsError", "PartialCredentialsError", "NoAuthTokenError"})
NO_PROFILE = frozenset({"ProfileNotFound", "ConfigParseError", "ConfigNotFound"})
LAPSED_LOGIN = frozenset(
    {
        "SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError", "CredentialRetrievalError",
        "MetadataRetrievalError", "RefreshWithMFAUnsupportedError", "LoginRefreshRequired", "LoginTokenLoadError",
    }
)  # fmt: skip
BAD_ADDRESS = frozenset({"ParamValidationError", "InvalidRegionError", "InvalidEndpointConfigurationError"})
LOOKED_FOR = (
    "in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the profile that AWS_PROFILE names, and in the role of this "
    "machine"
)


@dataclass(frozen=True)
class Asked:
    """What was asked of the store, for messages."""

    source: str
    """How a sentence about the source begins: 'sources.crm: ', or nothing."""
    bucket: str
    endpoint: str
    key: str | None = None
    """The object, where one was asked for; None where the bucket was listed."""

    @property
    def url(self) -> str:
        """The object or the bucket as messages name it."""
        return f"s3://{self.bucket}" + (f"/{self.key}" if self.key is not None else "")

    @property
    def right(self) -> str:
        """The right that the request needs, as a policy writes it."""
        if self.key is None:
            return f"s3:ListBucket on arn:aws:s3:::{self.bucket}"
        return f"s3:GetObject on arn:aws:s3:::{self.bucket}/{self.key}"


def explained(error: Exception, asked: Asked) -> EvervalueError:
    """The error that a user is shown for what the client library raised."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    if "Error" in response:
        return _answered(response, asked)
    return _not_answered(error, asked)


def code_of(error: Exception) -> str:
    """The store's own word for what went wrong, or the name of the library's error."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)


def _answered(response: dict[str, Any], asked: Asked) -> EvervalueError:
    said = response["Error"]
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    where = f"{asked.source}{asked.url}"
    for codes, explain in _ANSWERS:
        if code in codes:
            return explain(where, asked, message, said, headers)
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
    return SourceUnavailable(
        f"{where} could not be read: the store at {_host(asked.endpoint)} answered {code or status}. Look that word up "
        "in the store's documentation; nothing was changed."
    )


def _no_bucket(where: str, asked: Asked, *_: Any) -> EvervalueError:
    return SourceUnavailable(
        f"{where}: there is no bucket '{asked.bucket}' at {_host(asked.endpoint)}. Mend the path, or name the store it "
        "lies in with AWS_ENDPOINT_URL. Rows that were read before are kept."
    )


def _no_object(where: str, *_: Any) -> EvervalueError:
    return InputError(
        f"{where} was listed and is gone now; somebody took it away while it was read. Run again. Nothing was changed."
    )


def _denied(where: str, asked: Asked, message: str, *_: Any) -> EvervalueError:
    if "kms" in message.lower():
        return SourceUnavailable(
            f"{where} is encrypted with a KMS key that these credentials may not use. Grant them kms:Decrypt on that "
            "key; its policy must allow it too."
        )
    hint = (
        " Without the right to list, a bucket that is not there looks the same; where the requester pays, set "
        "requester_pays = true."
        if asked.key is None
        else " Where the requester pays, set requester_pays = true."
    )
    return SourceUnavailable(f"{where}: access is denied. Grant these credentials {asked.right}.{hint}")


def _wrong_keys(where: str, asked: Asked, *_: Any) -> EvervalueError:
    return SourceUnavailable(
        f"{where}: the store at {_host(asked.endpoint)} does not know the access key, or the secret does not fit it. "
        f"Mend the credentials; they are looked for {LOOKED_FOR}."
    )


def _expired(where: str, *_: Any) -> EvervalueError:
    return SourceUnavailable(
        f"{where}: the credentials have expired. Log in again, or renew AWS_SESSION_TOKEN with its key and secret; "
        "credentials of a role renew themselves."
    )


def _skewed(where: str, asked: Asked, message: str, said: dict[str, Any], *_: Any) -> EvervalueError:
    clock = f" (there it is {said['ServerTime']})" if said.get("ServerTime") else ""
    return SourceUnavailable(
        f"{where}: the clock of this machine differs too much from that of the store{clock}, so it refuses every "
        "signature. Set the clock, best by NTP, and run again."
    )


def _elsewhere(
    where: str, asked: Asked, message: str, said: dict[str, Any], headers: dict[str, str]
) -> EvervalueError:
    region = headers.get("x-amz-bucket-region") or said.get("Region")
    named = f"region {region}" if region else "another region"
    return SourceUnavailable(
        f"{where}: the bucket lies in {named}, not where it was asked for. Set AWS_DEFAULT_REGION="
        f"{region or 'its region'}, and AWS_ENDPOINT_URL only where the store is not Amazon's."
    )


def _archived(where: str, asked: Asked, message: str, said: dict[str, Any], *_: Any) -> EvervalueError:
    kind = f" ({said['StorageClass']})" if said.get("StorageClass") else ""
    return SourceUnavailable(
        f"{where} is archived{kind} and cannot be read as it lies. Restore it (s3:RestoreObject; it takes minutes to "
        "hours), or take it out of the path."
    )


def _customer_key(where: str, asked: Asked, message: str, *_: Any) -> EvervalueError:
    if "encryption" in message.lower() or "encrypted" in message.lower():
        return SourceUnavailable(
            f"{where} is encrypted with a key that its owner keeps (SSE-C), and it was not given or does not fit. Put "
            'the key, in base64, into an environment variable and name it: sse_customer_key = "${CRM_KEY}".'
        )
    return SourceUnavailable(f"{where}: the store at {_host(asked.endpoint)} refuses the request as invalid.")


def _busy(where: str, asked: Asked, *_: Any) -> EvervalueError:
    return SourceUnavailable(
        f"{where}: the store at {_host(asked.endpoint)} is too busy or out of order, after several attempts. Run again "
        "later; nothing was changed."
    )


_ANSWERS: tuple[tuple[frozenset[str], Callable[..., EvervalueError]], ...] = (
    (frozenset({"NoSuchBucket"}), _no_bucket),
    (frozenset({"NoSuchKey", "NoSuchVersion", "404"}), _no_object),
    (frozenset({"AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden", "403"}), _denied),
    (frozenset({"KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException"}), _denied),
    (WRONG_KEYS, _wrong_keys),
    (EXPIRED, _expired),
    (frozenset({"RequestTimeTooSkewed"}), _skewed),
    (OTHER_REGION, _elsewhere),
    (frozenset({"InvalidObjectState"}), _archived),
    (frozenset({"InvalidRequest", "InvalidArgument", "400"}), _customer_key),
    (BUSY, _busy),
)


def _not_answered(error: Exception, asked: Asked) -> EvervalueError:
    name, where = type(error).__name__, f"{asked.source}{asked.url}"
    if name in NO_KEYS:
        return SourceUnavailable(f"{where}: no credentials were found. They are looked for {LOOKED_FOR}.")
    if name in NO_PROFILE:
        return SourceUnavailable(
            f"{where}: the profile that AWS_PROFILE names is not in the configuration (~/.aws/config), or that cannot "
            "be read. Mend it, or give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    if name in LAPSED_LOGIN:
        return SourceUnavailable(
            f"{where}: the credentials cannot be renewed ({name}). Log in again and run again."
        )
    if name in BAD_ADDRESS or isinstance(error, ValueError):
        return SourceUnavailable(
            f"{where}: the bucket or the store ({_host(asked.endpoint)}) has no such address. Bucket names are "
            "3 to 63 small letters, digits, points and hyphens; AWS_ENDPOINT_URL is a whole URL such as "
            "https://storage.example.com."
        )
    return SourceUnavailable(
        f"{where}: the store at {_host(asked.endpoint)} cannot be reached ({name}). Check the network, a proxy, and "
        "AWS_ENDPOINT_URL; rows that were read before are kept."
    )


def _host(endpoint: str) -> str:
    """Host and port of an endpoint, without whatever else its URL holds."""
    parts = urlsplit(endpoint)
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.hostname}{port}" if parts.hostname else "its endpoint"
