"""Files of a program that was made for its image: at absolute paths there, in a folder of their own here."""

from __future__ import annotations

import os
import shutil

from sciflow.runner.failures import OpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, Mapping, Sequence, Union

EXECUTABLE = 0o755
ANYBODY = 0o1777  # as /tmp: a program may be another user inside


class Outfit:
    """What one call of a program is to find in its container.

    `mounts` are paths here and inside; `cwd` is "" where the image says it, as it does the program if `entrypoint`.
    """

    __slots__ = ("cwd", "entrypoint", "mounts")

    def __init__(self, mounts: Sequence[tuple[str, str]], cwd: str, *, entrypoint: bool) -> None:
        self.mounts = mounts
        self.cwd = cwd
        self.entrypoint = entrypoint


class Inside:
    """The files of one call; `told` is the record `Inside` of the graph, `root` an empty folder."""

    def __init__(self, told: Mapping[str, Any], root: str) -> None:
        self._inputs: Mapping[str, str] = told.get("inputs") or {}
        self.outputs: Mapping[str, str] = told.get("outputs") or {}
        self._folders: Sequence[str] = told.get("folders") or ()
        self._cwd: str = told.get("cwd") or ""
        self._entrypoint = bool(told.get("entrypoint"))
        self._root = os.path.abspath(root)
        self._alone: list[str] = []  # paths that lie in none of the folders
        for folder in self._folders:
            os.makedirs(self.here(folder), exist_ok=True)
            os.chmod(self.here(folder), ANYBODY)

    def here(self, path: str) -> str:
        """Where a path of the container lies on this machine."""
        return self._root + os.path.normpath(path)

    def bring(self, values: dict[str, Any]) -> None:
        """Put the inputs that the program takes as files into their places; a text becomes one."""
        for port, path in self._inputs.items():
            value: Union[Path, str, None] = values.get(port)
            if isinstance(value, str):
                self.write(path, value)
            elif value is not None:
                os.rename(value, self._place(path))

    def write(self, path: str, text: str) -> None:
        """Put a text into its place, for any user to read or run."""
        place = self._place(path)
        with open(place, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(place, EXECUTABLE)

    def _place(self, path: str) -> str:
        if not any(_lies_in(path, folder) for folder in self._folders):
            self._alone.append(path)
        place = self.here(path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        return place

    @property
    def outfit(self) -> Outfit:
        """What the container is to have."""
        mounts = [(self.here(path), path) for path in sorted({*self._folders, *self._alone})]
        return Outfit(mounts, self._cwd, entrypoint=self._entrypoint)

    def take(self, name: str) -> str:
        """Bring an output into the working folder; its name there, "" if the program has left none."""
        source = self.here(self.outputs[name])
        if not os.path.lexists(source):
            return ""
        target = os.path.join(name, os.path.basename(source))
        os.makedirs(name, exist_ok=True)
        if any(other != name and _lies_in(path, self.outputs[name]) for other, path in self.outputs.items()):
            _copy(source, target)
        else:
            os.rename(source, target)
        return target

    def end(self) -> None:
        """Remove what is left of it."""
        from sciflow.runner.removal import remove

        remove(self._root)

    def missing(self, name: str) -> OpError:
        """An output is not there."""
        return OpError(f"output {name}: expected a file {self.outputs[name]!r} in the container, found none")


def _lies_in(path: str, folder: str) -> bool:
    return os.path.normpath(path) == os.path.normpath(folder) or os.path.normpath(path).startswith(
        os.path.normpath(folder).rstrip("/") + "/"
    )


def _copy(source: str, target: str) -> None:
    if os.path.isdir(source):
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)
