"""Files into the raw zone: what is new is read, what changed takes the place of what it was, copies are told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from evervalue.core.errors import InputError
from evervalue.core.text import count
from evervalue.sources import mend, raw_zone
from evervalue.sources.beginning import beginning
from evervalue.sources.feed import Brought, Context
from evervalue.sources.files import FoundFile, find_files
from evervalue.sources.finding import find, means
from evervalue.sources.objects import count_objects, is_object_path
from evervalue.sources.objects_store import Access
from evervalue.sources.raw_zone import FileRow
from evervalue.sources.read import read_file
from evervalue.sources.relation import check_columns
from evervalue.sources.report import SourceReport
from evervalue.sources.settings import ReaderSettings
from evervalue.warehouse.duckdb import literal, quoted

READER_SETTINGS = {"encoding", "delimiter", "quote", "sheet"}
"""Settings that change what is read; the others change what is made of it."""


GONE = ("replaced", "left_out")
"""Status of files of which no row is live."""


class FileFeed:
    """The files of one table."""

    def __init__(self, name: str, settings: ReaderSettings, wanted: Mapping[str, str], where: str) -> None:
        self.name = name
        self.settings = settings
        self.wanted = wanted
        """Setting: column that the files must have."""
        self.where = where
        """Key of the source in the settings, for messages."""
        chosen = settings.model_dump(include=READER_SETTINGS, mode="json")
        self.reader = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()

    def bring(self, context: Context, report: SourceReport) -> Brought:
        """Read what changed.

        A file whose content was read before is not read again. A file whose content changed replaces its rows; a copy
        of a loaded file is reported and not counted, and takes its place when the loaded file is gone. Rows of a file
        that is gone stay; rows of a file that the setting `path` does not mean any more go.
        """
        self.context, self.report, self.con = context, report, context.con
        self.touched: list[str] = []
        self.said = report.said
        context.progress.step(f"Reading {self.name}", detail=self.settings.path)
        changed = self._read()
        if not self.touched:
            return Brought(changed)
        touched = f"temp.{quoted('touched~' + self.name)}"
        listed = ", ".join(f"({literal(file)}, null)" for file in sorted(set(self.touched)))
        self.con.execute(
            f"create or replace temp table {quoted('touched~' + self.name)} (file_id varchar, line bigint)"
        )
        self.con.execute(f"insert into {touched} values {listed}")
        return Brought(changed, touched)

    def settle(self) -> None:
        """Nothing was kept."""

    def check(self, base: Path) -> str:
        """How many files there are."""
        if is_object_path(self.settings.path):
            access = Access(self.settings.requester_pays, self.settings.sse_customer_key)
            return count(count_objects(self.settings.path, self.name, access), "object")
        return count(len(find_files(self.settings.path, base, self.name)), "file")

    def sample(self, context: Context, rows: int) -> bool:
        """Whether the rows read are all there are: files are taken in turn until there are `rows` rows."""
        files = find(self.settings, context, self.name, self.where, set(), lazily=True).files
        read = 0
        for place, file in enumerate(files):
            taken, whole = beginning(file.here(), self.settings, context.temp, rows + 1)
            result = read_file(
                context.con, taken, self.name, self.settings, run_id=context.run_id, temp=context.temp,
                wanted=self.wanted.values(),
            )  # fmt: skip
            check_columns(self.where, self.wanted, file.shown, [name for name, _ in result.columns])
            self.con, self.context = context.con, context
            self._register(taken, result.encoding, result.delimiter, result.rows_read, "loaded")
            read += result.rows_read
            if not whole or (read >= rows and place + 1 < len(files)):
                return False
        return True

    def _forget(self, file_id: str) -> None:
        raw_zone.forget(self.con, self.name, file_id, self.context.run_id)
        self.touched.append(file_id)

    def _read(self) -> bool:
        """Bring the raw table in step with the files; returns whether any row came or went."""
        raw_zone.come_back(self.con, self.name)
        before = {row.path: row for row in raw_zone.files_of(self.con, self.name) if row.status not in GONE}
        found = self._find(set(before))
        changed = self._rename(before, found)
        loaded = {row.sha256: row.path for row in before.values() if row.status == "loaded"}
        here = {file.shown for file in found}
        for path, old in before.items():
            if path in here:
                continue
            if means(self.settings.path, self.context.base, path):
                if old.status == "loaded":
                    self.report.files_kept.append(path)
                continue
            key = [self.name, path, old.sha256]
            if old.status == "loaded":
                self._forget(old.file_id)
                loaded.pop(old.sha256, None)
                self.report.files_left_out.append(path)
                changed = True
                raw_zone.run(
                    self.con,
                    "update raw.files set status = 'left_out' where source = ? and path = ? and sha256 = ?",
                    key,
                )
            else:
                raw_zone.run(
                    self.con, "delete from raw.files where source = ? and path = ? and sha256 = ?", key
                )
        fresh: list[FoundFile] = []
        for file in found:
            row = before.get(file.shown)
            if row is None:
                fresh.append(file)
            elif row.status == "loaded" and self._is_current(row, file):
                if file.shown not in self.report.files_renamed:
                    self.report.files_unchanged.append(file.shown)
                self._note_state(file)
                file.let_go()
            else:
                if row.status == "loaded":
                    self._forget(row.file_id)
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
        held = [row for row in raw_zone.files_of(self.con, self.name) if row.status == "loaded"]
        if not found and not held:
            if self.settings.may_be_absent:
                return changed
            raise InputError(
                " ".join(self.said) or f"{self.where}: nothing of {self.settings.path} may be read yet."
            )
        if not any(row.rows_read for row in held):
            raise InputError(f"{self.where}: {self.settings.path} has a header and no rows. Export it again.")
        return changed

    def _rename(self, before: dict[str, FileRow], found: list[FoundFile]) -> bool:
        """Let a file take the place of one that is gone and had the same content; returns whether any row went."""
        here = {file.shown for file in found}
        gone = {
            row.sha256: row
            for path, row in before.items()
            if row.status == "loaded"
            and path not in here
            and means(self.settings.path, self.context.base, path)
        }
        changed = False
        for file in found:
            old, row = gone.get(file.sha256), before.get(file.shown)
            if old is None:
                continue
            if row is not None:
                if row.status == "loaded":
                    self._forget(row.file_id)
                    changed = True
                self._retire(row, file)
            raw_zone.rename(self.con, self.name, old, file.shown)
            self.report.files_renamed[file.shown] = old.path
            before[file.shown] = replace(old, path=file.shown)
            del before[old.path], gone[file.sha256]
        return changed

    def _find(self, before: set[str]) -> list[FoundFile]:
        """What is there; nothing, with a warning, where the one file that was loaded before is gone."""
        found = find(self.settings, self.context, self.name, self.where, before)
        self.said += found.notes
        return found.files

    def _is_current(self, row: FileRow, file: FoundFile) -> bool:
        return row.sha256 == file.sha256 and row.reader == self.reader and not self.context.full_refresh

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
        file.let_go()

    def _take(self, file: FoundFile, before: FileRow | None) -> None:
        result = read_file(
            self.con,
            file,
            self.name,
            self.settings,
            run_id=self.context.run_id,
            temp=self.context.temp,
            wanted=self.wanted.values(),
        )
        file.let_go()
        if result.rows_read == 0 and self.settings.path.endswith(file.name):
            raise InputError(
                f"{self.where}: {file.shown} has a header and no rows. Export it again, or take it "
                "out of the path."
            )
        check_columns(self.where, self.wanted, file.shown, [name for name, _ in result.columns])
        self.touched.append(file.file_id)
        if before is not None and before.status == "loaded" and before.file_id != file.file_id:
            held, lost = mend.carry_over(
                self.con, self.name, before.file_id, file.file_id, run_id=self.context.run_id
            )
            if lost:
                self.said.append(
                    f"{self.where}: {count(lost, 'row')} of {held:,} that were mended in {file.shown} "
                    "cannot be found as they came in its new content, so the mending is not applied to it. "
                    "Look at `evervalue quarantine` and mend what is still refused."
                )
        mend.put_in_place(self.con, self.name, run_id=self.context.run_id, file_id=file.file_id)
        self._register(file, result.encoding, result.delimiter, result.rows_read, "loaded")
        self.context.progress.step(f"Read {file.shown}", detail=count(result.rows_read, "row"))

    def _register(
        self, file: FoundFile, encoding: str | None, delimiter: str | None, rows: int, status: str
    ) -> None:
        raw_zone.run(
            self.con,
            "delete from raw.files where source = ? and path = ? and sha256 = ?",
            [self.name, file.shown, file.sha256],
        )
        format = file.format + (f".{file.compression}" if file.compression else "")
        raw_zone.run(
            self.con,
            "insert into raw.files (source, file_id, path, sha256, bytes, format, encoding, delimiter, reader, "
            "rows_read, run_id, status) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(self.name, file.file_id, file.shown, file.sha256, file.bytes),
                *(format, encoding, delimiter, self.reader, rows, self.context.run_id, status),
            ],
        )
        self._note_state(file)

    def _note_state(self, file: FoundFile) -> None:
        """Keep what the store calls this state of an object, so that it is not fetched again while it stays so."""
        if file.etag is None or file.modified_at is None:
            return
        raw_zone.run(
            self.con,
            "update raw.files set etag = ?, modified_at = ?::timestamp where source = ? and path = ? and sha256 = ?",
            [file.etag, file.modified_at.isoformat(" "), self.name, file.shown, file.sha256],
        )
