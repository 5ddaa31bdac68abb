"""Objects of a bucket: which are meant, which are fetched, and that what is fetched is one whole state of each."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import SourceUnavailable
from evervalue.sources import objects
from evervalue.sources.files import FoundFile
from evervalue.sources.objects import Found, Known, find_objects, object_means
from evervalue.sources.objects_store import Access, Bucket
from tests.support.s3 import Answer, Store, always, cut_off, damaged, refusal

HEADER = "order,date,customer,amount\n"
ROW = HEADER + "1,2022-01-05,c1,5\n"


def found(s3: Store, temp: Path, path: str, known: list[FoundFile] | None = None, **options: Any) -> Found:
    before = {}
    for file in known or []:
        assert file.etag is not None
        assert file.modified_at is not None
        format = file.format + (f".{file.compression}" if file.compression else "")
        before[file.shown] = Known(file.etag, file.bytes, file.modified_at, file.sha256, format)
    return find_objects(path, before, temp, source="crm", **options)


def shown(result: Found) -> list[str]:
    return [file.shown.removeprefix("s3://crm/") for file in result.files]


def test_a_pattern_means_keys_part_by_part(s3: Store, tmp_path: Path) -> None:
    for key in (
        "in/a.csv",
        "in/b.tsv",
        "in/old/a.csv",
        "in/2024/05/c.csv",
        "inx.csv",
        "other/a.csv",
        "in/näm e+.csv",
    ):
        s3.put(key, ROW)
    assert shown(found(s3, tmp_path, "s3://crm/in/*.csv")) == ["in/a.csv", "in/näm e+.csv"]
    assert shown(found(s3, tmp_path, "s3://crm/in*")) == ["inx.csv"]
    deep = ["in/2024/05/c.csv", "in/a.csv", "in/näm e+.csv", "in/old/a.csv"]
    assert shown(found(s3, tmp_path, "s3://crm/in/**/*.csv")) == deep
    assert shown(found(s3, tmp_path, "s3://crm/*/a.csv")) == ["in/a.csv", "other/a.csv"]
    assert shown(found(s3, tmp_path, "s3://crm/in/[ab].*")) == ["in/a.csv", "in/b.tsv"]
    assert shown(found(s3, tmp_path, "s3://crm/in/a.csv")) == ["in/a.csv"]


def test_a_key_that_ends_as_a_folder_means_the_data_files_in_it(s3: Store, tmp_path: Path) -> None:
    for key in ("in/a.csv", "in/b.parquet.crc", "in/readme.txt", "in/deeper/c.csv", "in2/d.csv"):
        s3.put(key, ROW)
    assert shown(found(s3, tmp_path, "s3://crm/in")) == ["in/a.csv"]
    assert shown(found(s3, tmp_path, "s3://crm/in/")) == ["in/a.csv"]
    s3.put("top.csv", ROW)
    assert shown(found(s3, tmp_path, "s3://crm")) == ["top.csv"]


def test_a_key_with_the_signs_of_a_pattern_is_itself_first(s3: Store, tmp_path: Path) -> None:
    s3.put("in/a[1].csv", ROW)
    s3.put("in/a1.csv", ROW + "2,2022-01-05,c1,5\n")
    assert shown(found(s3, tmp_path, "s3://crm/in/a[1].csv")) == ["in/a[1].csv"]


def test_markers_and_logs_are_passed_over(s3: Store, tmp_path: Path) -> None:
    for key in ("in/", "in/_SUCCESS", "in/.part.csv.crc", "in/_delta_log/0.json"):
        s3.put(key, "")
    s3.put("in/_temporary/a.csv", ROW)
    s3.put("in/a.csv", ROW)
    assert shown(found(s3, tmp_path, "s3://crm/in/**")) == ["in/a.csv"]
    assert shown(found(s3, tmp_path, "s3://crm/in/*")) == ["in/a.csv"]
    assert shown(found(s3, tmp_path, "s3://crm/in/_temporary/*.csv")) == ["in/_temporary/a.csv"]


@pytest.mark.parametrize(
    ("pattern", "url", "means"),
    [
        ("s3://crm/in/*.csv", "s3://crm/in/a.csv", True),
        ("s3://crm/in/*.csv", "s3://crm/in/old/a.csv", False),
        ("s3://crm/in/*.csv", "s3://other/in/a.csv", False),
        ("s3://crm/in", "s3://crm/in/a.csv", True),
        ("s3://crm/in/a.csv", "s3://crm/in/a.csv", True),
        ("s3://crm/in/*.csv", "in/a.csv", False),
        ("in/*.csv", "s3://crm/in/a.csv", False),
    ],
)
def test_what_a_path_means_can_be_told_without_asking(pattern: str, url: str, means: bool) -> None:
    assert object_means(pattern, url) is means


def test_a_long_listing_is_read_page_by_page(s3: Store, tmp_path: Path) -> None:
    for place in range(7):
        s3.put(f"in/{place}.csv", ROW)

    def in_small_pages(method: str, path: str, ask: Callable[..., Answer]) -> Answer | None:
        return ask(path + "&max-keys=3") if "list-type" in path else None

    s3.fault = in_small_pages
    bucket = Bucket("crm", Access(), "")
    names = [entry.key for entry in bucket.entries("in/")]
    assert names == [f"in/{place}.csv" for place in range(7)]
    assert len(s3.asked) == 3


def test_what_has_not_changed_is_not_asked_for(s3: Store, tmp_path: Path) -> None:
    s3.put("a.csv", ROW)
    s3.put("b.csv", ROW + "2,2022-01-05,c1,7\n")
    (tmp_path / "1").mkdir()
    first = found(s3, tmp_path / "1", "s3://crm/*.csv")
    assert s3.fetched() == ["a.csv", "b.csv"]
    assert [f.sha256 for f in first.files] == [
        hashlib.sha256(f.path.read_bytes()).hexdigest() for f in first.files
    ]
    s3.put("b.csv", ROW + "2,2022-01-05,c1,8\n")
    (tmp_path / "2").mkdir()
    second = found(s3, tmp_path / "2", "s3://crm/*.csv", first.files)
    assert s3.fetched() == ["b.csv"]
    assert second.files[0] == replace(first.files[0], path=second.files[0].path)
    assert second.files[1].sha256 != first.files[1].sha256
    assert not second.files[0].path.exists()
    assert second.files[0].here().path.read_text() == ROW
    assert s3.fetched() == ["a.csv"]


def test_a_look_fetches_what_it_reads_alone(s3: Store, tmp_path: Path) -> None:
    for key in ("a.csv", "b.csv", "c"):
        s3.put(key, ROW)
    files = found(s3, tmp_path, "s3://crm/*", lazily=True).files
    assert s3.fetched() == ["c"]  # nothing but its content tells its format
    assert len({file.file_id for file in files}) == 3
    assert files[0].here().path.read_text() == ROW
    assert s3.fetched() == ["a.csv"]


def test_counting_asks_for_both_rights(s3: Store) -> None:
    s3.put("in/a.csv", ROW)
    s3.put("in/b.csv", ROW)
    assert objects.count_objects("s3://crm/in/*.csv") == 2
    assert s3.fetched() == ["in/a.csv"]
    s3.fault = always(refusal(403, "AccessDenied"), objects=True)
    with pytest.raises(SourceUnavailable, match=r"s3:GetObject on arn:aws:s3:::crm/in/a\.csv"):
        objects.count_objects("s3://crm/in/*.csv")


def test_a_rewrite_of_the_same_bytes_keeps_the_name_of_the_content(s3: Store, tmp_path: Path) -> None:
    s3.put("a.csv", ROW)
    s3.put("copy.csv", ROW)
    first = found(s3, tmp_path, "s3://crm/*.csv").files
    assert first[0].file_id == first[1].file_id
    older = replace(first[0], modified_at=dt.datetime(2020, 1, 1))
    s3.fetched()
    again = found(s3, tmp_path, "s3://crm/a.csv", [older]).files
    assert s3.fetched() == ["a.csv"]  # an ETag alone is not proof enough
    assert again[0].file_id == first[0].file_id


def test_formats_are_told_by_name_or_by_content(s3: Store, tmp_path: Path) -> None:
    import gzip

    s3.put("a.csv.gz", gzip.compress(ROW.encode()))
    s3.put("b.parquet", b"PAR1....PAR1")
    s3.put("c", gzip.compress(ROW.encode()))
    s3.put("d.JSONL", "{}\n")
    result = found(s3, tmp_path, "s3://crm/*")
    assert [(f.format, f.compression) for f in result.files] == [
        ("csv", "gzip"), ("parquet", None), ("csv", "gzip"), ("jsonl", None),
    ]  # fmt: skip
    assert result.files[0].path.name.endswith(".csv.gz")
    again = found(s3, tmp_path, "s3://crm/*", result.files)
    assert [(f.format, f.compression) for f in again.files] == [
        (f.format, f.compression) for f in result.files
    ]


def test_a_transfer_that_breaks_off_is_made_again(s3: Store, tmp_path: Path) -> None:
    s3.put("a.csv", ROW * 1000)
    s3.fault = cut_off(2)
    file = found(s3, tmp_path, "s3://crm/a.csv").files[0]
    assert file.path.read_text() == ROW * 1000
    assert s3.fetched() == ["a.csv"] * 3


def test_a_transfer_that_is_damaged_is_made_again(s3: Store, tmp_path: Path) -> None:
    s3.put("a.csv", ROW)
    s3.fault = damaged(1)
    file = found(s3, tmp_path, "s3://crm/a.csv").files[0]
    assert file.path.read_text() == ROW
    assert s3.fetched() == ["a.csv"] * 2


def test_an_object_that_changes_is_read_in_its_new_state(s3: Store, tmp_path: Path) -> None:
    s3.put("a.csv", ROW)
    newer = ROW + "2,2022-02-01,c2,6\n"
    turned: list[str] = []

    def fault(method: str, path: str, ask: Callable[..., Answer]) -> Answer | None:
        if "list-type" not in path and not turned:
            turned.append(path)
            s3.put("a.csv", newer)
        return None

    s3.fault = fault
    file = found(s3, tmp_path, "s3://crm/a.csv").files[0]
    assert (file.path.read_text(), file.bytes) == (newer, len(newer))
    assert file.sha256 == hashlib.sha256(newer.encode()).hexdigest()


def test_more_than_fits_is_fetched_again_when_it_is_read(
    s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "KEPT_BYTES", len(ROW) + 10)
    s3.put("a.csv", ROW)
    s3.put("b.csv", ROW.replace("c1", "c2"))
    first, second = found(s3, tmp_path, "s3://crm/*.csv").files
    assert (first.path.exists(), second.path.exists()) == (True, False)
    assert second.here().path.read_text() == ROW.replace("c1", "c2")


def test_a_folder_waits_for_its_marker(s3: Store, tmp_path: Path) -> None:
    for key in ("in/d1/a.csv", "in/d1/_SUCCESS", "in/d2/a.csv", "in/d2/b.csv"):
        s3.put(key, "" if key.endswith("_SUCCESS") else ROW)
    result = found(s3, tmp_path, "s3://crm/in/*/*.csv", complete_when="_SUCCESS")
    assert shown(result) == ["in/d1/a.csv"]
    assert result.notes == ["sources.crm: 2 files wait until _SUCCESS is there in in/d2/."]
    result = found(s3, tmp_path, "s3://crm/in/d1/a*.csv", complete_when="_SUCCESS")
    assert shown(result) == ["in/d1/a.csv"]
    result = found(s3, tmp_path, "s3://crm/in/d2/a*.csv", complete_when="*.manifest")
    assert (shown(result), len(result.notes)) == ([], 1)


def test_a_young_object_waits(s3: Store, tmp_path: Path) -> None:
    s3.put("a.csv", ROW)
    now = found(s3, tmp_path, "s3://crm/a.csv").files[0].modified_at
    assert now is not None
    wait: dict[str, Any] = {"settle": dt.timedelta(seconds=10)}
    result = found(s3, tmp_path, "s3://crm/a.csv", now=now + dt.timedelta(seconds=9), **wait)
    assert result.files == []
    assert result.notes == [
        "sources.crm: 1 file changed within the last 10 seconds and is not read yet: a.csv.",
    ]
    assert shown(found(s3, tmp_path, "s3://crm/a.csv", now=now + dt.timedelta(seconds=10), **wait)) == [
        "a.csv"
    ]


def test_the_requester_pays_and_owners_keep_keys(
    s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import base64

    s3.put("a.csv", ROW)
    seen: list[dict[str, Any]] = []
    monkeypatch.setenv("CRM_KEY", base64.b64encode(b"k" * 32).decode())
    bucket = Bucket("crm", Access(requester_pays=True, sse_customer_key="${CRM_KEY}"), "")
    # A key of an owner is sent over https alone, so what would be sent is looked at, not what comes back.
    bucket._client.meta.events.register(
        "before-send.s3.*", lambda request, **_: seen.append(dict(request.headers))
    )
    entry = next(iter(bucket.entries("")))
    assert seen[0]["x-amz-request-payer"] == b"requester"
    bucket.fetch(entry, tmp_path / "a.csv")
    assert seen[1]["x-amz-request-payer"] == b"requester"
    assert seen[1]["x-amz-server-side-encryption-customer-algorithm"] == b"AES256"
    assert base64.b64decode(seen[1]["x-amz-server-side-encryption-customer-key"]) == b"k" * 32


def test_objects_that_the_store_encrypts_are_read_as_others(s3: Store, tmp_path: Path) -> None:
    s3.put("kms.csv", ROW, ServerSideEncryption="aws:kms", SSEKMSKeyId="arn:aws:kms:us-east-1:1:key/k")
    s3.put("s3.csv", ROW.replace("c1", "c3"), ServerSideEncryption="AES256")
    result = found(s3, tmp_path, "s3://crm/*.csv")
    assert [f.path.read_text() for f in result.files] == [ROW, ROW.replace("c1", "c3")]
