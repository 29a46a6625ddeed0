"""The container of a pod that gives tasks to a batch system, follows them, and leaves what the runner's pod leaves.

It holds nothing that another pod could not find again: the host has the record of each submission beside it. A pod that
takes the place of another one brings these records here first, and the executor takes the jobs up that are there.
A pod that is told to end lets its jobs go on, unless the run was ended by somebody: then they are cancelled.
"""

from __future__ import annotations

import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from sciflow.core.job import job_of, position_of
from sciflow.core.records import Progress, Reply, TaskError
from sciflow.engine.endings import ending_of
from sciflow.errors import ConfigError, HostError, HostUnfit, SciflowError
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.layout import HALTED, Layout
from sciflow.executors.batch.executor import BatchExecutor
from sciflow.executors.batch.making import make_batch
from sciflow.executors.batch.record import BatchRecord
from sciflow.executors.batch.recorded import forget_records, recall_records
from sciflow.executors.errand import Errand
from sciflow.executors.executor import Brought, Died, Ended, Lost, Noticed, Report
from sciflow.executors.settings import BatchSettings, parse_executor
from sciflow.pod.arrivals import Arrivals
from sciflow.pod.assignment import Turns, files_in, read_assignment
from sciflow.pod.first_round import BUNDLE
from sciflow.runner.exit_codes import STOPPED
from sciflow.runner.pod import ORDERS, carry_out
from sciflow.runner.pod_ends import PodEnds
from sciflow.runner.pod_log import PodLog
from sciflow.runner.pod_progress import PodProgress

TURN_S, SAVE_S, CANCEL_S, MOST_PAUSE_S = 0.5, 5.0, 20.0, 30.0
ENDED_BY_ORDER = TaskError(kind="cancelled", type="sciflow:Cancelled", message="the run was ended")


def dispatch(folder: Path, bucket: Bucket, layout: Layout, asked: str = "[]", *, login: Path) -> int:
    """Sees to the tasks of the pod of that folder, if it has any; the exit code.

    Args:
        folder: what `bind` has left.
        bucket: where word of the run's end is.
        layout: of the run.
        asked: see `runner.pod.main`.
        login: the folder with the key, the known hosts and the configuration of SSH.
    """
    told = msgspec.json.decode((folder / ORDERS).read_bytes())

    def is_halted() -> bool:
        return bucket.get(layout.part(HALTED)) is not None

    def run() -> int:
        return Dispatcher(folder, told, run=layout.run, login=login, is_halted=is_halted).run()

    return carry_out(str(folder), told, asked, run)


