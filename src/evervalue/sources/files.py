"""Which files a source means, what format each has, and the hash that says whether one was read before."""

from __future__ import annotations

import fnmatch
import glob
import hashlib
from dataclasses import dataclass
from pathlib import Path

from evervalue.core.errors import InputError
from evervalue.core.text import did_you_mean, listing

FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
COMPRESSED = {".gz": "gzip", ".zst": "zstd"}
BLOCK = 1 << 20


@dataclass(frozen=True)
class FoundFile:
    """A file of a source as it lies on disk now."""

    path: Path
    shown: str
    """The path as messages and tables give it: relative to the project where it lies inside."""
    format: str
    compression: str | None
    bytes: int
    sha256: str

    @property
    def file_id(self) -> str:
        """Names the content, so that the same content has the same name under every path."""
        return self.sha256[:16]


def find_files(pattern: str, base: Path, source: str) -> list[FoundFile]:
    """The files that `pattern` means, ordered by their shown path.

    Raises
    ------
    InputError
        Nothing is there, a file cannot be read, or its format is not known.
    """
    found = []
    for path in _paths(pattern, base, source):
        shown = shown_path(path, base)
        format, compression = file_format(path, shown)
        try:
            size = path.stat().st_size
            digest = _sha256(path)
        except OSError as error:
            raise InputError(
                f"sources.{source}: {shown} cannot be read ({_why(error)}). Give this user the right to read it, "
                "or take it out of the path."
            ) from None
        if size == 0:
            raise InputError(
                f"sources.{source}: {shown} is empty (0 bytes). Export it again, or take it out of the path."
            )
        found.append(FoundFile(path, shown, format, compression, size, digest))
    return found


def path_means(pattern: str, base: Path, shown: str) -> bool:
    """Whether `pattern` means the file of that shown path, were it there."""
    whole = base / Path(pattern).expanduser()
    file = base / shown
    if file == whole:
        return True
    if glob.has_magic(str(pattern)):
        return fnmatch.fnmatch(str(file), str(whole).replace("/**/", "/*")) or fnmatch.fnmatch(
            str(file), str(whole)
        )
    return file.parent == whole


def file_format(path: Path, shown: str) -> tuple[str, str | None]:
    """The format and compression that the name says, looking inside where the ending is not known."""
    suffixes = [s.lower() for s in path.suffixes]
    compression = COMPRESSED.get(suffixes[-1]) if suffixes else None
    ending = (
        (suffixes[-2] if len(suffixes) > 1 else "") if compression else (suffixes[-1] if suffixes else "")
    )
    if ending in FORMATS:
        format = FORMATS[ending]
        if compression and format in ("parquet", "xlsx"):
            raise InputError(f"{shown} is a compressed {format} file; unpack it first.")
        return format, compression
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise InputError(f"{shown} cannot be read ({_why(error)}).") from None
    if start == b"PAR1":
        return "parquet", None
    if start[:2] == b"\x1f\x8b":
        return "csv", "gzip"
    if start == b"\x28\xb5\x2f\xfd":
        return "csv", "zstd"
    if start == b"\xd0\xcf\x11\xe0":
        raise InputError(f"{shown} is a workbook of the old binary kind; save it as .xlsx or .csv.")
    if start == b"PK\x03\x04":
        if ending in ("", ".xls"):
            return "xlsx", None
        raise InputError(f"{shown} is an archive; unpack it and name the files inside.")
    return "csv", compression


def _paths(pattern: str, base: Path, source: str) -> list[Path]:
    path = Path(pattern).expanduser()
    whole = path if path.is_absolute() else base / path
    try:
        if whole.is_dir():
            everything = sorted(whole.iterdir())
            paths = [p for p in everything if p.is_file() and not p.name.startswith(".") and _is_data(p)]
            if not paths:
                raise InputError(
                    f"sources.{source}: the folder {pattern} holds no data file (csv, tsv, jsonl, parquet, xlsx; "
                    f"gz or zst){', only ' + listing(p.name for p in everything) if everything else ''}."
                )
            return paths
        if whole.exists():
            return [whole]
    except OSError as error:
        raise InputError(
            f"sources.{source}: {pattern} cannot be read ({_why(error)}). Give this user the right to read it."
        ) from None
    found = glob.glob(str(whole), recursive=True)  # noqa: PTH207  the pattern may be absolute, which Path refuses
    paths = sorted(Path(p) for p in found if Path(p).is_file())
    if paths:
        return paths
    siblings = [p.name for p in whole.parent.iterdir()] if whole.parent.is_dir() else []
    where = "" if whole.parent.is_dir() else f"; the folder {whole.parent.name} is not there either"
    raise InputError(
        f"sources.{source}: {pattern} is not there{did_you_mean(whole.name, siblings)}{where}. "
        "A path is relative to the folder of evervalue.toml."
    )


def _is_data(path: Path) -> bool:
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes = suffixes[:-1]
    return bool(suffixes) and suffixes[-1] in FORMATS and suffixes[-1] not in (".txt", ".json")


def shown_path(path: Path, base: Path) -> str:
    """A path as messages give it: relative to the project where it lies inside."""
    try:
        return path.resolve().relative_to(base.resolve()).as_posix()
    except ValueError:
        return path.as_posix()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
