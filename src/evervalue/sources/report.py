"""What a load says of each source, for people and for the record."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from evervalue.core.text import count, listing


@dataclass
class SourceReport:
    """What became of one source."""

    source: str
    provides: str
    files_new: list[str] = field(default_factory=list)
    files_replaced: list[str] = field(default_factory=list)
    files_unchanged: list[str] = field(default_factory=list)
    files_same_content: dict[str, str] = field(default_factory=dict)
    """Copy: the file whose content it has; not counted twice."""
    files_renamed: dict[str, str] = field(default_factory=dict)
    """File: the path under which its content was read, where nothing lies any more."""
    files_kept: list[str] = field(default_factory=list)
    """Files that were loaded before and are not there any more; their rows stay."""
    files_left_out: list[str] = field(default_factory=list)
    """Files that were loaded before and that the path does not mean any more; their rows were taken out."""
    remapped: bool = False
    """Whether the mapped rows were computed anew in this run."""
    changes: dict[str, int] = field(default_factory=dict)
    """Of a table that is followed: what became of the changes read (inserted, updated, deleted, repeated ...)."""
    rows_read: int = 0
    rows_mapped: int = 0
    rows_set_aside: int = 0
    """Rows that the rules of the settings leave out."""
    behind_seconds: float | None = None
    """Of a source that is followed: how far what was applied lies behind it."""
    failed: str = ""
    """Why it could not be read, where a run goes on without; what was read before stays."""
    quarantined: dict[str, int] = field(default_factory=dict)
    """Reason: rows, of everything the source holds now."""
    notes: list[str] = field(default_factory=list)
    """How each doubt in a column was settled."""
    warnings: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """Warnings of this load, which no mapping brings back."""

    @property
    def rows_quarantined(self) -> int:
        """Rows refused, for whatever reason."""
        return sum(self.quarantined.values())

    def sentences(self) -> list[str]:
        """The report in sentences."""
        files: list[str] = []
        for n, word in (
            (len(self.files_new), "new"),
            (len(self.files_replaced), "replaced"),
            (len(self.files_unchanged), "unchanged"),
            (len(self.files_renamed), "renamed"),
            (len(self.files_same_content), "not counted again"),
            (len(self.files_kept), "gone (rows kept)"),
            (len(self.files_left_out), "left out (rows removed)"),
        ):
            if n:
                files.append(f"{count(n, 'file')} {word}" if not files else f"{n:,} {word}")
        rows = f"{count(self.rows_read, 'row')} read"
        if self.provides:
            rows += f", {self.rows_mapped:,} mapped"
        if self.rows_set_aside:
            rows += f", {self.rows_set_aside:,} set aside"
        news = ", ".join(f"{n:,} {word}" for word, n in self.changes.items() if n)
        if self.changes:
            files.append(f"changes: {news or 'none'}")
        said = [
            f"{self.source}: {', '.join(files) + '; ' if files else '' if self.changes else 'no file; '}{rows}."
        ]
        if self.quarantined:
            reasons = sorted(self.quarantined.items(), key=lambda r: (-r[1], r[0]))
            said.append(
                f"{self.source}: {count(self.rows_quarantined, 'row')} in quarantine ("
                + listing([f"{n:,} {reason}" for reason, n in reasons], 12) + ")."
            )  # fmt: skip
        said += [
            f"{self.source}: {copy} has the same content as {kept} and is not counted again."
            for copy, kept in sorted(self.files_same_content.items())
        ]
        said += [
            f"{self.source}: {file} is what was read as {old}, renamed."
            for file, old in sorted(self.files_renamed.items())
        ]
        said += [f"{self.source}: {note}." for note in self.notes]
        return said

    def kept(self) -> str:
        """The part that stays true until the source is mapped again, as JSON."""
        return json.dumps({"notes": self.notes, "warnings": self.warnings}, ensure_ascii=False)


@dataclass
class LoadReport:
    """What became of all sources."""

    sources: dict[str, SourceReport] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    """Sources that are not in the settings any more; their mapped rows were taken out, their raw rows kept."""

    @property
    def changed(self) -> bool:
        """Whether any mapped row may differ from the run before."""
        return bool(self.dropped) or any(s.remapped for s in self.sources.values())

    @property
    def warnings(self) -> list[str]:
        """All warnings, in the order of sources."""
        return [w for s in self.sources.values() for w in s.warnings]

    def sentences(self) -> list[str]:
        """The report in sentences."""
        return [line for s in self.sources.values() for line in s.sentences()]

    def to_dict(self) -> dict[str, object]:
        """The report as plain values, for a manifest."""
        return asdict(self)
