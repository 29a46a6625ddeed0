"""Values of a run in one of its pods: what is stored in the bucket is brought when it is needed, and no sooner."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.trees import parts_of, with_inner, with_parts
from sciflow.engine.values import StoredValues, is_folded, read_folded
from sciflow.errors import RunDamaged
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.content import Changed
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.place.run_files import RunFiles
from sciflow.pod.node_output import NodeOutput, is_told, node_of, told_text, whole

HERE = "in/"  # begins the paths, below the run's root in the pod, of what was brought
NEAR_BYTES = 1 << 20  # what lies no farther apart in the bucket is brought in one piece
PIECE_BYTES = 64 << 20  # which has about so many bytes at most
_REFERENCES = (b'"$":"artifact"', b'"$":"value"', b'"$":"told"')
_FOLDED = b'{"$":"value"'


class BroughtValues:
    """See `engine.journal.Values`. References to what nodes have given are looked up with `told`."""

    def __init__(
        self,
        root: Path,
        bucket: Bucket,
        layout: Layout,
        files: RunFiles,
        *,
        inline_bytes: int,
        told: Callable[[int], NodeOutput],
    ) -> None:
        self._root = root
        self._bucket = bucket
        self._layout = layout
        self._files = files
        self._told = told
        (root / HERE / "values").mkdir(parents=True, exist_ok=True)
        self._stored = StoredValues(root, pack=f"{HERE}values/bound", inline_bytes=inline_bytes, outputs=lambda _: ())
        self._looked_up: dict[int, Tree] = {}

    # --- the protocol

    def fold(self, text: bytes) -> bytes:
        """See `Values`."""
        return self._stored.fold(text)

    def unfold(self, tree: Tree) -> Tree:
        """See `Values`."""
        if isinstance(tree, dict) and tree.get("$") == "told":
            tree = self._tree_of(tree["node"])
        return self._stored.unfold(self._value(tree) if is_folded(tree) else tree)

    def elements(self, text: bytes) -> Sequence[bytes]:
        """See `Values`."""
        if is_told(text):
            given = self._told(node_of(text))
            return self.elements(given) if isinstance(given, bytes) else given
        if text.startswith(_FOLDED):
            text = msgspec.json.encode(self._value(json.loads(text)))
        return self._stored.elements(text)

    def gather(self, number: int, total: int) -> bytes:
        """See `Values`."""
        del total
        return told_text(number)

    # --- for the worker

    def localised(self, texts: Iterable[bytes]) -> list[bytes]:
        """Values as a worker here can read them: all that they refer to is brought."""
        texts = list(texts)
        self._bring(texts)
        return [self._localised(text) for text in texts]

    def _localised(self, text: bytes) -> bytes:
        return msgspec.json.encode(self._here(json.loads(text))) if _refers(text) else text

    def _here(self, tree: Tree) -> Tree:
        return with_parts(tree, self._part_here)

    def _part_here(self, part: dict[str, Tree]) -> Tree:
        match part:
            case {"$": "artifact"}:
                return self._artifact(part)
            case {"$": "told", "node": number}:
                (text,) = self.localised([whole(self._told(number))])
                return json.loads(self._stored.fold(text))
            case {"$": "value"}:
                local = self._value(part)
                data = msgspec.json.encode(self._stored.unfold(local))
                rewritten = self._localised(data)
                return local if rewritten == data else json.loads(self._stored.fold(rewritten))
            case _:
                return with_inner(part, self._part_here)

    def _tree_of(self, number: int) -> Tree:
        if number not in self._looked_up:
            self._looked_up[number] = json.loads(whole(self._told(number)))
        return self._looked_up[number]

    # --- what is brought

    def _bring(self, texts: Iterable[bytes]) -> None:
        """Brings what values refer to, and what that refers to, several at once."""
        while wanted := [json.loads(text) for text in texts if _refers(text)]:
            found = list(parts_of(wanted))
            values = {tree["sha256"]: tree for tree in found if tree["$"] == "value"}
            paths = {str(tree["path"]) for tree in found if tree["$"] == "artifact"}
            self._bring_values([tree for tree in values.values() if self._is_to_come(tree)])
            self._files.expect(found)
            self._bring_artifacts({path for path in paths if not path.startswith(HERE)})
            texts = [read_folded(self._root, self._value(tree)) for tree in values.values()]

    def _is_to_come(self, tree: Mapping[str, Tree]) -> bool:
        return not (self._root / self._place(tree)).exists()

    def _bring_values(self, trees: list[Mapping[str, Tree]]) -> None:
        trees.sort(key=lambda tree: (tree["file"], tree["at"]))
        pieces: list[list[Mapping[str, Tree]]] = []
        for tree in trees:
            if pieces and _is_near(pieces[-1], tree):
                pieces[-1].append(tree)
            else:
                pieces.append([tree])
        self._bucket.at_once(self._bring_piece, pieces)

    def _bring_piece(self, trees: Sequence[Mapping[str, Tree]]) -> None:
        """Values that lie near to each other."""
        key, begin = self._layout.part(trees[0]["file"]), trees[0]["at"]
        data = self._bucket.part(key, begin, trees[-1]["at"] + trees[-1]["size"] - begin) or b""
        for tree in trees:
            value = data[tree["at"] - begin :][: tree["size"]]
            if hashlib.sha256(value).hexdigest() != tree["sha256"]:
                raise Changed(f"{key}: a value of the run is missing or was changed")
            (self._root / self._place(tree)).write_bytes(value)

    def _value(self, tree: Mapping[str, Tree]) -> dict[str, Tree]:
        """A stored value as one that is stored here."""
        if self._is_to_come(tree):
            self._bring_piece([tree])
        place = self._place(tree)
        return dict(tree) if place == tree["file"] else {**tree, "file": place, "at": 0}

    def _place(self, tree: Mapping[str, Tree]) -> str:
        file = str(tree["file"])
        return file if file.startswith(HERE) else f"{HERE}values/{tree['sha256']}"

    def _artifact(self, tree: Mapping[str, Tree]) -> dict[str, Tree]:
        path = str(tree["path"])
        if path.startswith(HERE):
            return dict(tree)
        return {name: value for name, value in {**tree, "path": f"{HERE}{path}"}.items() if name != "at"}

    def _bring_artifacts(self, paths: AbstractSet[str]) -> None:
        for path, why in self._files.bring_all(paths, self._root / HERE).items():
            if why:
                raise Changed(f"{self._layout.part(path)}: {why}")
            raise RunDamaged(f"{self._layout.part(path)}: a file of the run is not in the bucket any more")


def _refers(text: bytes) -> bool:
    return any(mark in text for mark in _REFERENCES)


def _is_near(piece: Sequence[Mapping[str, Tree]], tree: Mapping[str, Tree]) -> bool:
    first, last = piece[0], piece[-1]
    end = last["at"] + last["size"]
    together = tree["at"] + tree["size"] - first["at"]
    return bool(tree["file"] == last["file"] and tree["at"] - end <= NEAR_BYTES and together <= PIECE_BYTES)
