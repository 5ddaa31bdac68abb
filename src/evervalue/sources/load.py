"""Brings the raw and mapped zones of the warehouse up to date with the sources: one transaction, all or nothing."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from evervalue.core.errors import InputError
from evervalue.core.progress import Progress
from evervalue.core.text import count, listing
from evervalue.sources import apply, mend, raw_zone
from evervalue.sources.files import FoundFile, find_files, left_aside, located, path_means, shown_path
from evervalue.sources.mapping import plan
from evervalue.sources.plan import check_columns
from evervalue.sources.raw_zone import FileRow
from evervalue.sources.read import read_file
from evervalue.sources.report import LoadReport, SourceReport
from evervalue.sources.settings import FilesSource
from evervalue.warehouse.duckdb import Connection

MAPPING_VERSION = 2
"""Raised whenever the same raw rows would be mapped otherwise, so that every source is mapped anew."""

READER_SETTINGS = {"encoding", "delimiter", "quote", "sheet"}
"""Settings that change what is read; the others change what is made of it."""


def load(
    con: Connection,
    sources: Mapping[str, FilesSource],
    *,
    base: Path,
    project_currency: str,
    time_zone: str,
    run_id: str,
    progress: Progress,
    full_refresh: bool = False,
    temp_directory: Path | None = None,
    own_transaction: bool = True,
) -> LoadReport:
    """Load what is new or changed in `sources`; returns what became of each.

    A file whose content was read before is not read again. A file whose content changed replaces its rows; a copy of
    a loaded file is reported and not counted, and takes its place when the loaded file is gone. Rows of a file that
    is gone stay; rows of a file that the setting `path` does not mean any more go. Mapped rows of a source are
    computed anew when its files or its settings changed.

    Parameters
    ----------
    own_transaction
        Begin and commit here. With False the caller has begun a transaction, and rolls it back on any exception.
    temp_directory
        Where unpacked or recoded copies lie while they are read.

    Raises
    ------
    EvervalueError
        Something cannot be taken; nothing was changed (with False: nothing will be, once the caller rolls back).
    """
    with raw_zone.transaction(con) if own_transaction else nullcontext():
        raw_zone.ensure(con)
        report = LoadReport()
        with tempfile.TemporaryDirectory(prefix="evervalue-", dir=temp_directory) as temp:
            for name, settings in sources.items():
                report.sources[name] = _Source(
                    con,
                    name,
                    settings,
                    base,
                    project_currency,
                    time_zone,
                    run_id,
                    progress,
                    full_refresh,
                    Path(temp),
                ).bring_up_to_date()
        report.dropped = _drop_others(con, sources)
        for name, warning in _shared_content(con, sources):
            report.sources[name].warnings = [*report.sources[name].warnings, warning]
            progress.warn(warning)
    return report


class _Source:
    """One source on its way into the warehouse."""

    def __init__(
        self, con: Connection, name: str, settings: FilesSource, base: Path, currency: str, time_zone: str, run_id: str,
        progress: Progress, full_refresh: bool, temp: Path,
    ) -> None:  # fmt: skip
        self.con = con
        self.name = name
        self.settings = settings
        self.base = base
        self.currency = currency
        self.time_zone = time_zone
        self.run_id = run_id
        self.progress = progress
        self.full_refresh = full_refresh
        self.temp = temp
        self.reader = _hashed(settings.model_dump(include=READER_SETTINGS, mode="json"))
        self.report = SourceReport(name, settings.provides)
        self.said: list[str] = []
        """Warnings of this run, which the source's mapping does not bring."""

    def bring_up_to_date(self) -> SourceReport:
        """Read what changed, map what must be mapped anew, and report."""
        self.progress.step(f"Reading {self.name}", detail=self.settings.path)
        changed = self._read()
        mapping = _hashed({
            "settings": self.settings.model_dump(exclude=READER_SETTINGS | {"path"}, mode="json"),
            "currency": self.currency, "time_zone": self.time_zone, "version": MAPPING_VERSION,
        })  # fmt: skip
        known = raw_zone.run(
            self.con, "select settings_hash, report from raw.mappings where source = ?", [self.name]
        ).fetchone()
        if changed or self.full_refresh or known is None or known[0] != mapping:
            self.progress.step(f"Mapping {self.name}", detail=self.settings.provides)
            self._map(mapping)
        else:
            kept = json.loads(known[1])
            self.report.notes, self.report.warnings = kept["notes"], kept["warnings"]
        self._count()
        self.report.warnings = [*self.report.warnings, *self.said]
        for warning in self.report.warnings:
            self.progress.warn(warning)
        return self.report

    def _read(self) -> bool:
        """Bring the raw table in step with the files; returns whether any row came or went."""
        raw_zone.come_back(self.con, self.name)
        before = {row.path: row for row in raw_zone.files_of(self.con, self.name) if row.status != "replaced"}
        found = self._find(set(before))
        changed = self._rename(before, found)
        loaded = {row.sha256: row.path for row in before.values() if row.status == "loaded"}
        here = {file.shown for file in found}
        for path, old in before.items():
            if path in here:
                continue
            if path_means(self.settings.path, self.base, path):
                if old.status == "loaded":
                    self.report.files_kept.append(path)
                continue
            if old.status == "loaded":
                raw_zone.forget(self.con, self.name, old.file_id)
                loaded.pop(old.sha256, None)
                self.report.files_left_out.append(path)
                changed = True
            raw_zone.run(
                self.con,
                "delete from raw.files where source = ? and path = ? and sha256 = ?",
                [self.name, path, old.sha256],
            )
        fresh: list[FoundFile] = []
        for file in found:
            row = before.get(file.shown)
            if row is None:
                fresh.append(file)
            elif row.status == "loaded" and self._is_current(row, file):
                if file.shown not in self.report.files_renamed:
                    self.report.files_unchanged.append(file.shown)
            else:
                if row.status == "loaded":
                    raw_zone.forget(self.con, self.name, row.file_id)
                    loaded.pop(row.sha256, None)
                    changed = True
                self._retire(row, file)
                fresh.append(file)
        for file in fresh:
            row = before.get(file.shown)
            if file.sha256 in loaded:
                self._note_copy(file, loaded[file.sha256])
                continue
            self._take(file, row)
            loaded[file.sha256] = file.shown
            changed = True
            replaced = row is not None and row.status == "loaded"
            (self.report.files_replaced if replaced else self.report.files_new).append(file.shown)
        if not any(row.rows_read for row in raw_zone.files_of(self.con, self.name) if row.status == "loaded"):
            raise InputError(
                f"sources.{self.name}: {self.settings.path} has a header and no rows. Export it again."
            )
        return changed

    def _rename(self, before: dict[str, FileRow], found: list[FoundFile]) -> bool:
        """Let a file take the place of one that is gone and had the same content; returns whether any row went."""
        here = {file.shown for file in found}
        gone = {
            row.sha256: row
            for path, row in before.items()
            if row.status == "loaded" and path not in here and path_means(self.settings.path, self.base, path)
        }
        changed = False
        for file in found:
            old, row = gone.get(file.sha256), before.get(file.shown)
            if old is None:
                continue
            if row is not None:
                if row.status == "loaded":
                    raw_zone.forget(self.con, self.name, row.file_id)
                    changed = True
                self._retire(row, file)
            raw_zone.rename(self.con, self.name, old, file.shown)
            self.report.files_renamed[file.shown] = old.path
            before[file.shown] = replace(old, path=file.shown)
            del before[old.path], gone[file.sha256]
        return changed

    def _find(self, known: set[str]) -> list[FoundFile]:
        """The files on disk; none, with a warning, where the one file that was loaded before is gone."""
        path = located(self.settings.path, self.base)
        if shown_path(path, self.base) in known and not path.exists() and path.parent.is_dir():
            self.said.append(
                f"sources.{self.name}: {self.settings.path} is not there any more; its rows are "
                "kept as they were read."
            )
            return []
        found = find_files(self.settings.path, self.base, self.name)
        if aside := left_aside(self.settings.path, self.base):
            self.said.append(
                f"sources.{self.name}: {count(len(aside), 'entry', 'entries')} of the folder {self.settings.path} "
                f"{'is' if len(aside) == 1 else 'are'} not read: {listing(aside, 3)}. A folder means its files of "
                "csv, tsv, jsonl, parquet and xlsx; name others with a pattern such as *.txt."
            )
        return found

    def _is_current(self, row: FileRow, file: FoundFile) -> bool:
        return row.sha256 == file.sha256 and row.reader == self.reader and not self.full_refresh

    def _retire(self, row: FileRow, file: FoundFile) -> None:
        """The line of raw.files that a file's new content takes the place of."""
        key = [self.name, row.path, row.sha256]
        if row.status == "loaded" and row.sha256 != file.sha256:
            raw_zone.run(
                self.con,
                "update raw.files set status = 'replaced' where source = ? and path = ? and sha256 = ?",
                key,
            )
        else:
            raw_zone.run(self.con, "delete from raw.files where source = ? and path = ? and sha256 = ?", key)
        raw_zone.run(
            self.con,
            "delete from raw.files where source = ? and path = ? and sha256 = ?",
            [self.name, file.shown, file.sha256],
        )

    def _note_copy(self, file: FoundFile, original: str) -> None:
        self.report.files_same_content[file.shown] = original
        self._register(file, None, None, 0, "same_content")

    def _take(self, file: FoundFile, before: FileRow | None) -> None:
        result = read_file(self.con, file, self.name, self.settings, run_id=self.run_id, temp=self.temp)
        if result.rows_read == 0 and self.settings.path.endswith(file.path.name):
            raise InputError(
                f"sources.{self.name}: {file.shown} has a header and no rows. Export it again, or take it "
                "out of the path."
            )
        check_columns(self.name, self.settings, file.shown, [name for name, _ in result.columns])
        if before is not None and before.status == "loaded" and before.file_id != file.file_id:
            held, lost = mend.carry_over(
                self.con, self.name, before.file_id, file.file_id, run_id=self.run_id
            )
            if lost:
                self.said.append(
                    f"sources.{self.name}: {count(lost, 'row')} of {held:,} that were mended in {file.shown} "
                    "cannot be found as they came in its new content, so the mending is not applied to it. "
                    "Look at `evervalue quarantine` and mend what is still refused."
                )
        mend.put_in_place(self.con, self.name, run_id=self.run_id, file_id=file.file_id)
        self._register(file, result.encoding, result.delimiter, result.rows_read, "loaded")
        self.progress.step(f"Read {file.shown}", detail=count(result.rows_read, "row"))

    def _register(
        self, file: FoundFile, encoding: str | None, delimiter: str | None, rows: int, status: str
    ) -> None:
        format = file.format + (f".{file.compression}" if file.compression else "")
        raw_zone.run(
            self.con,
            "insert into raw.files values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(self.name, file.file_id, file.shown, file.sha256, file.bytes),
                *(format, encoding, delimiter, self.reader, rows, self.run_id, status),
            ],
        )

    def _map(self, mapping: str) -> None:
        plans = plan(self.con, self.name, self.settings, currency=self.currency, time_zone=self.time_zone)
        apply.apply(self.con, plans, run_id=self.run_id)
        self.report.remapped = True
        self.report.notes, self.report.warnings = plans.notes, plans.warnings
        raw_zone.run(self.con, "delete from raw.mappings where source = ?", [self.name])
        raw_zone.run(
            self.con,
            "insert into raw.mappings values (?, ?, ?, ?)",
            [self.name, mapping, self.report.kept(), self.run_id],
        )

    def _count(self) -> None:
        totals = raw_zone.run(
            self.con,
            "select sum(rows_read), sum(rows_mapped) from mapped.source_totals where source = ?",
            [self.name],
        ).fetchone()
        self.report.rows_read, self.report.rows_mapped = (int(n or 0) for n in totals or (0, 0))
        self.report.quarantined = {
            reason: int(n)
            for reason, n in raw_zone.run(
                self.con,
                "select reason, count(*) from raw.quarantine where source = ? group by reason order by reason",
                [self.name],
            ).fetchall()
        }


