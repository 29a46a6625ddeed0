"""What the tasks of a run have left in its bucket, as one of its pods reads it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from sciflow.core.expr import Tree
from sciflow.engine.values import Outputs, StoredValues, is_folded
from sciflow.errors import RunDamaged
from sciflow.executors.argo.bucket import Bucket
from sciflow.executors.argo.facts import Given
from sciflow.executors.argo.layout import Layout
from sciflow.executors.argo.outcomes import TaskEnd, final_ends, read_outcomes
from sciflow.executors.argo.shapes import Shapes

HERE = "in/"  # begins the paths, below the run's root in the pod, of what was brought
_REFERENCES = (b'"$":"artifact"', b'"$":"value"')
_FOLDED = b'{"$":"value"'


class BucketSource:
    """See `recollection.Source`. What folders hold that values speak of is learnt with their ends."""

    def __init__(self, bucket: Bucket, layout: Layout, shapes: Shapes) -> None:
        self._bucket = bucket
        self._layout = layout
        self._shapes = shapes

    def ends(self, path: str, total: int) -> Mapping[int, TaskEnd]:
        """See `Source`."""
        if total == 1:
            keys = [self._layout.outcomes(path, 0)]
        else:
            keys = list(self._bucket.list(self._layout.outcomes(path, "")))
        ends: dict[int, TaskEnd] = {}
        for text in self._bucket.get_all(keys).values():
            outcomes = read_outcomes(text)
            self._shapes.learn_of(outcomes.head)
            ends.update(final_ends(outcomes.ends))
        return ends

    def earlier(self, path: str, chunk: int) -> bytes | None:
        """What earlier pods of the same tasks have left."""
        return self._bucket.get(self._layout.outcomes(path, chunk))

    def answer(self, path: str) -> bytes | None:
        """See `Source`."""
        text = self._bucket.get(self._layout.answer(path))
        if text is None:
            return None
        given = msgspec.json.decode(text, type=Given)
        self._shapes.learn(given.folders, given.executable)
        return bytes(given.output)


class BroughtValues:
    """See `engine.journal.Values`: what is stored in the bucket is brought when it is needed."""

    def __init__(
        self, root: Path, bucket: Bucket, layout: Layout, shapes: Shapes, *, inline_bytes: int, outputs: Outputs
    ) -> None:
        self._root = root
        self._bucket = bucket
        self._layout = layout
        self._shapes = shapes
        (root / HERE / "values").mkdir(parents=True, exist_ok=True)
        self._stored = StoredValues(root, pack=f"{HERE}values/bound", inline_bytes=inline_bytes, outputs=outputs)
        self._brought: set[str] = set()

    # --- the protocol

    def fold(self, text: bytes) -> bytes:
        """See `Values`."""
        return self._stored.fold(text)

    def unfold(self, tree: Tree) -> Tree:
        """See `Values`."""
        return self._stored.unfold(self._value(tree) if is_folded(tree) else tree)

    def elements(self, text: bytes) -> Sequence[bytes]:
        """See `Values`."""
        if text.startswith(_FOLDED):
            text = msgspec.json.encode(self._value(json.loads(text)))
        return self._stored.elements(text)

    def gather(self, number: int, total: int) -> bytes:
        """See `Values`."""
        return self._stored.gather(number, total)

    # --- for the worker

    def localised(self, text: bytes) -> bytes:
        """A value as a worker here can read it: all that it refers to is brought."""
        if not any(mark in text for mark in _REFERENCES):
            return text
        return msgspec.json.encode(self._here(json.loads(text)))

    def _here(self, tree: Tree) -> Tree:
        match tree:
            case {"$": "artifact"}:
                return self._artifact(tree)
            case {"$": "value"}:
                local = self._value(tree)
                data = msgspec.json.encode(self._stored.unfold(local))
                rewritten = self.localised(data)
                return local if rewritten == data else json.loads(self._stored.fold(rewritten))
            case dict():
                return {name: self._here(value) for name, value in tree.items()}
            case list():
                return [self._here(value) for value in tree]
            case _:
                return tree

    def _value(self, tree: Mapping[str, Tree]) -> dict[str, Tree]:
        """A stored value as one that is stored here."""
        if str(tree["file"]).startswith(HERE):
            return dict(tree)
        file = f"{HERE}values/{tree['sha256']}"
        target = self._root / file
        if not target.exists():
            data = self._bucket.part(self._layout.part(tree["file"]), tree["at"], tree["size"])
            if data is None or hashlib.sha256(data).hexdigest() != tree["sha256"]:
                raise RunDamaged(f"{self._layout.part(tree['file'])}: a value of the run is missing or was changed")
            target.write_bytes(data)
        return {**tree, "file": file, "at": 0}

    def _artifact(self, tree: Mapping[str, Tree]) -> dict[str, Tree]:
        path = str(tree["path"])
        if path.startswith(HERE):
            return dict(tree)
        if path not in self._brought:
            self._brought.add(path)
            if not self._shapes.bring(path, self._root / HERE / path):
                raise RunDamaged(f"{self._layout.part(path)}: a file of the run is not in the bucket any more")
        return {name: value for name, value in {**tree, "path": f"{HERE}{path}"}.items() if name != "at"}
