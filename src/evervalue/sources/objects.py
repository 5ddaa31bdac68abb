"""Which objects of a bucket a path such as s3://bucket/crm/*.csv means, and which of them are new or changed."""

from __future__ import annotations

import datetime as dt
import fnmatch
import glob
import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from evervalue.core.errors import InputError, SettingsError
from evervalue.core.text import count, did_you_mean, listing
from evervalue.sources.files import FORMATS, FoundFile, NothingThere, file_format, is_data_name
from evervalue.sources.objects_store import Access, Bucket, Entry
from evervalue.sources.settled import complete_folders, young

SCHEME = "s3://"
KEPT_BYTES = 4 << 30
"""Fetched objects that are kept until they are read; what goes beyond is fetched a second time when it is read."""


@dataclass(frozen=True)
class Known:
    """What raw.files says of an object that was looked at before."""

    etag: str
    bytes: int
    modified_at: dt.datetime
    sha256: str
    format: str
    """As in raw.files: 'csv', 'csv.gzip'."""


@dataclass
class Found:
    """The objects that a path means now."""

    files: list[FoundFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is there and not read yet, and why."""


def is_object_path(path: str) -> bool:
    """Whether a path names objects in a bucket rather than files.

    Raises
    ------
    SettingsError
        It names a place that is not read.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", path)
    if scheme is None:
        return False
    if scheme[1] != "s3":
        raise SettingsError(
            f"{path} begins with {scheme[0]}, which is not read. Object stores are read through the S3 protocol: write "
            "s3://bucket/key, and name the store with AWS_ENDPOINT_URL where it is not Amazon's."
        )
    return True


def parted(path: str) -> tuple[str, str]:
    """Bucket and key pattern of a path.

    Raises
    ------
    SettingsError
        There is no name of a bucket in it, or the name is a pattern.
    """
    bucket, _, key = path.removeprefix(SCHEME).partition("/")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{2,254}|arn:[\w:./-]+", bucket):
        raise SettingsError(
            f"{path} does not name one bucket ('{bucket}'). Write s3://bucket/folder/*.csv; only what follows the "
            "bucket may be a pattern."
        )
    return bucket, key


def object_means(pattern: str, shown: str) -> bool:
    """Whether `pattern` means the object that is shown so, were it there."""
    if not (pattern.startswith(SCHEME) and shown.startswith(SCHEME)):
        return False
    bucket, key = parted(pattern)
    other, found = parted(shown)
    return bucket == other and (found == key or _means(key, found))


def find_objects(
    pattern: str,
    known: Mapping[str, Known],
    temp: Path,
    *,
    source: str | None = None,
    access: Access | None = None,
    complete_when: str | None = None,
    settle: dt.timedelta | None = None,
    now: dt.datetime | None = None,
    full_refresh: bool = False,
    lazily: bool = False,
    told: Callable[[str], None] = lambda says: None,
) -> Found:
    """The objects that `pattern` means, ordered by URL. New and changed ones are fetched, one after the other.

    An object is taken as unchanged where size, ETag and instant of its last change are those in `known`; it is not
    asked for, until it is to be read all the same.

    Parameters
    ----------
    known
        By URL, what the last load noted.
    temp
        Folder for fetched objects; the caller empties it.
    complete_when, settle, now
        See `settled`: objects of a folder without its marker, and those younger than that, are not read yet.
    lazily
        Fetch none before it is read, for a look at the first ones; the hash of each is then that of its name and state.
    told
        Hears of each object that is fetched.

    Raises
    ------
    SourceUnavailable
        The store cannot be reached or does not let us in; the message has the mend.
    InputError
        Nothing is there, or an object is empty or of no known format.
    """
    name, key = parted(pattern)
    begin, bucket, listed, entries = _listed(pattern, source, access)
    found = Found()
    if complete_when is not None:
        keys = list(_all_keys(bucket, key, listed))
        entries, waiting = complete_folders(entries, keys, complete_when, lambda e: e.key)
        found.notes += [f"{begin}{says}" for says in waiting]
    if settle is not None and now is not None:
        entries, waiting = young(entries, settle, now, lambda e: (e.key, e.modified_at))
        found.notes += [f"{begin}{says}" for says in waiting]
    kept = 0
    for entry in sorted(entries, key=lambda e: e.key):
        url = f"{SCHEME}{name}/{entry.key}"
        if entry.bytes == 0:
            raise InputError(
                f"{begin}{url} is empty (0 bytes). Write it again, or take it out of the path; markers whose names "
                "begin with _ are passed over."
            )
        before = known.get(url)
        if before is not None and not full_refresh and _same(before, entry):
            found.files.append(_unread(bucket, entry, url, before, _place(temp, url, begin, entry.etag)))
            continue
        path = _place(temp, url, begin, entry.etag)
        if lazily and any(ending in FORMATS for ending in path.suffixes):
            stand_in = hashlib.sha256(repr((url, entry.etag)).encode()).hexdigest()
            format, compression = file_format(path, url)
            found.files.append(
                FoundFile(
                    path, url, format, compression, entry.bytes, stand_in, fetch=_once(bucket, entry, path)
                )
            )
            continue
        told(f"Fetching {url} ({entry.bytes:,} bytes)")
        entry, sha256 = bucket.fetch(entry, path)
        format, compression = file_format(path, url)
        kept += entry.bytes
        if kept > KEPT_BYTES:
            path.unlink()
        found.files.append(
            FoundFile(
                path, url, format, compression, entry.bytes, sha256,
                etag=entry.etag, modified_at=entry.modified_at, fetch=_again(bucket, entry, path, sha256),
            )
        )  # fmt: skip
    return found


def count_objects(pattern: str, source: str | None = None, access: Access | None = None) -> int:
    """How many objects `pattern` means, after one of them was asked for, so that both rights are tried.

    Raises
    ------
    SourceUnavailable, InputError
        As `find_objects`.
    """
    _, bucket, _, entries = _listed(pattern, source, access)
    bucket.try_one(entries[0])
    return len(entries)


def _listed(
    pattern: str, source: str | None, access: Access | None
) -> tuple[str, Bucket, list[Entry], list[Entry]]:
    """How messages begin, the bucket, all that is listed of it, and the objects that are meant."""
    name, key = parted(pattern)
    begin = "" if source is None else f"sources.{source}: "
    bucket = Bucket(name, access or Access(), begin)
    listed = list(bucket.entries(*_prefix(key)))
    entries = _chosen(key, listed)
    if not entries:
        raise NothingThere(f"{begin}{pattern} means no object{_near(key, bucket, listed)}.")
    return begin, bucket, listed, entries


def _unread(bucket: Bucket, entry: Entry, url: str, before: Known, path: Path) -> FoundFile:
    format, _, compression = before.format.partition(".")
    return FoundFile(
        path, url, format, compression or None, entry.bytes, before.sha256,
        etag=entry.etag, modified_at=entry.modified_at, fetch=_again(bucket, entry, path, before.sha256),
    )  # fmt: skip


def _once(bucket: Bucket, entry: Entry, path: Path) -> Callable[[], None]:
    def fetch() -> None:
        bucket.fetch(entry, path)

    return fetch


def _again(bucket: Bucket, entry: Entry, path: Path, sha256: str) -> Callable[[], None]:
    def fetch() -> None:
        _, found = bucket.fetch(entry, path)
        if found != sha256:
            path.unlink()
            raise InputError(
                f"{bucket.source}{SCHEME}{bucket.name}/{entry.key} changed while it was read. Run again; nothing was "
                "changed."
            )

    return fetch


def _same(before: Known, entry: Entry) -> bool:
    # The instant too: an ETag is no hash of the content where a store encrypts or makes its own.
    return (before.etag, before.bytes, before.modified_at) == (entry.etag, entry.bytes, entry.modified_at)


def _place(temp: Path, url: str, source: str, etag: str) -> Path:
    """Where a fetched state of an object lies for a source: under a name of our own, with the endings of its format."""
    suffixes = [s.lower() for s in PurePosixPath(url).suffixes[-2:]]
    endings = "".join(s for s in suffixes if s in FORMATS or s in (".gz", ".zst", ".xls"))
    return temp / f"object-{hashlib.sha256(repr((source, url, etag)).encode()).hexdigest()[:24]}{endings}"


def _prefix(key: str) -> tuple[str, str]:
    """What to ask the listing for: the fixed beginning of the keys, and a delimiter where no deeper folder is meant."""
    magic = re.search(r"[*?[]", key)
    fixed, rest = (key[: magic.start()], key[magic.start() :]) if magic else (key.rstrip("/"), "")
    if not magic:
        return fixed, ""
    return fixed, "" if "/" in rest or "**" in rest else "/"


def _chosen(key: str, listed: Iterable[Entry]) -> list[Entry]:
    """The entries that the key means: itself, else what lies in it as in a folder, else what it fits as a pattern."""
    listed = [e for e in listed if not e.key.endswith("/")]
    exact = [e for e in listed if e.key == key]
    return exact or [e for e in listed if _means(key, e.key)]


def _means(key: str, found: str) -> bool:
    if not glob.has_magic(key):
        folder, _, name = found.rpartition("/")
        return folder == key.rstrip("/") and _shows(name, "") and is_data_name(name)
    return _fits(found.split("/"), key.split("/"))


def _fits(found: list[str], parts: list[str]) -> bool:
    """Whether the parts of a key fit those of a pattern, where `**` is any number of folders."""
    if not parts or not found:
        return not parts and not found
    first, *rest = parts
    if first == "**":
        if not rest:
            return all(_shows(part, "") for part in found)
        return _fits(found, rest) or (_shows(found[0], "") and _fits(found[1:], parts))
    fits = found[0] == first or (_shows(found[0], first) and fnmatch.fnmatchcase(found[0], first))
    return fits and _fits(found[1:], rest)


def _shows(name: str, pattern: str) -> bool:
    """Whether a pattern may mean a name: those that begin with _ or . are markers and logs of whoever writes there."""
    return not name.startswith(("_", ".")) or name[:1] == pattern[:1]


def _all_keys(bucket: Bucket, key: str, listed: list[Entry]) -> Iterable[str]:
    """Every key of the folders that are read: markers need not begin as the pattern does."""
    prefix, delimiter = _prefix(key)
    folder = prefix.rpartition("/")[0]
    if folder + "/" == prefix or prefix == "":
        return (e.key for e in listed)
    return (e.key for e in bucket.entries(f"{folder}/" if folder else "", delimiter))


def _near(key: str, bucket: Bucket, listed: list[Entry]) -> str:
    """What lies there instead, for the message that nothing fits."""
    if listed:
        return f"; {count(len(listed), 'object begins', 'objects begin')} so: {listing((e.key for e in listed), 3)}"
    folder = _prefix(key)[0].rpartition("/")[0]
    beside = [e.key for e in itertools.islice(bucket.entries(f"{folder}/" if folder else "", "/"), 1000)]
    return did_you_mean(key, beside) or "; the bucket has no key that begins so"
