"""The files and folders of a run, brought from the bucket with the shapes that they had."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from sciflow.core.expr import Tree
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.content import Content, changed_from, content_of
from sciflow.executors.argo.place.inside import place_in
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.place.shapes import Inside, Shapes
from sciflow.executors.conducted import noted_conductor
from sciflow.executors.lost_files import changed, gone
from sciflow.runner.removal import remove

TRIES = 2  # to bring what does not come as it was left
COMING = ".coming"  # has what is not whole yet, below the folder to which files are brought


class Coming(NamedTuple):
    """A file or folder that is to come, and where it is brought: to its path, or elsewhere until it is whole."""

    path: str
    inside: Inside | None  # of a folder
    place: str


class File(NamedTuple):
    """One of those, or of those in it."""

    path: str
    place: str
    program: bool


class RunFiles:
    """Brings them; what shapes they have is learnt from all that is read of the run."""

    def __init__(self, bucket: Bucket, layout: Layout) -> None:
        self._bucket = bucket
        self._layout = layout
        self._folders: dict[str, Inside] = {}
        self._executable: set[str] = set()
        self._contents: dict[str, Content] = {}

    def learn(self, shapes: Shapes) -> None:
        """Remembers what is in folders, which files are programs, and what all of them are to be."""
        self._folders.update(shapes.folders)
        self._executable.update(shapes.executable)
        self._contents.update(shapes.contents)

    def expect(self, parts: Iterable[Tree]) -> None:
        """Remembers what files and folders are to be of which parts of values speak."""
        for part in parts:
            match part:
                case {"$": "artifact", "path": str() as path, "size": int() as size, "sha256": str() as sha256}:
                    self._contents[path] = Content(size, sha256)

    def bring_all(self, paths: Collection[str], root: Path) -> Mapping[str, str]:
        """Brings files and folders to the same paths below a folder, as far as they are not there.

        What does not come as it was left there is brought once more, and then refused: nothing of it is there. What
        came of a folder before this was broken off is not brought again.

        Returns: those that are not there now, and why; empty if they are not to be had.

        Raises:
            RunDamaged: one leads out of the folder.
        """
        found = self._bring(paths, root)
        unknown = [path for path, why in found.items() if why == "" and self._inside(path) is None]
        below = dict(zip(unknown, self._bucket.at_once(self._below, unknown), strict=True))
        parts = self._bring({part for inner in below.values() for part in inner}, root)
        found |= {path: _first(parts[part] for part in inner) for path, inner in below.items() if inner}
        return {path: why for path, why in found.items() if why is not None}

    def _below(self, path: str) -> Collection[str]:
        """What a task has left, its outputs and whatever else is there."""
        head = self._layout.part("")
        return {self._outermost(key.removeprefix(head)) for key in self._bucket.list(f"{head}{path}/")}

    def _outermost(self, path: str) -> str:
        """The folder that a file belongs to, as far as it is known; else the file."""
        above = (str(one) for one in reversed(PurePosixPath(path).parents))
        return next((one for one in above if one in self._folders), path)

    def _bring(self, paths: Collection[str], root: Path) -> dict[str, str | None]:
        """Brings files and whole folders; what is the matter with each, empty if it is not to be had."""
        wanted = [self._coming(path, root) for path in sorted(paths)]  # folders before what is in them
        found: dict[str, str | None] = {}
        for _ in range(TRIES):
            found |= self._try(wanted, root)
            wanted = [one for one in wanted if found[one.path]]
        return found

    def _try(self, wanted: Sequence[Coming], root: Path) -> dict[str, str | None]:
        """The files of all of them at once, so that there are no more connections than are meant to be."""
        files = [file for one in wanted for file in self._files(one)]
        came = dict(zip(files, self._bucket.at_once(lambda file: self._file(file, root), files), strict=True))
        found = self._bucket.at_once(lambda one: self._problem(one, came, root), wanted)
        for one, why in zip(wanted, found, strict=True):  # in order: links of one must not lead another astray
            self._settle(one, why, root)
        return {one.path: why for one, why in zip(wanted, found, strict=True)}

    def _coming(self, path: str, root: Path) -> Coming:
        inside = self._inside(path)
        if inside is None or place_in(root, path).is_dir():  # in part, maybe: who has put it there may have changed it
            return Coming(path, inside, path)
        name = hashlib.sha256(f"{path} {self._contents.get(path)!r}".encode()).hexdigest()[:16]
        return Coming(path, inside, f"{COMING}/{name}")

    def _files(self, coming: Coming) -> Iterator[File]:
        if coming.inside is None:
            yield File(coming.path, coming.place, coming.path in self._executable)
        for inner, kind, _ in coming.inside or ():
            if kind in {"file", "program"}:
                yield File(f"{coming.path}/{inner}", f"{coming.place}/{inner}", kind == "program")

    def _file(self, file: File, root: Path) -> str | None:
        """Brings one, whole; see `_bring`."""
        target = place_in(root, file.place)
        if target.exists():
            return None if target.is_file() else ""
        beside = place_in(root, f"{COMING}/{os.urandom(6).hex()}")
        try:
            if not self._bucket.fetch(self._layout.part(file.path), beside):
                return ""
            why = self._changed(file.path, beside)
            if why is None:
                beside.chmod(0o755 if file.program else 0o644)
                target.parent.mkdir(parents=True, exist_ok=True)
                beside.rename(target)
            return why
        finally:
            beside.unlink(missing_ok=True)

    def _changed(self, path: str, beside: Path, programs: Collection[str] = ()) -> str | None:
        found = expected = self._contents.get(path)
        if expected is not None:
            try:
                found = content_of(beside, programs)
            except FileNotFoundError:  # another process brings the same, and has just put it in its place
                found = None
        return None if found == expected else changed_from(expected, found)

    def _problem(self, coming: Coming, came: Mapping[File, str | None], root: Path) -> str | None:
        why = _first(came[file] for file in self._files(coming))
        if why is not None or coming.inside is None or coming.place == coming.path:
            return why
        _furnish(root, coming.place, coming.inside)
        programs = {inner for inner, kind, _ in coming.inside if kind == "program"}
        return self._changed(coming.path, root / coming.place, programs)

    def _settle(self, coming: Coming, why: str | None, root: Path) -> None:
        """Puts a folder in its place that has come as a whole, or removes what has come of it."""
        if coming.inside is None:
            return
        if coming.place != coming.path:
            if why is None:
                self._put(coming, root)
            remove(str(root / coming.place))
        elif why is None:
            _furnish(root, coming.path, coming.inside)

    def _put(self, coming: Coming, root: Path) -> None:
        beside, target = root / coming.place, place_in(root, f"{coming.path}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.rename(target)
        except OSError:  # somebody else has brought it meanwhile, or a part of it
            if not target.is_dir():
                raise
            for file in self._files(coming):
                place = place_in(root, file.path)
                if not place.exists():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    (root / file.place).rename(place)
            _furnish(root, coming.path, coming.inside or ())

    def _inside(self, path: str) -> Inside | None:
        """What is in a folder, also in one that lies in another; None if it is a file."""
        if path in self._folders:
            return self._folders[path]
        for above in map(str, PurePosixPath(path).parents):
            place = path.removeprefix(f"{above}/")
            inside = self._folders.get(above, ())
            if any(part[0] == place and part[1] == "folder" for part in inside):
                head = f"{place}/"
                return [(part[0].removeprefix(head), *part[1:]) for part in inside if part[0].startswith(head)]
        return None


def _first(found: Iterable[str | None]) -> str | None:
    """The first problem of several."""
    return next((why for why in found if why is not None), None)


def _furnish(root: Path, folder: str, inside: Inside) -> None:
    """Makes what a bucket does not keep of a folder whose files are there: empty folders, and links."""
    place_in(root, f"{folder}/").mkdir(parents=True, exist_ok=True)
    for inner, kind, points_to in inside:
        place = place_in(root, f"{folder}/{inner}")
        if kind == "folder":
            place.mkdir(parents=True, exist_ok=True)
        elif kind == "link":
            place.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                place.symlink_to(points_to)


def bring_files(files: RunFiles, here: Path, paths: Sequence[str], *, place: str) -> dict[str, str]:
    """Brings files and folders to the same paths in the run folder; of those that are not to be had, why."""
    why = "" if noted_conductor(here) else "`sciflow clean --remote` has removed what the run had there"
    lost = files.bring_all(paths, here)
    return {
        path: changed(f"{place}{path}", here, how) if how else gone(f"{place}{path}", here, why)
        for path, how in lost.items()
    }
