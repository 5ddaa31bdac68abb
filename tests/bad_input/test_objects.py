"""Buckets that do not let us in, are not there, or hold what cannot be read: one paragraph with the mend."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import EvervalueError, InputError, SettingsError, SourceUnavailable
from evervalue.sources.files import find_files
from evervalue.sources.objects import find_objects, is_object_path
from evervalue.sources.objects_store import Access
from tests.support.s3 import Answer, Store, always, cut_off, damaged, refusal

ROW = "order,date,customer,amount\n1,2022-01-05,c1,5\n"


def refused(temp: Path, path: str = "s3://crm/*.csv", **options: Any) -> EvervalueError:
    with pytest.raises(EvervalueError) as caught:
        find_objects(path, {}, temp, source="crm", **options)
    text = str(caught.value)
    assert "\n" not in text
    assert "testing-secret" not in text
    assert text.startswith("sources.crm: ")
    assert not list(temp.iterdir())
    return caught.value


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (refusal(404, "NoSuchBucket"), ["there is no bucket 'crm' at 127.0.0.1:", "AWS_ENDPOINT_URL"]),
        (
            refusal(403, "AccessDenied"),
            ["access is denied", "s3:ListBucket on arn:aws:s3:::crm", "requester_pays"],
        ),
        (refusal(403, "InvalidAccessKeyId"), ["does not know the access key", "AWS_PROFILE"]),
        (refusal(403, "SignatureDoesNotMatch"), ["secret does not fit"]),
        (refusal(400, "ExpiredToken"), ["credentials have expired", "AWS_SESSION_TOKEN"]),
        (
            refusal(403, "RequestTimeTooSkewed", inside="<ServerTime>2026-11-22T15:00:00Z</ServerTime>"),
            ["clock of this machine", "(there it is 2026-11-22T15:00:00Z)", "NTP"],
        ),
        (refusal(503, "SlowDown"), ["too busy", "Run again later"]),
        (refusal(400, "SomethingNew"), ["answered SomethingNew"]),
    ],
)
def test_a_bucket_that_cannot_be_listed(s3: Store, tmp_path: Path, answer: Answer, says: list[str]) -> None:
    s3.put("a.csv", ROW)
    s3.fault = always(answer, objects=False)
    error = refused(tmp_path)
    assert isinstance(error, SourceUnavailable)
    for part in says:
        assert part in str(error)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (refusal(403, "AccessDenied"), ["s3:GetObject on arn:aws:s3:::crm/a.csv"]),
        (
            refusal(403, "AccessDenied", "User is not authorized to perform: kms:Decrypt on resource: key"),
            ["encrypted with a KMS key", "kms:Decrypt"],
        ),
        (
            refusal(403, "InvalidObjectState", inside="<StorageClass>GLACIER</StorageClass>"),
            ["is archived (GLACIER)", "s3:RestoreObject"],
        ),
        (
            refusal(400, "InvalidRequest", "The object was stored using a form of Server Side Encryption."),
            ["SSE-C", "sse_customer_key"],
        ),
        (refusal(404, "NoSuchKey"), ["was listed and is gone now", "Run again"]),
    ],
)
def test_an_object_that_cannot_be_had(s3: Store, tmp_path: Path, answer: Answer, says: list[str]) -> None:
    s3.put("a.csv", ROW)
    s3.fault = always(answer, objects=True)
    error = refused(tmp_path)
    for part in ["s3://crm/a.csv", *says]:
        assert part in str(error)


def test_a_bucket_in_another_region(s3: Store, tmp_path: Path) -> None:
    said = {"x-amz-bucket-region": "eu-central-1"}
    s3.fault = always(Answer(301, refusal(301, "PermanentRedirect").body, said), objects=False)
    assert "lies in region eu-central-1" in str(error := refused(tmp_path))
    assert "AWS_DEFAULT_REGION=eu-central-1" in str(error)


def test_a_bucket_that_is_really_not_there(s3: Store, tmp_path: Path) -> None:
    assert "there is no bucket 'erp'" in str(refused(tmp_path, "s3://erp/*.csv"))


def test_no_credentials(s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no credentials were found. They are looked for in AWS_ACCESS_KEY_ID" in str(refused(tmp_path))


def test_a_profile_that_is_not_there(s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "the profile that AWS_PROFILE names" in str(refused(tmp_path))


def test_a_store_that_cannot_be_reached(s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "the store at 127.0.0.1:9 cannot be reached" in str(refused(tmp_path))


def test_an_endpoint_that_is_no_address(s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "not a url")
    assert "AWS_ENDPOINT_URL is a whole URL" in str(refused(tmp_path))


@pytest.mark.parametrize("fault", [cut_off, damaged])
def test_what_never_comes_whole_is_not_read(s3: Store, tmp_path: Path, fault: Callable[[int], Any]) -> None:
    s3.put("a.csv", ROW * 1000)
    s3.fault = fault(99)
    error = refused(tmp_path)
    assert isinstance(error, SourceUnavailable)
    assert "broke off or came damaged each of the 4 times" in str(error)
    assert "None of its rows was taken" in str(error)


def test_an_object_that_never_stands_still(s3: Store, tmp_path: Path) -> None:
    s3.put("a.csv", ROW)
    written = [0]

    def fault(method: str, path: str, ask: Callable[..., Answer]) -> Answer | None:
        if "list-type" not in path:
            written[0] += 1
            s3.put("a.csv", ROW + f"2,2022-01-05,c1,{written[0]}\n")
        return None

    s3.fault = fault
    assert "changed each of the 4 times it was fetched" in str(refused(tmp_path))
    assert written == [4]


def test_an_object_that_is_gone_when_it_has_changed(s3: Store, tmp_path: Path) -> None:
    s3.put("a.csv", ROW)

    def fault(method: str, path: str, ask: Callable[..., Answer]) -> Answer | None:
        if "list-type" in path:
            return None
        s3.delete("a.csv")
        return refusal(412, "PreconditionFailed")

    s3.fault = fault
    assert "was listed and is gone now" in str(refused(tmp_path))


def test_an_empty_object(s3: Store, tmp_path: Path) -> None:
    s3.put("a.parquet", "")
    assert "s3://crm/a.parquet is empty (0 bytes)" in str(refused(tmp_path, "s3://crm/*.parquet"))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("s3://crm/in/salse.csv", "did you mean 'in/sales.csv'?"),
        ("s3://crm/in/*.parquet", "2 objects begin so: in/sales.csv, in/sales2.csv"),
        ("s3://crm/nowhere/*.csv", "the bucket has no key that begins so"),
    ],
)
def test_nothing_fits(s3: Store, tmp_path: Path, path: str, says: str) -> None:
    s3.put("in/sales.csv", ROW)
    s3.put("in/sales2.csv", ROW)
    error = refused(tmp_path, path)
    assert isinstance(error, InputError)
    assert path in str(error)
    assert says in str(error)


@pytest.mark.parametrize("path", ["gs://crm/a.csv", "https://crm.example.com/a.csv", "abfss://crm/a.csv"])
def test_other_stores(path: str) -> None:
    with pytest.raises(SettingsError, match=r"write s3://bucket/key"):
        is_object_path(path)


def test_a_command_on_one_file_reads_no_bucket(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"s3://crm/a\.csv lies in object storage, which only a project reads"
    ):
        find_files("s3://crm/a.csv", tmp_path, None)


def test_files_are_no_objects() -> None:
    assert not is_object_path("in/*.csv")
    assert not is_object_path("C://x.csv")


@pytest.mark.parametrize("path", ["s3://*/a.csv", "s3:///a.csv", "s3://"])
def test_a_path_without_a_bucket(tmp_path: Path, path: str) -> None:
    with pytest.raises(SettingsError, match="does not name one bucket"):
        find_objects(path, {}, tmp_path)


@pytest.mark.parametrize("value", [None, "not base64!", base64.b64encode(b"short").decode()])
def test_a_key_of_an_owner_that_is_none(
    s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("CRM_KEY", value)
    error = refused(tmp_path, access=Access(sse_customer_key="${CRM_KEY}"))
    assert "CRM_KEY is not set to a key of 32 bytes" in str(error)
    assert value is None or value not in str(error)


def test_a_key_of_an_owner_does_not_stand_in_the_file(s3: Store, tmp_path: Path) -> None:
    key = base64.b64encode(b"k" * 32).decode()
    error = refused(tmp_path, access=Access(sse_customer_key=key))
    assert "names an environment variable" in str(error)
    assert key not in str(error)
