"""Outcomes of earlier runs, which the runner has left in the bucket, taken into this one.

The cache is a folder of the bucket, an object per outcome under what identifies it (see `engine.fingerprint`). An entry
says which run has its files and its long values; what it speaks of is copied into the run that takes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.job import SINGLE, Job
from sciflow.core.trees import with_inner, with_parts
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.content import Content
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.place.shapes import Inside, Shapes
from sciflow.pod.known import Line, succeeded


class Entry(Shapes, frozen=True, kw_only=True):
    """An outcome in the cache, with the shapes of what it speaks of."""

    run: str
    output: msgspec.Raw
    extra: msgspec.Raw = msgspec.Raw(b"null")


class Taken(Shapes, frozen=True, kw_only=True):
    """The ends of some tasks, by slice, with the shapes of what they speak of in this run."""

    lines: Mapping[int, Line] = {}


class _FilesGone(Exception):
    """The run that the cache names was cleaned."""


class CachedOutcomes:
    """The outcomes of earlier runs, found by content."""

    def __init__(self, bucket: Bucket, layout: Layout) -> None:
        self._bucket = bucket
        self._layout = layout

    def find(self, job: Job, keys: Mapping[int, str]) -> Taken:
        """The ends of the tasks that are there; `keys`: under what, by slice. What they speak of is in this run."""
        places = {self._layout.cached(key): slice_ for slice_, key in keys.items()}
        found = self._bucket.get_all(places)
        taken = self._bucket.at_once(lambda place: self._taken(job, places[place], found[place]), list(found))
        here = [one for one in taken if one is not None]
        return Taken(
            lines={slice_: line for one in here for slice_, line in one.lines.items()},
            folders={path: inside for one in here for path, inside in one.folders.items()},
            executable=[path for one in here for path in one.executable],
            contents={path: content for one in here for path, content in one.contents.items()},
        )

    def _taken(self, job: Job, slice_: int, text: bytes) -> Taken | None:
        """What an entry says; None: another version wrote it, or something that it speaks of was removed."""
        try:
            entry = msgspec.json.decode(text, type=Entry)
        except msgspec.DecodeError:
            return None
        task = f"tasks/{job.path}" if slice_ == SINGLE else f"tasks/{job.path}/{slice_}"
        # The same entry always comes to the same text here: so the pack of a pod and of its successor are one.
        pack = f"values/cached-{hashlib.sha256(text + task.encode()).hexdigest()}"
        there = Layout(self._layout.prefix, entry.run)
        taking = _Taking(self._bucket, entry, there, self._layout, task=task, pack=pack)
        try:
            output = taking.take()
        except _FilesGone:
            return None
        line = succeeded(slice_, output, json.loads(bytes(entry.extra)))
        return Taken(
            lines={slice_: line}, folders=taking.folders, executable=taking.executable, contents=taking.contents
        )


class _Taking:
    """One entry, on its way into this run."""

    def __init__(self, bucket: Bucket, entry: Entry, there: Layout, here: Layout, *, task: str, pack: str) -> None:
        """`task`: the folder that its files get; `pack`: the file of its long values."""
        self.folders: dict[str, Inside] = {}
        self.executable: list[str] = []
        self.contents: dict[str, Content] = {}
        self._bucket = bucket
        self._entry = entry
        self._there = there
        self._layout = here
        self._task = task
        self._pack = pack
        self._long = bytearray()
        self._copies: dict[str, str] = {}  # key here -> key there

    def take(self) -> Tree:
        """The value as it is in this run, and all that it speaks of is there.

        Raises:
            _FilesGone: not all is to be had.
        """
        output = with_parts(json.loads(bytes(self._entry.output)), self._here)
        if not all(self._bucket.at_once(lambda key: self._bucket.copy(self._copies[key], key), list(self._copies))):
            raise _FilesGone
        if self._long:
            self._bucket.put(self._layout.part(self._pack), bytes(self._long))
        return output

    def _here(self, part: dict[str, Tree]) -> Tree:
        match part:
            case {"$": "artifact", "path": str() as path}:
                target = self._file(path)
                if "sha256" in part:
                    self.contents[target] = Content(part["size"], part["sha256"])
                return {**part, "path": target}
            case {"$": "value", "file": str() as file, "at": int() as at, "size": int() as size, "sha256": told}:
                text = self._bucket.part(self._there.part(file), at, size) or b""
                if hashlib.sha256(text).hexdigest() != told:
                    raise _FilesGone
                return self._stored(msgspec.json.encode(with_parts(json.loads(text), self._here)))
            case _:
                return with_inner(part, self._here)

    def _stored(self, text: bytes) -> Tree:
        at = len(self._long)
        self._long += text
        sha256 = hashlib.sha256(text).hexdigest()
        return {"$": "value", "file": self._pack, "at": at, "size": len(text), "sha256": sha256}

    def _file(self, path: str) -> str:
        """Has a file or folder of another run copied; its path in this one."""
        target, entry = f"{self._task}/{path.partition('/')[2]}", self._entry
        if path in entry.folders:
            self.folders[target] = entry.folders[path]
        if path in entry.executable:
            self.executable.append(target)
        for place in _parts(path, entry):
            self._copies[self._layout.part(f"{target}{place}")] = self._there.part(f"{path}{place}")
        return target


def _parts(path: str, shapes: Shapes) -> Iterator[str]:
    """What is to be copied of a file or folder: what is to be put behind its path."""
    if path not in shapes.folders:
        yield ""
        return
    yield from (f"/{place}" for place, kind, _ in shapes.folders[path] if kind in ("file", "program"))
