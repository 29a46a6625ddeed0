"""Looks up tasks whose outcome is known before they run: by key in what the caller gave, by content in the cache."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sciflow.core.conform import misfit
from sciflow.core.expr import Tree
from sciflow.core.graph import Function, OpTemplate, Template
from sciflow.core.job import SINGLE, Job, Need
from sciflow.core.records import Extra, Phase, TaskError
from sciflow.engine.activation import ENDED, NodeRun
from sciflow.engine.binding import split_object
from sciflow.engine.intake import absolute
from sciflow.engine.journal import Ending
from sciflow.engine.scheduler import Scheduler
from sciflow.errors import RunDamaged

if TYPE_CHECKING:  # imported where the cache is first asked: most runs do without
    from sciflow.engine.cache import Cache, Hit
    from sciflow.engine.carrying import Carrying, Found, Taker
    from sciflow.engine.contents import Contents
    from sciflow.engine.fingerprint import Fingerprint


class Probe:
    """What may be known of a run's tasks. The cache file is opened when the first op asks for it."""

    def __init__(
        self,
        *,
        runs: Path,
        root: Path,
        reuse: Mapping[str, Tree],
        intake: Taker,
        warn: Callable[[str], None],
        traced_now: bool = True,
        write: bool = True,
    ) -> None:
        """Of the run in `root`.

        Args:
            warn: is told why the cache cannot be used, if so.
            traced_now: the workflow's own record of its code holds; later, the code may have been edited.
            write: outcomes are going to be added to the cache.
        """
        self._runs = runs
        self._run = str(root)
        self._root = root
        self._contents: Contents | None = None
        self._warn = warn
        self._write = write
        self._reuse = reuse
        self._intake = intake
        self._cache: Cache | None = None
        self._carrying: Carrying | None = None
        self._prints: dict[int, Fingerprint] = {}
        self._traced_now = traced_now
        self._identities: dict[str, Mapping[str, str] | None] = {}  # as told by workers; None: it cannot be loaded

    def identify(self, template: str, parts: Mapping[str, str] | None) -> None:
        """A worker has loaded an op's code and tells by what it is known; that holds from now on."""
        self._identities[template] = parts
        self._prints = {number: print_ for number, print_ in self._prints.items() if print_.op != template}

    def must_ask(self, run: NodeRun, template: OpTemplate) -> bool:
        """Whether the op's code has to be identified before its tasks can be looked up."""
        asks = run.node.policy.cache and isinstance(template.code, Function) and not template.code.pickled
        return asks and not self._traced_now and template.name not in self._identities

    def _parts(self, template: OpTemplate) -> Mapping[str, str] | None:
        """By what an op's code is known; None if that cannot be told.

        Code that came by value is as it was traced, but what it imports may have been edited before a later session.
        """
        code = template.code
        if isinstance(code, Function) and code.pickled:
            return template.identity if self._traced_now else None
        from sciflow.engine.fingerprint import parts_of

        return self._identities.get(template.name, parts_of(template))

    def settle(self, scheduler: Scheduler, run: NodeRun, template: OpTemplate, need: Need) -> None:
        """Ends the tasks of a node that are known, and releases the others: now, or when large files of it are here."""
        keys = {i: key for i in _open(run) if (key := scheduler.claim(run, i)) is not None}
        reused = {i: self._reuse[key] for i, key in keys.items() if key in self._reuse}
        hits: Mapping[int, Hit] = {}
        if run.node.policy.cache:
            told = self._print(run, template, need)
            run.input_seed = told.seed  # so that a result from the cache is what a run would have made
            wanted = [i for i in _open(run) if i not in reused] if self._parts(template) is not None else []
            hits = self._cached(run, told, wanted)
        if not reused and not hits:
            scheduler.release(run)
            return
        from sciflow.engine.carrying import Carrying, Found

        found = Found(run=run, keys=keys, reused=reused, hits=hits, brought=not self._write)  # a plan moves nothing
        if self._write and found.is_large:
            self._carrying = self._carrying or Carrying(self._intake)
            self._carrying.begin(found)
        else:
            self._tell(scheduler, found, template)

    def arrived(self, scheduler: Scheduler, templates: Mapping[str, Template]) -> None:
        """Goes on with nodes whose large files are here."""
        for found in self._carrying.arrived() if self._carrying else ():
            template = templates[found.run.node.template]
            assert isinstance(template, OpTemplate)
            self._tell(scheduler, found, template)

    @property
    def carries(self) -> bool:
        """Whether large files are on their way."""
        return bool(self._carrying)

    def _tell(self, scheduler: Scheduler, found: Found, template: OpTemplate) -> None:
        if not found.brought:
            found.bring()
        for problem in found.problems:
            self._warn(problem)
        for slice_ in found.reused:
            key = found.keys[slice_]
            scheduler.known(found.run, slice_, key, self._reused(key, template))
        for slice_, hit in found.hits.items():
            text = self._taken_in(hit)
            if text is not None:
                source = f"{os.path.basename(hit.run)}:{hit.path}"
                ending = Ending(Phase.SUCCEEDED, text, extra=hit.extra, cached=source)
                scheduler.known(found.run, slice_, found.keys.get(slice_), ending)
        scheduler.release(found.run)

    def _reused(self, key: str, template: OpTemplate) -> Ending:
        """The end of a task whose output the caller gave; it has failed if that is no output of its op."""
        wrong = misfit(self._reuse[key], template.output)
        if wrong is None:
            return Ending(Phase.SUCCEEDED, self._intake.text(self._reuse[key]), cached=f"key {key}")
        at = f" at {wrong.at}" if wrong.at else ""
        message = f"reuse gives {wrong.found}{at} for key {key!r}, and {template.name} gives {wrong.expected}"
        error = TaskError(kind="contract", type="sciflow:InvalidReuse", message=message, fatal=True)
        return Ending(Phase.FAILED, extra=Extra(error=error))

    def _cached(self, run: NodeRun, told: Fingerprint, slices: list[int]) -> Mapping[int, Hit]:
        """The outcomes in the cache of those among `slices` that have one."""
        assert run.tasks is not None
        if not slices:
            return {}
        hashes = [told.key(() if i == SINGLE else run.tasks.elements(i)) for i in slices]
        hits = self._open_cache().find(told, hashes)
        return {slice_: hits[hash_] for slice_, hash_ in zip(slices, hashes, strict=True) if hash_ in hits}

    def _taken_in(self, hit: Hit) -> bytes | None:
        """The hit's text with its files in this run; None if they are gone or changed."""
        if b'"$":' not in hit.output:
            return hit.output
        try:
            return self._intake.text(absolute(json.loads(hit.output), Path(hit.run)))
        except RunDamaged:
            return None

    def _print(self, run: NodeRun, template: OpTemplate, need: Need) -> Fingerprint:
        if run.number not in self._prints:
            from sciflow.engine.contents import Contents
            from sciflow.engine.fingerprint import fingerprint

            self._contents = self._contents or Contents(self._root)
            parts = self._parts(template) or {}
            assert run.tasks is not None
            self._prints[run.number] = fingerprint(
                template,
                parts,
                need,
                fixed=split_object(run.fixed),
                columns=run.tasks.columns,
                contents=self._contents,
            )
        return self._prints[run.number]

    def learn(self, run: NodeRun, job: Job, position: int, output: bytes, extra: Extra | None) -> None:
        """Puts a new outcome into the cache."""
        if self._parts(job.template) is None:
            return
        told = self._print(run, job.template, job.need)
        path = job.task_path(position)
        self._open_cache().put(told, job.elements[position], output=output, run=self._run, path=path, extra=extra)

    def why(self, run: NodeRun, template: OpTemplate, need: Need, slice_: int) -> list[str]:
        """Why a task is not in the cache."""
        assert run.tasks is not None
        elements = () if slice_ == SINGLE else run.tasks.elements(slice_)
        return self._open_cache().nearest(self._print(run, template, need), elements)

    def _open_cache(self) -> Cache:
        if self._cache is None:
            from sciflow.engine.cache import Cache

            self._cache = Cache(self._runs / "cache.db", warn=self._warn, write=self._write)
        return self._cache

    def commit(self) -> None:
        """Writes what was learnt."""
        if self._cache is not None:
            self._cache.commit()

    def forget(self) -> None:
        """Nobody waits for what is on its way."""
        if self._carrying is not None:
            self._carrying.forget()

    def close(self) -> None:
        """Lets go of the cache."""
        if self._cache is not None:
            self._cache.close()


def _open(run: NodeRun) -> list[int]:
    """The slices of a node that have not ended."""
    assert run.tasks is not None
    slices = [SINGLE] if run.tasks.single else range(run.tasks.total)
    return [i for i in slices if run.tasks.state[i] != ENDED]
