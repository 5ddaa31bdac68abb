"""Files and objects that somebody names to begin a project with: which to look at, and how the settings name them."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evervalue.core.errors import InputError
from evervalue.core.text import listing
from evervalue.sources.files import FoundFile, find_files
from evervalue.sources.objects import find_objects, is_object_path


@dataclass(frozen=True)
class Named:
    """A file to look at, and those that are taken to be like it."""

    file: FoundFile
    alike: tuple[str, ...]
    """Paths as shown, this file's among them: objects of one folder whose names differ in digits only."""
    given: str
    """The path that means it, as somebody wrote it."""
    means: int
    """How many files that path means."""

    @property
    def folder(self) -> str:
        """Where it lies."""
        return self.file.shown.rpartition("/")[0]


def is_one(path: str) -> bool:
    """Whether a path names one file or object, rather than a folder or several objects by a pattern.

    A pattern of files means the first of them.
    """
    if is_object_path(path):
        return not glob.has_magic(path) and bool(re.search(r"\.\w+$", path.rpartition("/")[2]))
    return not Path(path).is_dir()


def named(paths: Iterable[str], temp: Path) -> list[Named]:
    """What lies at these paths, each file once. Objects are not fetched yet, and of those that look alike only one is.

    Parameters
    ----------
    temp
        Folder for fetched objects.

    Raises
    ------
    InputError, SourceUnavailable
        Nothing is there, or it cannot be read.
    """
    found: dict[Path, Named] = {}
    for path in paths:
        files = found_at(path, temp)
        alike: dict[object, list[FoundFile]] = {}
        for file in files:
            alike.setdefault(_kind(file.shown) if file.fetch else file.path, []).append(file)
        for same in alike.values():
            one = Named(same[0], tuple(file.shown for file in same), path, len(files))
            found.setdefault(one.file.path, one)
    return list(found.values())


def found_at(path: str, temp: Path, base: Path | None = None) -> list[FoundFile]:
    """The files (relative to `base`) or objects that a path means; no object is fetched before `here` asks for it."""
    if is_object_path(path):
        return find_objects(path, {}, temp, lazily=True).files
    return find_files(path, base or Path.cwd(), None)


def settings_path(parts: Sequence[Named], project: Path) -> str:
    """How the settings of a project in the folder `project` write the path of the files of one table.

    Raises
    ------
    InputError
        No pattern means these files and no other.
    """
    if parts[0].file.fetch is None:
        files = [str(one.file.path) for one in parts]
        path = Path(_pattern(files, lambda folder, name: map(str, Path(folder).glob(name))))
        return Path(os.path.relpath(path.absolute(), project.absolute())).as_posix()
    shown = [path for one in parts for path in one.alike]
    if len(shown) == parts[0].means and not is_one(parts[0].given):
        return parts[0].given  # what comes later and fits it belongs to the table too
    return _pattern(shown, lambda folder, name: [x.shown for x in found_at(f"{folder}/{name}", project)])


def common_start(names: Sequence[str]) -> str:
    """What all names begin with.

    >>> common_start(["sales-01.csv", "sales-02.csv"])
    'sales-0'
    """
    both = zip(min(names), max(names), strict=False)
    return "".join(one for one, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], both))


def _kind(shown: str) -> str:
    folder, _, name = shown.rpartition("/")
    return f"{folder}/{re.sub('[0-9]+', '0', name)}"


def _pattern(paths: Sequence[str], means: Callable[[str, str], Iterable[str]]) -> str:
    """The path of a file, or the pattern that means several of one folder and no other."""
    if len(paths) == 1:
        return paths[0]
    folder = paths[0].rpartition("/")[0]
    names = [path.rpartition("/")[2] for path in paths]
    start = common_start(names)
    pattern = f"{glob.escape(start)}*{''.join(Path(names[0]).suffixes)}"
    if not start or set(means(folder, pattern)) != set(paths):
        raise InputError(
            f"{listing(names)} have the same columns, and no pattern means them and no other file. Put them into a "
            "folder of their own, or name one of them."
        )
    return f"{folder}/{pattern}"
