"""The files and folders of a run, brought from the bucket with the shapes that they had."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from sciflow.core.expr import Tree
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.content import Changed, Content, content_of
from sciflow.executors.argo.place.inside import place_in
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.place.shapes import Inside, Shapes
from sciflow.executors.conducted import noted_conductor
from sciflow.executors.lost_files import changed, gone
from sciflow.runner.removal import remove

TRIES = 2  # to bring what does not come as it was left


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

        What does not come as it was left there is brought once more, and then refused: nothing of it is there.

        Returns: those that are not there now, and why; empty if they are not to be had.

        Raises:
            RunDamaged: one leads out of the folder.
        """
        paths = list(paths)
        found = self._bucket.at_once(lambda path: self._problem(path, root), paths)
        return {path: why for path, why in zip(paths, found, strict=True) if why is not None}

    def _problem(self, path: str, root: Path) -> str | None:
        try:
            return None if self._bring(path, root) else ""
        except Changed as error:
            return str(error)

    def _bring(self, path: str, root: Path) -> bool:
        """Brings one; False if it is not to be had."""
        target, inside = place_in(root, path), self._inside(path)
        if inside is None:
            return self._file(path, target, executable=path in self._executable) or self._all_below(path, root)
        if target.is_dir():  # in part, maybe: whoever has put it there may have changed it
            return self._folder(path, place_in(root, f"{path}/"), inside)
        return self._whole(path, target, lambda beside: self._folder(path, beside, inside))

    def _all_below(self, path: str, root: Path) -> bool:
        """What a task has left, its outputs and whatever else is there."""
        head = self._layout.part("")
        found = {self._outermost(key.removeprefix(head)) for key in self._bucket.list(f"{head}{path}/")}
        return bool(found) and all(self._bucket.at_once(lambda one: self._bring_below(one, root), sorted(found)))

    def _bring_below(self, path: str, root: Path) -> bool:
        if path in self._folders:
            return self._bring(path, root)
        return self._file(path, place_in(root, path), executable=path in self._executable)

    def _outermost(self, path: str) -> str:
        """The folder that a file belongs to, as far as it is known; else the file."""
        above = (str(one) for one in reversed(PurePosixPath(path).parents))
        return next((one for one in above if one in self._folders), path)

    def _folder(self, path: str, target: Path, inside: Inside) -> bool:
        """Brings what is in one. Links come last, so that nothing is written through one."""
        target.mkdir(parents=True, exist_ok=True)
        came = self._bucket.at_once(lambda part: self._part(path, target, *part), inside)
        for place, kind, points_to in inside:
            if kind == "link":
                link = place_in(target, place)
                link.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileExistsError):
                    link.symlink_to(points_to)
        return all(came)

    def _part(self, path: str, folder: Path, place: str, kind: str, _points_to: str) -> bool:
        match kind:
            case "folder":
                place_in(folder, f"{place}/").mkdir(parents=True, exist_ok=True)
            case "file" | "program":
                return self._file(f"{path}/{place}", place_in(folder, place), executable=kind == "program")
        return True

    def _file(self, path: str, target: Path, *, executable: bool) -> bool:
        if target.is_file():
            return True
        if target.is_dir():
            return False

        def fetched(beside: Path) -> bool:
            came = self._bucket.fetch(self._layout.part(path), beside)
            if came:
                beside.chmod(0o755 if executable else 0o644)
            return came

        return self._whole(path, target, fetched)

    def _whole(self, path: str, target: Path, bring: Callable[[Path], bool]) -> bool:
        """Puts in its place what was brought beside it, if that is what it is to be; False if there is nothing.

        Raises:
            Changed: it is not, and is not when it is brought once more.
        """
        found = expected = self._contents.get(path)
        for _ in range(TRIES):
            beside = target.with_name(f".{os.urandom(6).hex()}")
            try:
                if not bring(beside):
                    return False
                found = content_of(beside) if expected is not None else None
                if found == expected:
                    beside.rename(target)
                    return True
            finally:
                if os.path.lexists(beside):
                    remove(str(beside))
        raise Changed(expected, found)

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


def bring_files(files: RunFiles, here: Path, paths: Sequence[str], *, place: str) -> dict[str, str]:
    """Brings files and folders to the same paths in the run folder; of those that are not to be had, why."""
    why = "" if noted_conductor(here) else "`sciflow clean --remote` has removed what the run had there"
    lost = files.bring_all(paths, here)
    return {
        path: changed(f"{place}{path}", here, how) if how else gone(f"{place}{path}", here, why)
        for path, how in lost.items()
    }
