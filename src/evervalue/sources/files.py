"""Which files a source means, what format each has, and the hash that says whether one was read before."""

from __future__ import annotations

import datetime as dt
import fnmatch
import glob
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

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
    """The path as messages and tables give it: relative to the project where it lies inside, else whole."""
    format: str
    compression: str | None
    bytes: int
    sha256: str
    etag: str | None = None
    """What an object store calls this state of an object; None for a file."""
    modified_at: dt.datetime | None = None
    """When an object was last written, UTC without a zone; None for a file."""
    fetch: Callable[[], None] | None = field(default=None, compare=False, repr=False)
    """Brings an object to `path`."""

    def here(self) -> FoundFile:
        """The file, with its bytes at `path`: an object that was not fetched so far is fetched now."""
        if self.fetch is not None and not self.path.exists():
            self.fetch()
        return self

    def let_go(self) -> None:
        """The bytes are not needed any more: a fetched object is taken off the disk, a file stays."""
        if self.fetch is not None:
            self.path.unlink(missing_ok=True)

    @property
    def name(self) -> str:
        """The last part of the path, as it is called where it lies."""
        return PurePath(self.shown).name

    @property
    def file_id(self) -> str:
        """Names the content, so that the same content has the same name under every path."""
        return self.sha256[:16]


class NothingThere(InputError):
    """A path means nothing that is there."""


def find_files(
    pattern: str,
    base: Path,
    source: str | None,
    *,
    finished: Callable[[list[Path]], list[Path]] = lambda paths: paths,
) -> list[FoundFile]:
    """The files that `pattern` means, ordered by their shown path.

    Parameters
    ----------
    source
        The name under which the settings give the path; None where it was given without settings.
    finished
        Those of the paths that may be read already.

    Raises
    ------
    InputError
        Nothing is there, a file cannot be read, or its format is not known.
    """
    found = []
    for path in finished(_paths(pattern, base, source)):
        shown = shown_path(path, base)
        format, compression = file_format(path, shown)
        try:
            size = path.stat().st_size
            digest = _sha256(path)
        except OSError as error:
            raise InputError(
                f"{_of(source)}{shown} cannot be read ({_why(error)}). Give this user the right to read it, "
                "or take it out of the path."
            ) from None
        if size == 0:
            raise InputError(
                f"{_of(source)}{shown} is empty (0 bytes). Export it again, or take it out of the path."
            )
        found.append(FoundFile(path, shown, format, compression, size, digest))
    return found


def left_aside(pattern: str, base: Path) -> list[str]:
    """What lies in the folder that `pattern` names and is not read: files of no known ending, and folders."""
    whole = located(pattern, base)
    if not whole.is_dir():
        return []
    return [
        p.name + ("/" if p.is_dir() else "")
        for p in sorted(whole.iterdir())
        if not p.name.startswith(".") and not (p.is_file() and is_data_name(p.name))
    ]


def path_means(pattern: str, base: Path, shown: str) -> bool:
    """Whether `pattern` means the file of that shown path, were it there."""
    if "://" in pattern or "://" in shown:
        return False  # objects of a bucket: see objects.object_means
    whole = located(pattern, base)
    file = Path(os.path.normpath(base.resolve() / shown))
    return whole in (file, file.parent) or _matches(file.parts, whole.parts)


def located(pattern: str, base: Path) -> Path:
    """The whole path or glob that `pattern` means, the same from wherever the program was started.

    Links are followed in the folders that lead to a file, not in the file itself, which thus keeps its name when the
    link is set to another file.
    """
    folder, rest = _parted(pattern, base)
    return folder.joinpath(*rest)


def _parted(pattern: str, base: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder that leads to a file or glob, with links followed, and what is left of the path."""
    try:
        path = Path(pattern).expanduser()
    except RuntimeError:
        raise InputError(
            f"The path {pattern} names the home folder of somebody who is not known here. Write the folder itself."
        ) from None
    whole = base.resolve() / path
    own = len(whole.parts) - len(path.parts)
    fixed = next((own + i for i, part in enumerate(path.parts) if glob.has_magic(part)), len(whole.parts) - 1)
    if whole.is_dir() or whole.name == "..":
        return whole.resolve(), ()
    if whole.exists():
        fixed = len(whole.parts) - 1
    return Path(*whole.parts[:fixed]).resolve(), whole.parts[fixed:]


def _matches(file: Sequence[str], glob_parts: Sequence[str]) -> bool:
    """Whether the parts of a path fit those of a glob, where `**` is any number of folders."""
    if not glob_parts or not file:
        return not glob_parts and not file
    first, *rest = glob_parts
    if first == "**":
        return _matches(file, rest) or _matches(file[1:], glob_parts)
    return (file[0] == first or fnmatch.fnmatchcase(file[0], first)) and _matches(file[1:], rest)


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


def _paths(pattern: str, base: Path, source: str | None) -> list[Path]:
    if pattern.startswith("s3://"):
        raise InputError(
            f"{_of(source)}{pattern} lies in object storage, which only a project reads: name it as the path of a "
            "source in evervalue.toml."
        )
    whole = located(pattern, base)
    try:
        if whole.is_dir():
            everything = sorted(whole.iterdir())
            paths = [
                p for p in everything if p.is_file() and not p.name.startswith(".") and is_data_name(p.name)
            ]
            if not paths:
                raise NothingThere(
                    f"{_of(source)}the folder {pattern} holds no data file (csv, tsv, jsonl, parquet, xlsx; "
                    f"gz or zst){', only ' + listing(p.name for p in everything) if everything else ''}."
                )
            return paths
        if whole.exists():
            return [whole]
    except OSError as error:
        raise InputError(
            f"{_of(source)}{pattern} cannot be read ({_why(error)}). Give this user the right to read it."
        ) from None
    top, rest = _parted(pattern, base)
    found = glob.glob(os.path.join("", *rest), root_dir=top, recursive=True)  # noqa: PTH118, PTH207
    paths = sorted(top / p for p in found if (top / p).is_file())
    if paths:
        return paths
    siblings = [p.name for p in whole.parent.iterdir()] if whole.parent.is_dir() else []
    where = "" if whole.parent.is_dir() else f"; the folder {whole.parent.name} is not there either"
    raise NothingThere(
        f"{_of(source)}{pattern} is not there{did_you_mean(whole.name, siblings)}{where}. "
        f"A path is relative to the {'current folder' if source is None else 'folder of evervalue.toml'}."
    )


def _of(source: str | None) -> str:
    """How a sentence about a source begins."""
    return "" if source is None else f"sources.{source}: "


def is_data_name(name: str) -> bool:
    """Whether a file in a folder is read: .txt and .json are not, for what lies there is as often a README."""
    suffixes = [s.lower() for s in PurePath(name).suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes = suffixes[:-1]
    return bool(suffixes) and suffixes[-1] in FORMATS and suffixes[-1] not in (".txt", ".json")


def shown_path(path: Path, base: Path) -> str:
    """A located path as messages give it: relative to the project where it lies inside, else whole."""
    file = Path(os.path.normpath(path))
    try:
        return file.relative_to(base.resolve()).as_posix()
    except ValueError:
        return file.as_posix()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
