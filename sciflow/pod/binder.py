"""What a pod is to do: the tasks of one chunk of a node, as a batch for the runner; or the counts of a node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import msgspec

from sciflow.core.graph import OpTemplate
from sciflow.core.job import SINGLE, Job
from sciflow.core.keys import is_key
from sciflow.core.records import Phase
from sciflow.engine import binding
from sciflow.engine.activation import NodeRun
from sciflow.engine.binding import BindingError
from sciflow.engine.contents import Contents
from sciflow.engine.jobs import job_of
from sciflow.errors import RunDamaged
from sciflow.executors.archive import unpack
from sciflow.executors.argo.manifest.tolerance import tolerant_graphs
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.facts import Facts, chunk_of
from sciflow.executors.argo.place.given import read_facts
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.place.outcomes import Outcomes, Rest, TaskEnd, final_ends, read_outcomes
from sciflow.executors.argo.place.run_files import RunFiles
from sciflow.executors.request import Surroundings, element_of, environment, payload, renumbered
from sciflow.pod.brought_values import BroughtValues
from sciflow.pod.bucket_source import BucketSource
from sciflow.pod.known import CachedOutcomes, Line, printed, reused
from sciflow.pod.node_output import NodeOutput
from sciflow.pod.recollection import Recollection, total_of
from sciflow.pod.whole_run import Conclusion
from sciflow.runner.exit_codes import OMITTED, SOME_FAILED, UNBOUND
from sciflow.runner.mailbox import prepare
from sciflow.runner.node import started
from sciflow.runner.pod import KEYS, NUMBERS, ORDERS, OUTCOMES

POLICY = ("retries", "retry_on", "backoff_s", "backoff_factor", "backoff_max_s")  # what the runner asks of it
ROOT, POD, CODE, MAILBOX = "run", "pod", "code", "mailbox"  # folders in the volume that the containers of a pod share
R = TypeVar("R", bound=Recollection)
SERVANT = "mailbox.sh"  # beside this module, and in POD


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a pod works."""

    volume: Path
    runner: str  # the runner's zip
    python: str = "python3"
    uid: str = ""  # the pod's own
    exit_phase: str = ""
    image: str = ""  # that of another container, which runs the programs


