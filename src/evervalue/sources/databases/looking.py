"""Ranges of a table, looked at by the database itself, several at a time; those that have changed are copied."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from evervalue.core.errors import InputError, SourceUnavailable
from evervalue.core.text import count
from evervalue.sources.databases import ranges
from evervalue.sources.databases.ranges import Known, Part
from evervalue.sources.databases.reader import Bound, Fingerprint, Range, Reader, Stopped
from evervalue.sources.databases.staging import Staged, Staging
from evervalue.sources.databases.tables import Table


@dataclass(frozen=True)
class Looked:
    """What was found of a range, and done about it."""

    part: Part
    fingerprint: Fingerprint
    staged: Staged | None = None
    """A copy of it; None where it has not changed, or is to be parted first."""
    too_long: bool = False
    reused: bool = False
    """Whether the copy is one of a load that was broken off."""


class Looking:
    """The ranges of one table in one load."""

    def __init__(
        self,
        reader: Reader,
        table: Table,
        staging: Staging,
        known: Mapping[str, Known],
        *,
        system: str,
        feed: str,
        range_rows: int,
        anew: bool,
    ) -> None:
        """Nothing is looked at yet.

        Parameters
        ----------
        known
            By the id of their part, the ranges as they were read last.
        anew
            Whether what has not changed is copied too.
        """
        self.reader = reader
        self.table = table
        self.schema_hash = table.schema_hash()
        self.staging = staging
        self.known = known
        self.system = system
        self.feed = feed
        self.where = f"sources.{system}"
        self.range_rows = range_rows
        self.anew = anew

    def at(self, bounds: list[Bound]) -> Generator[Looked, None, None]:
        """The ranges between bounds, in order; a range that has grown too long is parted. Close it when done.

        Raises
        ------
        SourceUnavailable, InputError
            One could not be read; what is under way ends.
        """
        pool = ThreadPoolExecutor(self.reader.workers, thread_name_prefix="evervalue-read")
        waiting: list[Future[Looked]] = []
        try:
            waiting = [
                pool.submit(self._look, self._part(one), True) for one in ranges.ranges_between(bounds)
            ]
            waiting.reverse()
            while waiting:
                looked = waiting.pop().result()
                if looked.too_long:
                    waiting += reversed([
                        pool.submit(self._look, self._part(one), False) for one in self._parted(looked)
                    ])  # fmt: skip
                else:
                    yield looked
        except Stopped:
            # Another range failed first, and tells why.
            failed = (one.exception() for one in waiting if not one.cancel())
            raise next((error for error in failed if error and not isinstance(error, Stopped)), None) or (
                SourceUnavailable(f"{self.where}: reading {self.table.name} was broken off. Run again.")
            ) from None
        except BaseException:
            for one in waiting:
                one.cancel()
            self.reader.close()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _part(self, within: Range) -> Part:
        return ranges.part(self.system, self.feed, self.table, within)

    def _parted(self, looked: Looked) -> list[Range]:
        within = looked.part.range
        bounds = self.reader.boundaries(self.table, within, self.range_rows)
        return ranges.ranges_between([bound for bound in bounds if bound != within.upper], within)

    def _look(self, part: Part, may_be_parted: bool) -> Looked:
        """Ask the database what a range holds, and copy it where that is news. Runs beside other ranges."""
        if not self.reader.fingerprints:
            return self._copy_whole(part)
        fingerprint = self.reader.fingerprint(self.table, part.range)
        if self._is_current(part, fingerprint):
            return Looked(part, fingerprint)
        if may_be_parted and fingerprint.rows > 2 * self.range_rows:
            return Looked(part, fingerprint, too_long=True)
        staged = self.staging.find(part)
        if (
            staged is not None
            and (staged.content, staged.schema_hash) == (fingerprint.content, self.schema_hash)
            and staged.copied.rows == fingerprint.rows
        ):
            return Looked(part, fingerprint, staged, reused=True)
        return Looked(part, fingerprint, self.copy(part, fingerprint))

    def _is_current(self, part: Part, fingerprint: Fingerprint) -> bool:
        known = self.known.get(part.file_id)
        return (
            known is not None
            and (known.content, known.schema_hash) == (fingerprint.content, self.schema_hash)
            and not self.anew
        )

    def copy(self, part: Part, fingerprint: Fingerprint) -> Staged:
        """A copy of a range.

        Raises
        ------
        InputError
            The database counted other rows than it handed over.
        """
        self.staging.drop(part)
        path = self.staging.place(part)
        copied = self.reader.copy(self.table, part.range, path)
        if copied.rows != fingerprint.rows:
            raise InputError(
                f"{self.where}: {count(copied.rows, 'row')} of {part.path} were read where the database had "
                f"counted {fingerprint.rows:,} in the same snapshot. Run again; if it stays so, its storage engine "
                "has no snapshots."
            )
        staged = Staged(path, fingerprint.content, self.schema_hash, copied, fingerprint.unfit)
        self.staging.keep(part, staged)
        return staged

    def _copy_whole(self, part: Part) -> Looked:
        """A range of a database that can tell nothing without handing it over."""
        path = self.staging.place(part)
        copied = self.reader.copy(self.table, part.range, path)
        fingerprint = Fingerprint(copied.rows, copied.content)
        if self._is_current(part, fingerprint):
            path.unlink(missing_ok=True)
            return Looked(part, fingerprint)
        return Looked(part, fingerprint, Staged(path, copied.content, self.schema_hash, copied, ()))
