"""Values of a run: short ones in the database's rows, long ones in packs, files of many values one after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from sciflow.core.expr import Tree
from sciflow.engine.patience import Insist, at_once
from sciflow.errors import RunDamaged
from sciflow.runner import codec
from sciflow.runner.failures import PlaceError
from sciflow.runner.packs import Pack, read_stored

_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_FOLDED = b'{"$":"value"'
NULL = b"null"

Outputs: TypeAlias = Callable[[int], Iterable[tuple[int, bytes | None]]]


class StoredValues:
    """Folds and unfolds the values of one run; see `engine.journal.Values`."""

    def __init__(self, root: Path, *, pack: str, inline_bytes: int, outputs: Outputs) -> None:
        """`pack` is the engine's own pack file, `outputs` gives (slice, text) of a node's succeeded tasks in order."""
        self._root = root
        self._pack = Pack(str(root), pack, inline_bytes=inline_bytes)
        self._inline = inline_bytes
        self._outputs = outputs
        self._recent: dict[tuple[str, int], Tree] = {}
        self.insist: Insist = at_once  # how it goes about writing

    def fold(self, text: bytes) -> bytes:
        """See `Values`."""
        if len(text) <= self._inline:
            return text
        try:
            return msgspec.json.encode(self.insist(lambda: self._pack.put(text.decode())))
        except OSError as error:
            fix = "make room on the disk, then `sciflow resume`; all that was recorded is kept"
            raise RunDamaged(f"{self._root}: a value cannot be stored: {error}\n    fix:      {fix}") from error

    def unfold(self, tree: Tree) -> Tree:
        """See `Values`; the last few are kept."""
        if not is_folded(tree):
            return tree
        place = (tree["file"], tree["at"])
        if place not in self._recent:
            if len(self._recent) >= 8:
                del self._recent[next(iter(self._recent))]
            self._recent[place] = json.loads(read_folded(self._root, tree))
        return self._recent[place]

    def elements(self, text: bytes) -> Sequence[bytes]:
        """See `Values`."""
        if text.startswith(_FOLDED):
            text = read_folded(self._root, json.loads(text))
        if text.startswith(b"["):
            return [bytes(raw) for raw in _LIST.decode(text)]
        match json.loads(text):
            case {"$": "tuple", "v": items}:
                return [msgspec.json.encode(item) for item in items]
            case {"$": "ndarray", "shape": [_, *_]} as tree:
                return [msgspec.json.encode(codec.encode(row)) for row in codec.decode(tree)]
            case other:
                raise TypeError(f"expected a list, found {_kind(other)}")

    def gather(self, number: int, total: int) -> bytes:
        """See `Values`."""
        texts = [NULL] * total
        for slice_, text in self._outputs(number):
            texts[slice_] = text or NULL
        return b"[" + b",".join(texts) + b"]"


def is_folded(tree: Tree) -> bool:
    """Whether a tree only says where it is stored."""
    return isinstance(tree, dict) and tree.get("$") == "value"


def read_folded(root: Path, folded: Tree) -> bytes:
    """The text of a stored value, its hash checked.

    Raises:
        RunDamaged: the file is missing, short or changed.
    """
    try:
        return read_stored(str(root), folded)
    except PlaceError as error:
        raise RunDamaged(str(error)) from error


def whole_text(text: bytes, root: Path) -> bytes:
    """The text of a value, wherever it is stored."""
    return read_folded(root, json.loads(text)) if text.startswith(_FOLDED) else text


def _kind(tree: Tree) -> str:
    if isinstance(tree, dict):
        return str(tree.get("type", tree.get("$", "dict")))
    return "None" if tree is None else type(tree).__name__
