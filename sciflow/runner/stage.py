"""Files of a slice: inputs brought to it, outputs and left-overs taken from it.

scratch/cwd             where the op works; empty at its start
scratch/in/<port>/...   its input files, copies of its own
<run>/tasks/<path>/     what it leaves; made only if there is something to keep
"""

from __future__ import annotations

import os

from sciflow.runner.failures import OpError, PlaceError
from sciflow.runner.hashing import Copier, file_hash, folder_hash
from sciflow.runner.moves import move, rename, worth_keeping
from sciflow.runner.removal import clear, remove
from sciflow.runner.selection import Selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path, PurePath
    from typing import Any

    Tree = Any

FOLDER_MODE = 0o755


class Stage:
    """The folders of a worker, and the files of the slice that it runs."""

    def __init__(self, root: str, scratch: str, *, at: str | None = None) -> None:
        """Both folders are made ready; what a worker before this one has left in `scratch` is removed.

        `at` is the name of the machine on which output files stay, if it is not the engine's.
        """
        self._place = {} if at is None else {"at": at}
        self.root = os.path.realpath(root)
        self.scratch = os.path.realpath(scratch)
        self.cwd = f"{self.scratch}/cwd"
        self._inputs = f"{self.scratch}/in"
        self._copier = Copier()
        self._ports: set[str] = set()  # with a folder
        self._taken: set[str] = set()  # files staged for this slice
        self._outputs: list[tuple[str, Tree]] = []
        self._kept_in = ""  # the task's folder, once something has been moved there
        self._nothing_left = False  # in the working folder, as `keep` has seen
        for folder in (self.cwd, self._inputs):
            remove(folder)
            os.makedirs(folder)
        self._enter()

    def _enter(self) -> None:
        """Go into the working folder, which is empty."""
        os.chmod(self.cwd, FOLDER_MODE)
        os.chdir(self.cwd)
        self._mark_empty()

    def _mark_empty(self) -> None:
        """Give the empty folder an old date: then one `stat` tells whether anything was ever made in it."""
        os.utime(".", ns=(0, 0))
        found = os.stat(".")
        # a file system that keeps no old dates never looks untouched; a folder that was removed has no links
        self._state = (found.st_ino, 0, found.st_dev, found.st_mode, found.st_nlink)

    # ---- inputs

    def take(self, port: str, tree: Tree) -> Path:
        """The slice's own copy of an artifact.

        Raises:
            PlaceError: the file is gone or was changed.
        """
        from pathlib import Path

        source = os.path.join(self.root, tree["path"])
        name = os.path.basename(source.rstrip("/")) or "folder"
        try:
            target = f"{self._port_folder(port)}/{name}"
            number = 1
            while target in self._taken:  # another file of the same name, in a list say
                number += 1
                target = f"{self._inputs}/{port}/{number}/{name}"
                os.makedirs(os.path.dirname(target), exist_ok=True)
            self._taken.add(target)
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

    def give(self, path: PurePath) -> Tree:
        """The tree of an output file; its place and hash are filled in by `collect`.

        Raises:
            OpError: there is no such file, or it lies outside the slice's folders.
        """
        given = os.fspath(path)
        place = os.path.normpath(f"{self.cwd}/{given}") if given[:1] != "/" else os.path.normpath(given)
        if not os.path.exists(place):
            raise OpError(f"output file {given!r} does not exist; found in the working folder: {_listing(self.cwd)}")
        try:
            given.encode()
        except UnicodeEncodeError:
            raise OpError(f"output file {given!a} has a name that is not UTF-8; rename it") from None
        folder, _, name = place.rpartition("/")
        if folder != self.cwd and folder not in self._taken:
            place = f"{os.path.realpath(folder)}/{name}"
        if place == self.cwd:
            raise OpError(
                "the op gives its whole working folder as an output; let it make a folder inside and give that"
            )
        if not place.startswith((f"{self.cwd}/", f"{self._inputs}/")):
            raise OpError(
                f"output file {given!r} lies outside the op's working folder; write it with a relative path, or copy "
                "it there"
            )
        tree: Tree = {"$": "artifact", "path": ""}
        self._outputs.append((place, tree))
        return tree

    def collect(self, task_folder: str, selection: Selection) -> None:
        """Move the outputs that were given to the task's folder and fill in their trees.

        Raises:
            OpError: an output is neither file nor folder, or must never be kept.
        """
        outputs, self._outputs = self._outputs, []
        moved: dict[str, str] = {}
        # the outermost first, since an output may lie inside another one
        for place, tree in sorted(outputs, key=lambda output: output[0].count("/")):
            source = next((s for s in moved if place == s or place.startswith(f"{s}/")), None)
            if source is None:
                source = place
                moved[place] = self._collect_one(place, task_folder, selection)
            target = moved[source] + place[len(source) :]
            try:
                (sha256, size), kind = file_hash(target), "file"
            except IsADirectoryError:
                (sha256, size), kind = folder_hash(target), "folder"
            tree.update({"path": target[len(self.root) + 1 :], "kind": kind, "sha256": sha256, "size": size})
            tree.update(self._place)

    def _collect_one(self, place: str, task_folder: str, selection: Selection) -> str:
        inside = place.startswith(f"{self.cwd}/")
        # an input that is given on is kept by its name, all else as it lies in the working folder
        relative = place[len(self.cwd) + 1 :] if inside else os.path.basename(place)
        if selection.forbids(relative):
            raise OpError(f"output {relative!r} is of a kind that must never be kept (never_keep)")
        target = self._free(task_folder, relative)
        move(place, target, selection)
        return target

    def _free(self, task_folder: str, relative: str) -> str:
        """A place for something in the task's folder, its folder made."""
        base = f"{self.root}/{task_folder}"
        target = f"{base}/{relative}"
        if self._kept_in != task_folder:
            new = _make(base)
            self._kept_in = task_folder
            if new and "/" not in relative:
                return target
        number = 1
        while os.path.lexists(target):
            number += 1
            target = f"{base}/{number}/{relative}"
        if "/" in target[len(base) + 1 :]:
            os.makedirs(os.path.dirname(target), exist_ok=True)
        return target

    # ---- the end of a slice

    def touched(self) -> bool:
        """Whether there are files of the slice, or the working folder is no longer what it was."""
        try:
            found = os.stat(".")
        except OSError:
            return True
        ino, dated, device, mode, links = self._state
        return (
            found.st_mtime_ns != dated
            or found.st_ino != ino
            or found.st_dev != device
            or found.st_mode != mode
            or found.st_nlink != links
            or bool(self._taken)
        )

    def keep(self, task_folder: str, selection: Selection) -> bool:
        """Move what is left in the working folder to the task's folder; whether that now holds anything."""
        try:
            left = selection.kept(self.cwd)
        except (FileNotFoundError, NotADirectoryError):
            left, self._nothing_left = [], False
        else:
            self._nothing_left = not left and not selection.has_patterns
        for relative in left:
            place = f"{self.cwd}/{relative}"
            if worth_keeping(place, self.scratch):
                rename(place, self._free(task_folder, relative))
        return bool(self._kept_in)

    def reset(self) -> None:
        """Make the slice's folders empty, whatever it has done to them."""
        self._outputs.clear()
        self._kept_in = ""
        if self._taken:
            self._taken.clear()
            for port in self._ports:
                clear(f"{self._inputs}/{port}")
        if not self._nothing_left:
            clear(self.cwd)
        self._nothing_left = False
        if self._is_here():
            self._mark_empty()
        else:
            self._enter()

    def _is_here(self) -> bool:
        try:
            here, there = os.stat("."), os.stat(self.cwd)
        except OSError:
            return False
        return os.path.samestat(here, there) and there.st_mode == self._state[3]

    def sweep(self) -> None:
        """`reset` after a slice whose process died, and which only that process knew about."""
        remove(self._inputs)
        os.makedirs(self._inputs)
        self._ports.clear()
        self._taken.clear()
        self.reset()

    def set_aside(self, task_folder: str) -> None:
        """Keep what an earlier attempt of the task has left beside its folder, as `<folder>~1`, `~2`, ...

        Raises:
            PlaceError: it is not a task's folder that is named.
        """
        if not task_folder.startswith("tasks/") or ".." in task_folder.split("/"):
            raise PlaceError(f"{task_folder!r} is no task's folder")
        folder, number = f"{self.root}/{task_folder}", 1
        if not os.path.lexists(folder):
            return
        while os.path.lexists(f"{folder}~{number}"):
            number += 1
        os.rename(folder, f"{folder}~{number}")


def _make(folder: str) -> bool:
    """Make a folder, which is most often new while the one above it is there; whether it is new."""
    try:
        os.mkdir(folder)
    except FileExistsError:
        return False
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        return False
    return True


def _listing(folder: str) -> str:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return "nothing, the folder is gone"
    return ", ".join(map(repr, names[:10])) + (f" and {len(names) - 10} more" if len(names) > 10 else "") or "nothing"
