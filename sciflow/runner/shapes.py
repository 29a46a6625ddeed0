"""What a bucket does not keep of files and folders: what there is in a folder, empty folders, links, modes."""

from __future__ import annotations

import os

from sciflow.runner.hashing import is_program
from sciflow.runner.packs import read_stored
from sciflow.runner.text import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    Tree = Any


class Shapes:
    """The shapes of the files and folders that some values speak of."""

    def __init__(self, root: str) -> None:
        """`root`: below which their paths lie."""
        self._root = root
        self.folders: dict[str, list[list[str]]] = {}
        self.executable: list[str] = []
        self.contents: dict[str, tuple[int, str]] = {}  # size and SHA-256, as they were recorded

    def add(self, tree: Tree) -> None:
        """Those of one more value."""
        if isinstance(tree, list):
            for value in tree:
                if isinstance(value, (dict, list)):
                    self.add(value)
            return
        kind = tree.get("$") if isinstance(tree, dict) else None
        if kind == "artifact":
            self._add_path(tree["path"])
            if "sha256" in tree:
                self.contents[tree["path"]] = tree["size"], tree["sha256"]
        elif kind == "value":
            self.add(parse(read_stored(self._root, tree).decode()))
        elif isinstance(tree, dict):
            self.add(list(tree.values()))

    def _add_path(self, path: str) -> None:
        place = f"{self._root}/{path}"
        if os.path.isdir(place) and not os.path.islink(place):
            self.folders[path] = list(inside(place))
        elif os.path.isfile(place) and is_program(place):
            self.executable.append(path)


def inside(folder: str, above: str = "") -> Iterator[list[str]]:
    """Everything in a folder: its path there, what it is (folder, file, program, link), and where a link points."""
    for name in sorted(os.listdir(folder)):
        path, place = f"{folder}/{name}", f"{above}{name}"
        if os.path.islink(path):
            yield [place, "link", os.readlink(path)]
        elif os.path.isdir(path):
            yield [place, "folder", ""]
            yield from inside(path, f"{place}/")
        else:
            yield [place, "program" if is_program(path) else "file", ""]
