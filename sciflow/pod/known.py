"""Tasks of a pod whose outcome is known before they run: by key in what the run was given, by content in the cache.

The cache is a folder of the bucket, an object per outcome under what identifies it (see `engine.fingerprint`). An entry
says which run has its files; they are copied into the one that takes it. The runner writes the entries.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping

import msgspec

from sciflow.core.conform import misfit
from sciflow.core.expr import Tree
from sciflow.core.job import SINGLE, Job
from sciflow.core.records import Phase
from sciflow.core.trees import with_inner, with_parts
from sciflow.engine.binding import split_object
from sciflow.engine.contents import Contents
from sciflow.engine.fingerprint import Fingerprint, fingerprint, parts_of
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.place.run_files import RunFiles
from sciflow.executors.argo.place.shapes import Shapes

Line = list[Tree]  # of a file of outcomes, see `executors.argo.place.outcomes.TaskEnd`


class Entry(Shapes, frozen=True, kw_only=True):
    """An outcome in the cache, with the shapes of what it speaks of."""

    run: str
    output: msgspec.Raw
    extra: msgspec.Raw = msgspec.Raw(b"null")


def printed(job: Job, contents: Contents) -> Fingerprint:
    """What identifies the outcomes of a job's tasks; all that its values refer to is at hand."""
    parts, fixed = parts_of(job.template), split_object(job.fixed)
    return fingerprint(job.template, parts, job.need, fixed=fixed, columns=job.columns, contents=contents)


def reused(job: Job, reuse: Mapping[str, Tree]) -> dict[int, Line]:
    """The ends of tasks whose output was given with the run, by the key of each."""
    keyed = zip(job.slices, job.keys, strict=True)
    return {slice_: _reused(slice_, key, reuse[key], job) for slice_, key in keyed if key is not None and key in reuse}


def _reused(slice_: int, key: str, tree: Tree, job: Job) -> Line:
    wrong = misfit(tree, job.template.output)
    if wrong is None:
        return _line(slice_, Phase.SUCCEEDED, tree, None)
    message = f"reuse gives {wrong.found} for key {key!r}, and {job.template.name} gives {wrong.expected}"
    error = {"type": "sciflow:InvalidReuse", "message": message, "kind": "contract", "fatal": True}
    return _line(slice_, Phase.FAILED, None, {"error": error})


def _line(slice_: int, phase: Phase, output: Tree, extra: Tree) -> Line:
    return [slice_, 1, "", 0, 0, [0, 0, phase.value, output, round(time.time(), 6), 0.0, 0, 0, extra]]


class _FilesGone(Exception):
    """The run that the cache names was cleaned."""


class CachedOutcomes:
    """The outcomes of earlier runs, found by content."""

    def __init__(self, bucket: Bucket, layout: Layout, files: RunFiles) -> None:
        self._bucket = bucket
        self._layout = layout
        self._files = files

    def find(self, job: Job, keys: Mapping[int, str]) -> dict[int, Line]:
        """The ends of the tasks that are there; `keys`: under what, by slice. Their files are in this run then."""
        places = {self._layout.cached(key): slice_ for slice_, key in keys.items()}
        found = self._bucket.get_all(places)
        lines = self._bucket.at_once(lambda place: self._taken(job, places[place], found[place]), list(found))
        taken = zip(found, lines, strict=True)
        return {places[place]: line for place, line in taken if line is not None}

    def _taken(self, job: Job, slice_: int, text: bytes) -> Line | None:
        """What an entry says; None: another version wrote it, or the files that it speaks of were removed."""
        try:
            entry = msgspec.json.decode(text, type=Entry)
        except msgspec.DecodeError:
            return None
        there = Layout(self._layout.prefix, entry.run)
        task = f"tasks/{job.path}" if slice_ == SINGLE else f"tasks/{job.path}/{slice_}"
        try:
            output = self._here(json.loads(bytes(entry.output)), entry, there, task)
        except _FilesGone:
            return None
        return _line(slice_, Phase.SUCCEEDED, output, json.loads(bytes(entry.extra)))

    def _here(self, tree: Tree, entry: Entry, there: Layout, task: str) -> Tree:
        """A value with its files in this run."""

        def here(part: dict[str, Tree]) -> Tree:
            match part:
                case {"$": "artifact", "path": str() as path}:
                    return {**part, "path": self._copied(path, entry, there, task)}
                case {"$": "value", "file": str() as file}:
                    target = f"{file}.of.{entry.run}"
                    self._copy(there.part(file), self._layout.part(target))
                    return {**part, "file": target}
                case _:
                    return with_inner(part, here)

        return with_parts(tree, here)

    def _copy(self, key: str, to: str) -> None:
        if not self._bucket.copy(key, to):
            raise _FilesGone

    def _copied(self, path: str, entry: Entry, there: Layout, task: str) -> str:
        """Copies a file or folder of another run; its path in this one."""
        target = f"{task}/{path.partition('/')[2]}"
        files = list(_parts(path, entry))
        self._bucket.at_once(
            lambda place: self._copy(there.part(f"{path}{place}"), self._layout.part(f"{target}{place}")), files
        )
        self._files.learn(
            Shapes(
                folders={target: entry.folders[path]} if path in entry.folders else {},
                executable=[target] if path in entry.executable else [],
            )
        )
        return target


def _parts(path: str, shapes: Shapes) -> Iterator[str]:
    """What is to be copied of a file or folder: what is to be put behind its path."""
    if path not in shapes.folders:
        yield ""
        return
    yield from (f"/{place}" for place, kind, _ in shapes.folders[path] if kind in ("file", "program"))
