"""Files of a slice: inputs brought to it, outputs and left-overs taken from it.

    scratch/cwd             where the op works; empty at its start
    scratch/in/<port>/...   its input files, copies of its own
    <run>/tasks/<path>/     what it leaves; made only if there is something to keep
"""

from __future__ import annotations

import os

from sciflow.runner.failures import OpError, PlaceError
from sciflow.runner.hashing import Copier, file_hash, folder_hash
from sciflow.runner.moves import keep, move
from sciflow.runner.removal import clear, remove
from sciflow.runner.selection import Selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path, PurePath
    from typing import Any

    Tree = Any


class Stage:
    """The folders of a worker, and the files of the slice that it runs."""

    def __init__(self, root: str, scratch: str) -> None:
        self.root = os.path.realpath(root)
        self.scratch = os.path.realpath(scratch)
        self.cwd = f"{self.scratch}/cwd"
        self._inputs = f"{self.scratch}/in"
        self._copier = Copier()
        self._ports: set[str] = set()
        self._staged = False
        self._outputs: list[tuple[str, Tree]] = []
        for folder in (self.cwd, self._inputs):
            remove(folder)  # what a worker before this one has left
            os.makedirs(folder)
        self._mark_empty()

    def _mark_empty(self) -> None:
        """Give the empty folder an old date: then one `stat` tells whether anything was ever made in it."""
        os.chmod(self.cwd, 0o755)
        os.utime(self.cwd, ns=(0, 0))
        os.chdir(self.cwd)
        found = os.stat(".")
        self._state = (found.st_ino, found.st_dev, found.st_mode, found.st_mtime_ns)
        self._dated = found.st_mtime_ns == 0

    # ---- inputs

    def take(self, port: str, tree: Tree) -> Path:
        """The slice's own copy of an artifact.

        Raises:
            PlaceError: the file is gone or was changed.
        """
        from pathlib import Path

        source = os.path.join(self.root, tree["path"])
        folder = self._port_folder(port)
        name = os.path.basename(source.rstrip("/")) or "folder"
        target = f"{folder}/{name}"
        number = 1
        while os.path.lexists(target):  # another file of the same name, in a list say
            number += 1
            folder = f"{self._inputs}/{port}/{number}"
            target = f"{folder}/{name}"
        self._staged = True
        try:
            os.makedirs(folder, exist_ok=True)
            if tree.get("kind") == "folder":
                self._copier.folder(source, target, sha256=tree.get("sha256"))
            else:
                self._copier.file(source, target, sha256=tree.get("sha256"))
        except OSError as error:
            raise PlaceError(f"input {port}: {error.filename or source}: {error.strerror}") from error
        return Path(target)

    def _port_folder(self, port: str) -> str:
        folder = f"{self._inputs}/{port}"
        if port not in self._ports:
            os.makedirs(folder, exist_ok=True)
            self._ports.add(port)
        return folder

    # ---- outputs

    @property
    def collecting(self) -> bool:
        """Whether output files wait for `collect`."""
        return bool(self._outputs)

    def give(self, path: PurePath) -> Tree:
        """The tree of an output file; its place and hash are filled in by `collect`.

        Raises:
            OpError: there is no such file, or it lies outside the slice's folders.
        """
        given = os.fspath(path)
        place = os.path.normpath(os.path.join(self.cwd, given))
        if not os.path.exists(place):
            raise OpError(f"output file {given!r} does not exist; found in the working folder: {_listing(self.cwd)}")
        parent = os.path.realpath(os.path.dirname(place))
        place = f"{parent}/{os.path.basename(place)}"
        if place == self.cwd:
            raise OpError("the op gives its whole working folder as an output; let it make a folder inside and give that")
        if not place.startswith((f"{self.cwd}/", f"{self._inputs}/")):
            raise OpError(
                f"output file {given!r} lies outside the op's working folder; write it with a relative path, or copy it there"
            )
        tree: Tree = {"$": "artifact", "path": ""}
        self._outputs.append((place, tree))
        return tree

    def collect(self, task_folder: str, selection: Selection) -> bool:
        """Move the outputs that were given to the task's folder and fill in their trees; whether there were any.

        Raises:
            OpError: an output is neither file nor folder, or must never be kept.
        """
        outputs, self._outputs = self._outputs, []
        moved: dict[str, str] = {}
        # the outermost first, since an output may lie inside another one
        for place, tree in sorted(outputs, key=lambda output: output[0].count("/")):
            self._collect_one(place, tree, task_folder, moved, selection)
        return bool(outputs)

    def _collect_one(self, place: str, tree: Tree, task_folder: str, moved: dict[str, str], selection: Selection) -> None:
        source = next((s for s in moved if place == s or place.startswith(f"{s}/")), None)
        if source is None:
            relative = self._relative(place)
            if selection.forbids(relative):
                raise OpError(f"output {relative!r} is of a kind that must never be kept (never_keep)")
            target = self._free(task_folder, relative)
            move(place, target, selection)
            moved[place] = target
        else:
            target = moved[source] + place[len(source) :]
        folder = os.path.isdir(target)
        sha256, size = folder_hash(target) if folder else file_hash(target)
        relative = target[len(self.root) + 1 :]
        tree.update({"path": relative, "kind": "folder" if folder else "file", "sha256": sha256, "size": size})

    def _relative(self, place: str) -> str:
        """Where an output goes inside the task's folder: as in the working folder; an input by its name."""
        if place.startswith(f"{self.cwd}/"):
            return place[len(self.cwd) + 1 :]
        return os.path.basename(place)

    def _free(self, task_folder: str, relative: str) -> str:
        base = f"{self.root}/{task_folder}"
        target, number = f"{base}/{relative}", 1
        while os.path.lexists(target):
            number += 1
            target = f"{base}/{number}/{relative}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        return target

    # ---- the end of a slice

    def touched(self) -> bool:
        """Whether anything lies in the working folder, or it is no longer the working folder."""
        try:
            found = os.stat(".")
        except OSError:
            return True
        return (found.st_ino, found.st_dev, found.st_mode, found.st_mtime_ns) != self._state or not self._dated

    def finish(self, task_folder: str, selection: Selection) -> bool:
        """Move what is left in the working folder to the task's folder, and make both folders empty again.

        Returns:
            Whether anything was kept.
        """
        kept = False
        if os.path.isdir(self.cwd):
            for relative in selection.kept(self.cwd):
                kept = keep(f"{self.cwd}/{relative}", lambda: self._free(task_folder, relative), scratch=self.scratch) or kept  # noqa: B023
        self.reset()
        return kept

    def reset(self) -> None:
        """Make the slice's folders empty, whatever it has done to them."""
        self._outputs.clear()
        if self._staged:
            self._staged = False
            for port in self._ports:
                clear(f"{self._inputs}/{port}")
        if self.touched():
            clear(self.cwd)
            self._mark_empty()

    def forget(self, task_folder: str) -> None:
        """Remove what an earlier attempt of the task has left."""
        if not task_folder.startswith("tasks/") or ".." in task_folder.split("/"):
            raise PlaceError(f"{task_folder!r} is no task's folder")
        remove(f"{self.root}/{task_folder}")


def _listing(folder: str) -> str:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return "nothing, the folder is gone"
    return ", ".join(map(repr, names[:10])) + (f" and {len(names) - 10} more" if len(names) > 10 else "") or "nothing"
