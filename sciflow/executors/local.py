"""Runs tasks in resident worker processes on this machine, with cores, memory and GPUs counted.

A worker serves ops that want the same surroundings (cores, GPUs, environment): thread pools of numerical libraries are
sized when a process starts. It is handed short tasks several at a time, so that a message costs little beside the work,
and long ones singly. A worker that dies takes down the task it was in and no other.
"""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from sciflow.core.job import Job, Need
from sciflow.core.records import Loaded, Progress, Reply, TaskError
from sciflow.executors.ahead import take_ahead
from sciflow.executors.capacity import Capacity
from sciflow.executors.executor import Brought, Died, Ended, Identified, Lost, Offer, Report, Watch
from sciflow.executors.frames import hello_frame, op_frame, op_text, tasks_frame
from sciflow.executors.pace import WINDOW_S, Pace
from sciflow.executors.secrets import resolve_secret
from sciflow.executors.spawned import Spawned, worker_environ
from sciflow.executors.worker import DESERTED, Queued, Worker, death
from sciflow.executors.worker_process import WorkerProcess

GRACE_S = 3.0  # between asking a task's processes to end and killing them
MOST_QUEUED = 4  # jobs in a worker


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the workers of a run stand: its folder, and what is the same for all of them."""

    root: Path
    session: int
    inline_bytes: int
    sys_path: Sequence[str]
    argv: Sequence[str]
    main: str | None
    host: Mapping[str, object]
    deadline: float | None = None  # of the run, monotonic


class LocalExecutor:
    """See `executors.executor.Executor`."""

    outlives = False
    throttles = False
    settled = True  # what it was told to end is in flight until it has ended

    def __init__(self, place: Place, capacity: Capacity) -> None:
        self._place = place
        self._capacity = capacity
        self._workers: list[Worker] = []
        self._pace = Pace()
        self._ops: dict[tuple[int, tuple[int, ...]], tuple[int, bytes]] = {}  # (node, gpus) -> number, text
        self._op_numbers: dict[bytes, int] = {}
        self._names: dict[int, str] = {}  # of the ops, by number
        self._serial = 0
        self._reports: list[Report] = []

    # --- the contract

    def offer(self, need: Need, template: str, *, remaining: int, at_once: int | None = None) -> Offer:  # noqa: ARG002
        """See `Executor`."""
        slices = self._pace.slices(template, remaining=remaining, workers=self._capacity.cpus)
        if self._choose(need, template) is None and not self._may_start(need):
            return Offer(0, holds=self._capacity.holds(need.resources))
        return Offer(slices)

    def submit(self, job: Job) -> None:
        """See `Executor`."""
        worker = self._choose(job.need, job.template.name) or self._start(job.need)
        if job.slices and not worker.jobs:
            worker.gpus = self._capacity.take(job.need.resources, worker.gpus)
        op, text = self._op(job, worker.gpus)
        if op not in worker.known:
            worker.known.add(op)
            worker.loading.add(op)
            worker.process.send(op_frame(op, text))
        if not job.slices:
            return
        left = None if self._place.deadline is None else self._place.deadline - time.monotonic()
        expected = self._pace.expected(job.template.name, len(job.slices))
        worker.jobs.append(Queued(job, deque(range(len(job.slices))), expected))
        worker.process.send(tasks_frame(op, job, left))

    def watch(self) -> Watch:
        """See `Executor`."""
        if self._reports:
            return Watch(seconds=0)
        busy = [worker for worker in self._workers if worker.jobs]
        calm = bool(busy) and all(worker.short and worker.expected_s > WINDOW_S / 2 for worker in busy)
        return Watch(
            read=[fd for worker in self._workers for fd in worker.process.news],
            write=[worker.process.requests for worker in self._workers if worker.process.unsent],
            seconds=self._next_look(busy),
            calm=calm,
        )

    def poll(self) -> list[Report]:
        """See `Executor`."""
        for worker in list(self._workers):
            if worker.process.unsent:
                worker.process.flush()
            for said in worker.process.read():
                self._hear(worker, said)
            if not worker.process.alive:
                self._bury(worker)
        self._enforce_limits()
        reports, self._reports = self._reports, []
        return reports

    def cancel(self, jobs: Iterable[int], error: TaskError) -> None:
        """See `Executor`."""
        unwanted = set(jobs)
        for worker in self._workers:
            if any(queued.job.id in unwanted for queued in worker.jobs):
                worker.doom = error
                worker.unwanted = unwanted
                worker.process.kill(signal.SIGTERM)

    def fetch(self, paths: Sequence[str]) -> None:
        """See `Executor`; what was left here is in the run folder."""
        self._reports.append(Brought(paths=paths))

    def withdraw(self) -> None:
        """See `Executor`; what waits in a worker is a few short tasks."""

    def close(self) -> None:
        """See `Executor`."""
        for worker in self._workers:
            worker.process.leave()
        end = time.monotonic() + 0.3
        for worker in self._workers:
            if not worker.jobs:
                worker.process.ended(max(0.0, end - time.monotonic()))
            worker.process.reap()
        self._workers.clear()

    # --- workers

    def _choose(self, need: Need, template: str) -> Worker | None:
        """A worker that would take a job now: an idle one, else one that is soon done with short ones."""
        fit = [w for w in self._workers if w.fits(need) and w.doom is None]
        idle = [w for w in fit if not w.jobs]
        if idle:
            return idle[0] if self._capacity.fits(need.resources) else None
        if self._may_start(need) or self._pace.expected(template, 1) > WINDOW_S:
            return None
        short = [w for w in fit if w.expected_s < WINDOW_S and len(w.jobs) < MOST_QUEUED]
        return min(short, key=lambda w: w.expected_s, default=None)

    def _may_start(self, need: Need) -> bool:
        return self._capacity.fits(need.resources)

    def _start(self, need: Need) -> Worker:
        self._retire_idle(need)
        self._serial += 1
        name = f"{self._place.session}-{self._serial}"
        gpus = self._capacity.take(need.resources)  # to know their numbers; the job takes the same ones
        self._capacity.give(need.resources, gpus)
        place = self._place
        logs = (place.root / "logs" / f"{name}.out", place.root / "logs" / f"{name}.err")
        environ = self._environ(need, gpus)
        spawned = take_ahead(environ) or Spawned(environ, logs=(str(logs[0]), str(logs[1])))
        process = WorkerProcess(spawned, name=name, logs=logs)
        facts = {
            "root": str(place.root),
            "sys_path": place.sys_path,
            "argv": place.argv,
            "main": place.main,
            "host": place.host,
            "scratch": str(place.root / "work" / spawned.mark),
            "logs": [str(path) for path in logs],
            "pack": f"values/{name}",
            "inline_bytes": place.inline_bytes,
            "resumed": place.session > 1,
        }
        process.send(hello_frame(facts))
        worker = Worker(process, need, gpus)
        self._workers.append(worker)
        return worker

    def _retire_idle(self, need: Need) -> None:
        """Ends idle workers with other surroundings once there are as many processes as cores."""
        for worker in [w for w in self._workers if not w.jobs and not w.fits(need)]:
            if len(self._workers) < self._capacity.cpus:
                return
            worker.process.reap()
            self._workers.remove(worker)

    def _environ(self, need: Need, gpus: tuple[int, ...]) -> dict[str, str]:
        environ = worker_environ(need.resources.cpus)
        if gpus:
            environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))
        return environ | {name: resolve_secret(value) for name, value in need.env}

    def _op(self, job: Job, gpus: tuple[int, ...]) -> tuple[int, bytes]:
        known = self._ops.get((job.node, gpus))
        if known is None:
            text = op_text(job, gpus)
            number = self._op_numbers.setdefault(text, len(self._op_numbers) + 1)
            self._names[number] = job.template.name
            known = self._ops[job.node, gpus] = (number, text)
        return known

    # --- what workers say

    def _hear(self, worker: Worker, said: Reply | Progress | Loaded) -> None:
        worker.heard = True
        match said:
            case Reply():
                self._strike(worker, said.seconds)
                name, at = worker.process.name, (worker.stdout_at, worker.stderr_at)
                self._reports.append(Ended(reply=said, worker=name, stdout_start=at[0], stderr_start=at[1]))
                worker.stdout_at, worker.stderr_at = said.stdout_end, said.stderr_end
            case Progress():
                self._reports.append(said)
            case Loaded(op=op, identity=identity, problem=problem):
                worker.loading.discard(op)
                if identity is not None or problem is not None:
                    self._reports.append(Identified(template=self._names[op], identity=identity))

    def _strike(self, worker: Worker, seconds: float) -> None:
        """Takes a task that ended off its worker's queue; they end in the order in which they were sent."""
        queued = worker.jobs[0]
        queued.left.popleft()
        self._pace.note(queued.job.template.name, seconds)
        if not queued.left:
            worker.jobs.popleft()
            if not worker.jobs:
                self._capacity.give(queued.job.need.resources, worker.gpus)

    def _bury(self, worker: Worker) -> None:
        """Reports the end of the task that a dead worker was in; what it had not begun is to be handed out again."""
        number, began = worker.process.board()
        code = worker.process.reap()
        self._workers.remove(worker)
        self._reports += [Identified(template=self._names[op], identity=None) for op in worker.loading]
        if not worker.jobs:
            return
        self._capacity.give(worker.jobs[0].job.need.resources, worker.gpus)
        pending = [queued.job.number(position) for queued in worker.jobs for position in queued.left]
        if number not in pending:  # between two tasks
            number, began = (pending[0], time.monotonic()) if self._never_began(worker) else (0, 0.0)
        if number and worker.meant(number):
            pending.remove(number)
            error = worker.doom or (DESERTED if worker.process.deserted else death(code))
            self._report_death(worker, number, began, error)
        if pending:
            self._reports.append(Lost(numbers=pending))

    def _never_began(self, worker: Worker) -> bool:
        """It died before its first task: that one fails, lest one worker after the other die of the same cause."""
        return worker.doom is None and not worker.heard

    def _report_death(self, worker: Worker, number: int, began: float, error: TaskError) -> None:
        stdout, stderr = worker.process.log_sizes()
        seconds = max(0.0, time.monotonic() - began)
        self._reports.append(
            Died(
                number=number,
                error=error,
                started=time.time() - seconds,
                seconds=seconds,
                worker=worker.process.name,
                stdout=(worker.stdout_at, stdout),
                stderr=(worker.stderr_at, stderr),
            )
        )

    # --- time limits

    def _enforce_limits(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.process.overdue(GRACE_S, now):
                worker.process.kill()
            limit = worker.jobs[0].job.policy.timeout_s if worker.jobs else None
            number, began = worker.process.board()
            if limit is None or number == 0 or worker.doom is not None or now - began < limit:
                continue
            message = f"it ran longer than its time limit of {limit:g} s"
            worker.doom = TaskError(kind="timeout", type="builtins:TimeoutError", message=message)
            worker.doomed = number
            worker.process.kill(signal.SIGTERM)

    def _next_look(self, busy: Sequence[Worker]) -> float | None:
        """Seconds until a time limit may be passed."""
        now, looks = time.monotonic(), []
        for worker in busy:
            if worker.doom is not None:
                looks.append(0.1)
            elif (limit := worker.jobs[0].job.policy.timeout_s) is not None:
                number, began = worker.process.board()
                looks.append(max(0.0, began + limit - now) if number else min(limit, 0.1))
        return min(looks, default=None)
