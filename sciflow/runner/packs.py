"""Large trees outside the run's database: appended to a file of the run, found again by offset, size and hash."""

from __future__ import annotations

import os

from sciflow.runner import text
from sciflow.runner.failures import PlaceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any

KEPT = 8  # stored trees that a reader keeps, since neighbouring slices share their fixed inputs


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, however much the system takes at once."""
    written = os.write(fd, data)
    if written < len(data):
        view = memoryview(data)
        while written < len(view):
            written += os.write(fd, view[written:])


class Pack:
    """An append-only file of trees with one writer, and a reader of any pack of the run."""

    def __init__(self, root: str, file: str, *, inline_bytes: int) -> None:
        """`file` is relative to the run folder `root`; it is made when first needed."""
        self.inline_bytes = inline_bytes
        self._root = root
        self._file = file
        self._fd = -1
        self._recent: dict[tuple[str, int], Tree] = {}

    def fold(self, tree: Tree, tree_text: str) -> str:
        """The text of a tree for the database: itself, or where its large parts are stored.

        First its fields or elements that are large by themselves; and if the rest is still large, the whole.
        """
        if len(tree_text) <= self.inline_bytes:
            return tree_text
        folded = self._fold_parts(tree)
        if folded is not tree:
            tree_text = text.dump(folded)
            if len(tree_text) <= self.inline_bytes:
                return tree_text
        return text.dump(self.put(tree_text))

    def _fold_parts(self, tree: Tree) -> Tree:
        if isinstance(tree, list):
            return list(map(self._fold_part, tree))
        if not isinstance(tree, dict):
            return tree
        if "$" not in tree:
            return {name: self._fold_part(part) for name, part in tree.items()}
        if tree["$"] in ("record", "tuple"):
            return {**tree, "v": self._fold_parts(tree["v"])}
        return tree

    def _fold_part(self, part: Tree) -> Tree:
        if not isinstance(part, (str, list, dict)):
            return part
        part_text = text.dump(part)
        return part if len(part_text) <= self.inline_bytes else self.put(part_text)

    def put(self, tree_text: str) -> Tree:
        """Store the text of a tree; the tag that says where.

        Raises:
            OSError: the place has no room.
        """
        import hashlib

        data = tree_text.encode()
        if self._fd < 0:
            place = os.path.join(self._root, self._file)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            self._fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        at = os.fstat(self._fd).st_size
        write_all(self._fd, data)
        return {
            "$": "value",
            "file": self._file,
            "at": at,
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }

    def load(self, tag: Tree) -> Tree:
        """The tree that `put` stored, in this pack or another one of the run.

        Raises:
            PlaceError: it is missing or was changed.
        """
        place = (tag["file"], tag["at"])
        if place not in self._recent:
            while len(self._recent) >= KEPT:
                del self._recent[next(iter(self._recent))]
            self._recent[place] = text.parse(read_stored(self._root, tag).decode())
        return self._recent[place]


def read_stored(root: str, tag: Tree) -> bytes:
    """The text that a `value` tag stands for.

    Raises:
        PlaceError: it is missing or was changed.
    """
    import hashlib

    place = os.path.join(root, tag["file"])
    try:
        fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(fd, tag["size"], tag["at"])
        finally:
            os.close(fd)
    except OSError as error:
        raise PlaceError(f"{place}: {error.strerror}: a value of the run is stored there") from error
    if hashlib.sha256(data).hexdigest() != tag["sha256"]:
        raise PlaceError(f"{place}: at byte {tag['at']}: the value stored there is incomplete or was changed")
    return data