class Binder:
    """Finds out what one pod is to do."""

    def __init__(self, bucket: Bucket, layout: Layout, place: Place) -> None:
        self._bucket = bucket
        self._layout = layout
        self._place = place
        facts = read_facts(bucket, layout)
        if facts is None:
            raise RunDamaged(f"{bucket!r}: {layout.part('')}: what the run is given is not there any more")
        self._facts: Facts = facts
        self._shapes = RunFiles(bucket, layout)
        self._shapes.learn(self._facts.folders, self._facts.executable)
        self._source = BucketSource(bucket, layout, self._shapes)
        self._root = place.volume / ROOT
        self._pod = place.volume / POD
        for folder in (self._root / "logs", self._root / "tasks", self._root / "values", self._pod):
            folder.mkdir(parents=True, exist_ok=True)
        if place.image:
            prepare(str(self._pod / MAILBOX))
            (self._pod / SERVANT).write_bytes(files(__package__).joinpath(SERVANT).read_bytes())
        self._run, self.values = self.recall(Recollection, exit_phase=self._run_phase())

    def recall(self, kind: type[R], *, exit_phase: str = "") -> tuple[R, BroughtValues]:
        """The run as this pod knows it, and its values."""

        def told(number: int) -> NodeOutput:
            return run.told(number)

        facts = self._facts
        values = BroughtValues(
            self._root, self._bucket, self._layout, self._shapes, inline_bytes=facts.inline_bytes, told=told
        )
        run = kind(facts.spec, facts.inputs, self._source, values, pods=facts.pods, exit_phase=exit_phase)
        return run, values

    def _run_phase(self) -> str:
        """What the run came to: Argo knows neither of failures that are put up with nor of results without a value."""
        spec, there = self._facts.spec, self._place.exit_phase
        if not there:
            return ""
        if there != Phase.SUCCEEDED.value and spec.entry not in tolerant_graphs(spec.templates):
            return Phase.FAILED.value
        run, _ = self.recall(Conclusion)
        return (Phase.FAILED if run.conclude()[0] is None else Phase.SUCCEEDED).value

    def plan(self, path: str) -> None:
        """Leaves in how many parts a node is run: 0 if it is not."""
        try:
            run = self._run.node(path)
        except BindingError as error:
            self._tell(code=UNBOUND, message=f"{path}: {error}")
            return
        if run.phase is Phase.OMITTED:
            self._tell(code=OMITTED, message=f"{path}: what it needs has failed")
            return
        total = total_of(run)
        template = self._facts.spec.templates[run.node.template]
        pods, above = self._facts.pods, run.home.above
        each = chunk_of(run.node.fan, total, pods, above=above) if isinstance(template, OpTemplate) else 1
        (self._pod / "parts").write_text(str(-(-total // each)))
        self._tell(code=0)

    def bind(self, path: str, chunk: int, *, replaces: bool) -> None:
        """Leaves what is needed to run the tasks of one chunk.

        `replaces`: an earlier pod was lost; tasks that it has brought to their end are not tried once more.
        """
        try:
            run = self._run.node(path)
            if run.phase is not Phase.RUNNING:
                message = f"{path}: what it needs has failed" if run.phase is Phase.OMITTED else ""
                self._tell(code=OMITTED if message else 0, message=message)
                return
            self._bind(run, chunk, replaces=replaces)
        except BindingError as error:
            self._tell(code=UNBOUND, message=f"{path}: {error}")

    def _bind(self, run: NodeRun, chunk: int, *, replaces: bool) -> None:
        assert run.tasks is not None
        self._run.fix(run)
        text = self._source.earlier(run.path, chunk)
        earlier = read_outcomes(text) if text is not None else None
        last = final_ends(earlier.ends) if earlier is not None else {}
        run.tasks.attempts = {i: end.attempt + 1 for i, end in last.items()}
        job = self._job(run, self._wanted(run, chunk, last))
        self._show_keys(job.keys)
        known, cache = self._known(job, new={i for i in job.slices if i not in last})
        job = element_of(job, [k for k, i in enumerate(job.slices) if i not in known], ()).job
        kept = _kept(earlier, text, known.values())
        generation = 0 if earlier is None else earlier.head.generation + 1
        head = {"path": run.path, "chunk": chunk, "generation": generation, "succeeded": kept.succeeded}
        if not job.slices:
            self._leave(head, kept)
            return
        # a pod that was lost may come back: what it prints and saves must not have the names of its successor's
        jobs = self._write_batch(f"{run.path.replace('/', '.')}.{chunk}.{generation}.{self._place.uid[:8]}.1", job)
        numbers = {
            str(one.number(position)): [slice_, one.attempts[position]]
            for one in jobs
            for position, slice_ in enumerate(one.slices)
        }
        spent = {} if replaces else {str(i): end.attempt for i, end in last.items()}
        policy = {name: getattr(run.node.policy, name) for name in POLICY}
        self._tell(
            head=head,
            tasks=numbers,
            spent=spent,
            policy=policy,
            memory_mb=job.need.resources.memory_mb,
            earlier=kept,
            run=self._layout.run,
            cache={str(i): key for i, key in cache.items()},
        )

    def _show_keys(self, keys: Sequence[str | None]) -> None:
        """Leaves for who looks at Argo which tasks these are: an object of Kubernetes has no room for all keys."""
        known = [key for key in keys if key is not None and is_key(key)]  # Argo gets no other text
        if known:
            text = known[0] if len(known) == 1 else f"{known[0]} ... {known[-1]} ({len(known)} tasks)"
            folder = self._pod / NUMBERS
            folder.mkdir()
            (folder / KEYS).write_text(text)

    def _wanted(self, run: NodeRun, chunk: int, last: Mapping[int, TaskEnd]) -> Sequence[int]:
        """The tasks of a chunk that have not succeeded; without those whose failure is put up with."""
        assert run.tasks is not None
        each = chunk_of(run.node.fan, run.tasks.total, self._facts.pods, above=run.home.above)
        slices = [SINGLE] if run.tasks.single else range(chunk * each, min(run.tasks.total, (chunk + 1) * each))
        failed = {i for i, end in last.items() if end.told.phase != Phase.SUCCEEDED.value}
        again = set() if failed and self._run.has_enough(run) else failed
        return [i for i in slices if i not in last or i in again]

    def _known(self, job: Job, new: AbstractSet[int]) -> tuple[dict[int, Line], dict[int, str]]:
        """The ends of tasks that are known; under what the outcomes of the others go into the cache, by slice."""
        known = {i: line for i, line in reused(job, self._facts.reuse).items() if i in new}
        if not job.policy.cache:
            return known, {}
        told = printed(job, Contents(self._root))
        job.seeds = [told.seed(row) for row in job.elements]  # so that a result from the cache is what a run would make
        keys = {i: told.key(row).hex() for i, row in zip(job.slices, job.elements, strict=True) if i not in known}
        cached = CachedOutcomes(self._bucket, self._layout, self._shapes)
        known |= cached.find(job, {i: key for i, key in keys.items() if i in new})
        return known, {i: key for i, key in keys.items() if i not in known}

    def _leave(self, head: Mapping[str, object], kept: Kept) -> None:
        """There is nothing to run: all that there is to say of the tasks is said here."""
        rest = {"folders": kept.folders, "executable": kept.executable}
        lines = [msgspec.json.encode(line).decode() for line in (head, rest)]
        (self._pod / OUTCOMES).write_text("\n".join([*lines, *kept.lines]) + "\n")
        self._tell(code=SOME_FAILED if kept.failed else 0)

    def _job(self, run: NodeRun, wanted: Sequence[int]) -> Job:
        template = self._facts.spec.templates[run.node.template]
        assert isinstance(template, OpTemplate)
        need = binding.need_of(run, self.values, self._facts.executor)
        job = job_of(run, template, need, wanted, id_=1, key=lambda i: _key(run, i, self.values))
        texts = iter(self.values.localised((job.fixed, *(text for row in job.elements for text in row))))
        return msgspec.structs.replace(
            job, fixed=next(texts), elements=[[next(texts) for _ in row] for row in job.elements]
        )

    def _write_batch(self, name: str, job: Job) -> list[Job]:
        """The batch of the first round; its jobs with the numbers that their tasks have in it."""
        self._bring_code()
        facts = self._facts
        most = 1 if job.policy.locks else job.parallelism or facts.workers
        workers = max(1, min(facts.workers, len(job.slices), most))
        shares = [range(k, len(job.slices), workers) for k in range(workers)]
        elements = [element_of(job, share, ()) for share in shares]
        around = Surroundings(
            sys_path=[f"$DEPOT/{CODE}/{facts.bundle}"] if facts.bundle else [],
            argv=facts.argv,
            main=f"$ROOT/{facts.main}" if facts.main else None,
            host=facts.host,
            inline_bytes=facts.inline_bytes,
            at=facts.executor,
        )
        env, _ = environment(job.need)
        gpus = job.need.resources.gpus
        made = payload(name, elements, around=around, env=env, gpus=gpus, walltime_s=None)
        folder = self._pod / "1"
        folder.mkdir()
        crew = {
            "workers": workers,
            "command": started(self._place.python, self._place.runner, "element", str(folder)),
            "gpus": gpus,
            "whole": False,
        }
        place = {"root": str(self._root), "depot": str(self._place.volume), "crew": crew, **self._mailbox()}
        (folder / "requests").write_bytes(made.requests)
        (folder / "index.json").write_bytes(msgspec.json.encode({**made.index, **place}))
        return [renumbered(element.job, k) for k, element in enumerate(elements)]

    def _bring_code(self) -> None:
        """The user's modules, the script, and functions that are in no file."""
        facts = self._facts
        for file in facts.code:
            self._bucket.fetch(self._layout.part(f"code/{file}"), self._root / "code" / file)
        if facts.bundle:
            archive = self._pod / "code.tar"
            self._bucket.fetch(self._layout.code(facts.bundle), archive)
            (self._place.volume / CODE).mkdir()
            unpack(archive, self._place.volume / CODE / facts.bundle)

    def _mailbox(self) -> dict[str, object]:
        """What is said of the container that runs programs, if there is one."""
        if not self._place.image:
            return {}
        return {"mailbox": {"folder": str(self._pod / MAILBOX), "image": self._place.image}}

    def _tell(self, **told: object) -> None:
        told = {"root": str(self._root), **self._mailbox(), **told}
        (self._pod / ORDERS).write_bytes(msgspec.json.encode(told))


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of tasks before anything is run: lines of the file of outcomes, and shapes of files."""

    lines: Sequence[str]
    succeeded: int
    failed: int
    folders: Mapping[str, Sequence[Sequence[str]]]
    executable: Sequence[str]


def _kept(earlier: Outcomes | None, text: bytes | None, known: Iterable[Line]) -> Kept:
    lines = text.decode().rstrip("\n").split("\n")[2:] if text is not None else []
    lines += [msgspec.json.encode(line).decode() for line in known]
    last = final_ends(msgspec.json.decode(f"[{','.join(lines)}]", type=list[TaskEnd]))
    succeeded = sum(end.told.phase == Phase.SUCCEEDED.value for end in last.values())
    rest = earlier.rest if earlier is not None else Rest()
    return Kept(
        lines=lines,
        succeeded=succeeded,
        failed=len(last) - succeeded,
        folders=rest.folders,
        executable=rest.executable,
    )


def _key(run: NodeRun, slice_: int, values: BroughtValues) -> str | None:
    assert run.tasks is not None
    return binding.key_of(run, slice_, run.tasks.elements(slice_), values)