class Dispatcher:
    """Sees to the tasks of one pod."""

    def __init__(
        self, folder: Path, told: dict[str, object], *, run: str, login: Path, is_halted: Callable[[], bool]
    ) -> None:
        """`told`: the pod's file; `run`: the run's id; `is_halted`: whether somebody has ended the run."""
        self._given = read_assignment(folder)
        self._folder = folder
        self._root = _named(Path(str(told["root"])), run)
        self._login = login
        self._is_halted = is_halted
        self._ends = PodEnds(str(folder), told)
        self._turns = Turns(self._given.job)
        self._progress = PodProgress(len(self._given.job.slices))
        self._log = PodLog(f"{self._root}/logs")
        self._arrivals = Arrivals()
        self._stopped = False
        self._saved = 0.0

    def run(self) -> int:
        """All of it; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            settings = self._settings()
            if self._reach(settings):
                executor = make_batch(self._given.executor, settings, self._errand(), recorded=True)
                try:
                    self._follow(executor, settings)
                finally:
                    executor.close()
        except (ConfigError, HostError) as error:
            kind = "refused" if isinstance(error, ConfigError) else "place"
            self._fail_all(TaskError(kind=kind, type=f"sciflow:{type(error).__name__}", message=str(error), fatal=True))
        self._tell(last=True)
        self._ends.remember()
        return STOPPED if self._stopped else self._ends.code

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopped = True

    # --- the way there

    def _settings(self) -> BatchSettings:
        table = {name: value for name, value in self._given.settings.items() if name != "ssh_config"}
        settings = parse_executor(self._given.executor, table)
        assert isinstance(settings, BatchSettings)
        return msgspec.structs.replace(settings, ssh_config=str(_ssh_config(self._folder, self._login)))

    def _errand(self) -> Errand:
        given, firsts = self._given, self._given.firsts
        return Errand(
            root=self._root,
            sys_path=(),
            argv=given.argv,
            main=given.main,
            inline_bytes=given.inline_bytes,
            code={given.bundle: (self._folder / BUNDLE).read_bytes()} if given.bundle else {},
            host=given.host,
            at=given.at,
            is_over=lambda path, attempt: path not in firsts or attempt < firsts[path],
        )

    def _reach(self, settings: BatchSettings) -> bool:
        """Finds the jobs of an earlier pod; False if this one is to end before the host was reached."""
        limit, pause_s, said = time.monotonic() + self._given.start_limit_s, 1.0, ""
        while not self._stopped:
            try:
                recall_records(settings, self._root, self._is_own)
            except HostUnfit:
                raise
            except HostError as error:
                if time.monotonic() > limit:
                    raise
                said = _say(str(error), said)
                self._pause(pause_s)
                pause_s = min(2 * pause_s, MOST_PAUSE_S)
            else:
                return True
        return False

    def _is_own(self, record: BatchRecord) -> bool:
        firsts = self._given.firsts
        names = (name for element in record.elements for name in element)
        own = any(name.path in firsts and name.attempt >= firsts[name.path] for name in names)
        return record.executor == self._given.executor and own

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._stopped:
            time.sleep(0.1)

    # --- tasks

    def _follow(self, executor: BatchExecutor, settings: BatchSettings) -> None:
        said = ""
        while not (self._stopped or (self._turns.over and not self._arrivals)):
            self._hand_over(executor)
            self._wait(executor)
            for report in executor.poll():
                match report:
                    case Noticed(text=text, passing=False):
                        said = _say(text, said)
                    case _:
                        self._hear(executor, report)
            self._tell()
        if self._stopped and self._is_halted():
            self._cancel(executor, settings)

    def _hand_over(self, executor: BatchExecutor) -> None:
        job = self._given.job
        while remaining := self._turns.waiting:
            if job.parallelism is not None and not executor.throttles:
                free = job.parallelism - len(self._turns.jobs)
                if free <= 0:
                    return
                remaining = min(remaining, free)
            at_once = job.parallelism if executor.throttles else None
            offer = executor.offer(job.need, job.template.name, remaining=remaining, at_once=at_once)
            if offer.slices == 0:
                return
            executor.submit(self._turns.take(self._given.chunk or offer.slices))

    def _wait(self, executor: BatchExecutor) -> None:
        watch = executor.watch()
        poll = select.poll()
        for fd in watch.read:
            poll.register(fd, select.POLLIN)
        poll.poll(1000 * min(TURN_S, TURN_S if watch.seconds is None else watch.seconds))

    def _hear(self, executor: BatchExecutor, report: Report) -> None:
        match report:
            case Ended(reply=reply):
                place = self._turns.ended(job_of(reply.number), position_of(reply.number))
                paths = set(files_in(msgspec.json.decode(reply.output), self._root))
                self._arrivals.expect(report, place, paths)
                if paths:
                    executor.fetch(sorted(paths))
                self._arrive()
            case Died(number=number):
                self._end(self._turns.ended(job_of(number), position_of(number)), report)
            case Brought(paths=paths, problem=problem):
                self._arrivals.brought(paths, problem)
                self._arrive()
            case Lost(numbers=numbers):
                for number in numbers:
                    self._turns.lost(job_of(number), position_of(number))
            case Progress():
                self._progress.hear(msgspec.to_builtins(report))
            case _:
                return

    def _arrive(self) -> None:
        for place, end in self._arrivals.take():
            self._end(place, end)

    def _end(self, place: int, report: Ended | Died) -> None:
        ending, job = ending_of(report), self._given.job
        reply = Reply(
            number=job.number(place),
            phase=ending.phase.value,
            output=msgspec.Raw(ending.output or b"null"),
            started=ending.started,
            seconds=ending.seconds,
            stdout_end=ending.stdout[1],
            stderr_end=ending.stderr[1],
            extra=ending.extra,
        )
        said = msgspec.json.decode(msgspec.json.encode(reply))
        said[8] = {name: told for name, told in (said[8] or {}).items() if told} or None  # as the runner says it
        self._ends.hear(ending.worker, [ending.stdout[0], ending.stderr[0]], said)
        wait_s = self._ends.wait_s(job.slices[place])
        if wait_s is not None:
            self._turns.again(place, wait_s)

    def _fail_all(self, error: TaskError) -> None:
        now = time.time()
        for place in range(len(self._given.job.slices)):
            nothing = (0, 0)
            died = Died(number=0, error=error, started=now, seconds=0.0, worker="", stdout=nothing, stderr=nothing)
            self._end(place, died)

    def _cancel(self, executor: BatchExecutor, settings: BatchSettings) -> None:
        """The run was ended: so are its jobs, and no later pod takes them up."""
        executor.cancel(self._turns.jobs, ENDED_BY_ORDER)
        until = time.monotonic() + CANCEL_S
        while not executor.settled and time.monotonic() < until:
            self._wait(executor)
            executor.poll()
        try:
            forget_records(settings, self._root, self._given.executor)
        except SciflowError as error:
            _say(str(error), "")

    # --- to those who look on

    def _tell(self, *, last: bool = False) -> None:
        try:
            self._log.print()
            if last or time.monotonic() - self._saved > SAVE_S:
                self._saved = time.monotonic()
                self._ends.save()
                self._progress.write(self._ends.succeeded)
        except OSError as error:
            if last:
                raise
            sys.stderr.write(f"sciflow: what tasks print and how they end is not kept for now: {error}\n")


def _say(text: str, said: str) -> str:
    """Prints a notice unless it was the last one."""
    if text and text != said:
        sys.stderr.write(f"sciflow: {text}\n")
    return text


def _named(root: Path, run: str) -> Path:
    """The folder of a run by the run's name, as the host has it."""
    link = root.parent / "runs" / run
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(root)
    return link


def _ssh_config(folder: Path, login: Path) -> Path:
    """How hosts are reached, as the Secret says it; else by the name in the settings, with the Secret's own key."""
    given = login / "config"
    lines = ["", "Host *", f"    IdentityFile {login / 'id'}", f"    UserKnownHostsFile {login / 'known_hosts'}", ""]
    config = folder / "ssh_config"
    config.write_text((given.read_text() if given.is_file() else "") + "\n".join(lines))
    return config