def _shared_content(con: Connection, sources: Mapping[str, FilesSource]) -> list[tuple[str, str]]:
    """A warning for every source that reads a file whose content another source reads as the same thing."""
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, settings in sources.items():
        for row in raw_zone.files_of(con, name):
            if row.status != "loaded":
                continue
            other, path = seen.setdefault((settings.provides, row.sha256), (name, row.path))
            if other != name:
                pairs.setdefault((name, other), []).append((row.path, path))
    return [
        (
            name,
            f"sources.{name}: {files[0][0]} has the same content as {files[0][1]} of sources.{other}"
            + (f", and so have {len(files) - 1:,} more" if len(files) > 1 else "")
            + f"; both provide {sources[name].provides}, so its rows count twice. Take it out of one of them.",
        )
        for (name, other), files in pairs.items()
    ]


def _drop_others(con: Connection, sources: Mapping[str, FilesSource]) -> list[str]:
    held = con.execute(
        "select source from raw.mappings union select source from raw.files where status = 'loaded'"
    ).fetchall()
    gone = sorted({row[0] for row in held} - set(sources))
    for name in gone:
        apply.clear(con, name)
        raw_zone.leave(con, name)
        raw_zone.run(con, "delete from raw.mappings where source = ?", [name])
    return gone


def _hashed(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
