"""What a pod is to do: the tasks of one chunk of a node, as a batch for the runner; or the counts of a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.graph import OpTemplate
from sciflow.core.job import SINGLE, Job
from sciflow.core.keys import is_key
from sciflow.core.records import Phase
from sciflow.engine import binding
from sciflow.engine.activation import NodeRun
from sciflow.engine.binding import BindingError
from sciflow.engine.contents import Contents
from sciflow.engine.jobs import job_of
from sciflow.executors.argo.place.outcomes import TaskEnd
from sciflow.executors.dispatched import dispatcher_of
from sciflow.executors.request import element_of
from sciflow.pod.assignment import write_assignment
from sciflow.pod.brought_values import BroughtValues
from sciflow.pod.cached import CachedOutcomes, Taken
from sciflow.pod.earlier_pods import EarlierPods, KnownEnds
from sciflow.pod.first_round import write_first_round
from sciflow.pod.known import printed, reused
from sciflow.pod.recollection import Recollection, total_of
from sciflow.pod.run_view import RunView
from sciflow.pod.workplace import Workplace
from sciflow.runner.exit_codes import OMITTED, SOME_FAILED, UNBOUND
from sciflow.runner.pod import KEYS, NUMBERS
from sciflow.runner.pod_ends import OUTCOMES
from sciflow.runner.retrying import error_may_retry

POLICY = ("retries", "retry_on", "backoff_s", "backoff_factor", "backoff_max_s")  # what the runner asks of it


class Binder:
    """Finds out what one pod is to do."""

    def __init__(self, work: Workplace) -> None:
        self._work = work
        self._view = RunView(work)
        self._facts = self._view.facts
        self._run, self._values = self._view.recall(Recollection, exit_phase=self._view.exit_phase())

    def plan(self, path: str) -> None:
        """Leaves in how many parts a node is run: 0 if it is not."""
        try:
            run = self._run.node(path)
        except BindingError as error:
            self._work.order(code=UNBOUND, message=f"{path}: {error}")
            return
        if run.phase is Phase.OMITTED:
            self._work.order(code=OMITTED, message=f"{path}: what it needs has failed")
            return
        total = total_of(run)
        template = self._facts.spec.templates[run.node.template]
        each = self._facts.chunk_at(run.node, total, above=run.home.above) if isinstance(template, OpTemplate) else 1
        (self._work.pod / "parts").write_text(str(-(-total // each)))
        self._work.order(code=0)

    def bind(self, path: str, chunk: int, *, replaces: bool) -> None:
        """Leaves what is needed to run the tasks of one chunk.

        `replaces`: an earlier pod was lost; tasks that it has brought to their last end are not tried once more.
        """
        try:
            run = self._run.node(path)
            if run.phase is not Phase.RUNNING:
                message = f"{path}: what it needs has failed" if run.phase is Phase.OMITTED else ""
                self._work.order(code=OMITTED if message else 0, message=message)
                return
            self._bind(run, chunk, replaces=replaces)
        except BindingError as error:
            self._work.order(code=UNBOUND, message=f"{path}: {error}")

    def _bind(self, run: NodeRun, chunk: int, *, replaces: bool) -> None:
        assert run.tasks is not None
        self._run.fix(run)
        earlier = self._view.source.earlier(run.path, chunk)
        run.tasks.attempts = {i: end.attempt + 1 for i, end in earlier.last.items()}
        spent = self._spent(run.path, chunk, earlier, replaces=replaces)
        again = (
            earlier.failed if not replaces else {i for i in earlier.failed if _may_follow(run, earlier.last[i], spent)}
        )
        job = self._job(run, self._wanted(run, chunk, earlier, again))
        self._show_keys(job.keys)
        known, cache = self._known(job, new={i for i in job.slices if i not in earlier.last})
        job = element_of(job, [k for k, i in enumerate(job.slices) if i not in known.lines], ()).job
        ends = earlier.and_also(known, tried=job.slices)
        head = {"path": run.path, "chunk": chunk, "generation": earlier.count, "succeeded": ends.succeeded}
        if not job.slices:
            self._leave(head, ends)
            return
        dispatcher = dispatcher_of(run.node, self._facts.dispatchers)
        if dispatcher:
            jobs = [write_assignment(self._work, self._facts, dispatcher, job, run.node.fan)]
        else:  # a pod that was lost may come back: what it prints and saves must not have the names of its successor's
            name = f"{run.path.replace('/', '.')}.{chunk}.{earlier.count}.{self._work.setup.uid[:8]}.1"
            jobs = write_first_round(self._work, self._facts, name, job)
        self._work.order(
            head=head,
            tasks=_numbered(jobs),
            spent={str(i): attempts for i, attempts in spent.items()},
            policy=_policy(run),
            memory_mb=0 if dispatcher else job.need.resources.memory_mb,  # of this pod
            earlier=ends,
            run=self._work.layout.run,
            cache={str(i): key for i, key in cache.items()},
        )

    def _show_keys(self, keys: Sequence[str | None]) -> None:
        """Leaves for who looks at Argo which tasks these are: an object of Kubernetes has no room for all keys."""
        known = [key for key in keys if key is not None and is_key(key)]  # Argo gets no other text
        if known:
            text = known[0] if len(known) == 1 else f"{known[0]} ... {known[-1]} ({len(known)} tasks)"
            folder = self._work.pod / NUMBERS
            folder.mkdir()
            (folder / KEYS).write_text(text)

    def _spent(self, path: str, chunk: int, earlier: EarlierPods, *, replaces: bool) -> Mapping[int, int]:
        """How often tasks had been tried before the run was last begun or retried, of those that had failed.

        It is kept for pods that replace this one: what these find of earlier ends may be older or newer than that.
        """
        key = self._work.layout.spent(path, chunk)
        if replaces:
            return self._work.bucket.decoded(key, dict[int, int]) or {}
        spent = {i: earlier.last[i].attempt for i in earlier.failed}
        if spent:
            self._work.bucket.put(key, msgspec.json.encode(spent))
        return spent

    def _wanted(self, run: NodeRun, chunk: int, earlier: EarlierPods, again: AbstractSet[int]) -> Sequence[int]:
        """The tasks of a chunk that have not ended, and those `again`, unless their failure is put up with."""
        assert run.tasks is not None
        each = self._facts.chunk_at(run.node, run.tasks.total, above=run.home.above)
        slices = [SINGLE] if run.tasks.single else range(chunk * each, min(run.tasks.total, (chunk + 1) * each))
        again = set() if again and self._run.has_enough(run) else again
        return [i for i in slices if i not in earlier.last or i in again]

    def _known(self, job: Job, new: AbstractSet[int]) -> tuple[Taken, dict[int, str]]:
        """The ends of tasks that are known; under what the outcomes of the others go into the cache, by slice."""
        given = {i: line for i, line in reused(job, self._facts.reuse).items() if i in new}
        if not job.policy.cache:
            return Taken(lines=given), {}
        told = printed(job, Contents(self._work.root))
        job.seeds = [told.seed(row) for row in job.elements]  # so that a result from the cache is what a run would make
        keys = {i: told.key(row).hex() for i, row in zip(job.slices, job.elements, strict=True) if i not in given}
        cached = CachedOutcomes(self._work.bucket, self._work.layout)
        found = cached.find(job, {i: key for i, key in keys.items() if i in new})
        known = msgspec.structs.replace(found, lines={**given, **found.lines})
        return known, {i: key for i, key in keys.items() if i not in known.lines}

    def _leave(self, head: Mapping[str, object], ends: KnownEnds) -> None:
        """There is nothing to run: all that there is to say of the tasks is said here."""
        rest = {"folders": ends.folders, "executable": ends.executable, "contents": ends.contents}
        lines = [msgspec.json.encode(line).decode() for line in (head, rest)]
        (self._work.pod / OUTCOMES).write_text("\n".join([*lines, *ends.lines]) + "\n")
        self._work.order(code=SOME_FAILED if ends.failed else 0)

    def _job(self, run: NodeRun, wanted: Sequence[int]) -> Job:
        template = self._facts.spec.templates[run.node.template]
        assert isinstance(template, OpTemplate)
        need = binding.need_of(run, self._values, self._facts.executor)
        job = job_of(run, template, need, wanted, id_=1, key=lambda i: _key(run, i, self._values))
        texts = iter(self._values.localised((job.fixed, *(text for row in job.elements for text in row))))
        return msgspec.structs.replace(
            job, fixed=next(texts), elements=[[next(texts) for _ in row] for row in job.elements]
        )


def _numbered(jobs: Sequence[Job]) -> dict[str, tuple[int, int]]:
    """Slice and attempt of each task, by its number."""
    return {
        str(job.number(position)): (slice_, job.attempts[position])
        for job in jobs
        for position, slice_ in enumerate(job.slices)
    }


def _policy(run: NodeRun) -> dict[str, Tree]:
    return {name: getattr(run.node.policy, name) for name in POLICY}


def _may_follow(run: NodeRun, end: TaskEnd, spent: Mapping[int, int]) -> bool:
    """Whether an attempt that failed is followed by another one of itself."""
    extra, tries = end.told.extra, end.attempt - spent.get(end.slice, 0)
    if extra is None or extra.error is None:
        return False
    return error_may_retry(msgspec.to_builtins(extra.error), _policy(run), tries)


def _key(run: NodeRun, slice_: int, values: BroughtValues) -> str | None:
    assert run.tasks is not None
    return binding.key_of(run, slice_, run.tasks.elements(slice_), values)
