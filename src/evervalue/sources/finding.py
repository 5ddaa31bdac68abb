"""The files that a table is read from now: here or in object storage, and what to say of those that are not read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path

from evervalue.core.text import count, listing
from evervalue.sources import raw_zone
from evervalue.sources.feed import Context
from evervalue.sources.files import NothingThere, find_files, left_aside, located, path_means, shown_path
from evervalue.sources.objects import Found, Known, find_objects, is_object_path, object_means
from evervalue.sources.objects_store import Access
from evervalue.sources.settings import ReaderSettings
from evervalue.sources.settled import complete_folders, waiting_time, young
from evervalue.warehouse.duckdb import Connection


def find(
    settings: ReaderSettings,
    context: Context,
    feed: str,
    where: str,
    before: Iterable[str],
    *,
    known: Mapping[str, Known] | None = None,
    lazily: bool = False,
) -> Found:
    """The files of a table as they are now, and what to tell of what is not read.

    Parameters
    ----------
    before
        Paths of files that were looked at in an earlier load.
    known
        By URL, what is known of objects that were looked at; default: what raw.files says of the table's.
    lazily
        Fetch no object before it is read, for a look at the first ones.

    Raises
    ------
    InputError, SourceUnavailable
        Nothing is there and nothing was before, or it cannot be read.
    """
    before = set(before)
    try:
        if is_object_path(settings.path):
            there = _known(context.con, feed) if known is None else known
            return _objects(settings, context, feed, there, lazily)
        return _files(settings, context, feed, where, before)
    except NothingThere:
        one = (
            settings.path
            if is_object_path(settings.path)
            else shown_path(located(settings.path, context.base), context.base)
        )
        if one in before:
            says = f"{where}: {settings.path} is not there any more; its rows are kept as they were read."
            return Found(notes=[says])
        if settings.may_be_absent:
            return Found()  # the outputs tell what they leave out for it
        raise


def means(pattern: str, base: Path, shown: str) -> bool:
    """Whether a path means the file or object of that shown path, were it there."""
    return object_means(pattern, shown) if is_object_path(pattern) else path_means(pattern, base, shown)


def _files(settings: ReaderSettings, context: Context, feed: str, where: str, before: set[str]) -> Found:
    path = located(settings.path, context.base)
    if shown_path(path, context.base) in before and not path.exists() and path.parent.is_dir():
        raise NothingThere(settings.path)
    notes: list[str] = []

    def finished(paths: list[Path]) -> list[Path]:
        if settings.complete_when is not None:
            folders = {path.parent for path in paths}
            names = [entry.as_posix() for folder in folders for entry in folder.iterdir()]
            paths, waiting = complete_folders(paths, names, settings.complete_when, Path.as_posix)
            notes.extend(f"{where}: {says}" for says in waiting)
        if settings.settle is not None:
            paths, waiting = young(
                paths, waiting_time(settings.settle), context.known_at, lambda p: (p.name, _changed(p))
            )
            notes.extend(f"{where}: {says}" for says in waiting)
        return paths

    found = find_files(settings.path, context.base, feed, finished=finished)
    if aside := left_aside(settings.path, context.base):
        notes.append(
            f"{where}: {count(len(aside), 'entry', 'entries')} of the folder {settings.path} "
            f"{'is' if len(aside) == 1 else 'are'} not read: {listing(aside, 3)}. A folder means its files of "
            "csv, tsv, jsonl, parquet and xlsx; name others with a pattern such as *.txt."
        )
    return Found(found, notes)


def _changed(path: Path) -> dt.datetime:
    return dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC).replace(tzinfo=None)


def _objects(
    settings: ReaderSettings, context: Context, feed: str, known: Mapping[str, Known], lazily: bool
) -> Found:
    return find_objects(
        settings.path,
        known,
        context.temp,
        source=feed,
        access=Access(settings.requester_pays, settings.sse_customer_key),
        complete_when=settings.complete_when,
        settle=waiting_time(settings.settle) if settings.settle is not None else None,
        now=context.known_at,
        full_refresh=context.full_refresh,
        lazily=lazily,
        told=lambda says: context.progress.step(says),
    )


def _known(con: Connection, feed: str) -> dict[str, Known]:
    """The objects of a table that were looked at before, by URL."""
    rows = raw_zone.run(
        con,
        "select path, etag, bytes, modified_at, sha256, format from raw.files where source = ? and etag is not null "
        "and status in ('loaded', 'same_content')",
        [feed],
    ).fetchall()
    return {path: Known(etag, int(size), at, sha256, format) for path, etag, size, at, sha256, format in rows}
