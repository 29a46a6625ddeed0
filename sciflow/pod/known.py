"""Tasks of a pod whose outcome is known before they run: by key in what the run was given; see `cached`, too."""

from __future__ import annotations

import time
from collections.abc import Mapping

from sciflow.core.conform import misfit
from sciflow.core.expr import Tree
from sciflow.core.job import Job
from sciflow.core.records import Phase
from sciflow.engine.binding import split_object
from sciflow.engine.contents import Contents
from sciflow.engine.fingerprint import Fingerprint, fingerprint, parts_of

Line = list[Tree]  # of a file of outcomes, see `executors.argo.place.outcomes.TaskEnd`


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
        return succeeded(slice_, tree, None)
    message = f"reuse gives {wrong.found} for key {key!r}, and {job.template.name} gives {wrong.expected}"
    error = {"type": "sciflow:InvalidReuse", "message": message, "kind": "contract", "fatal": True}
    return _line(slice_, Phase.FAILED, None, {"error": error})


def succeeded(slice_: int, output: Tree, extra: Tree) -> Line:
    """The end of a task that nothing was run for."""
    return _line(slice_, Phase.SUCCEEDED, output, extra)


def _line(slice_: int, phase: Phase, output: Tree, extra: Tree) -> Line:
    return [slice_, 1, "", 0, 0, [0, 0, phase.value, output, round(time.time(), 6), 0.0, 0, 0, extra]]
