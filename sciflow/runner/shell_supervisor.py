"""The process that starts the elements of one job of the shell queue, each when there is a slot for it.

It may be killed at any moment. What runs goes on, and holds its own locks; another supervisor starts what waits.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` makes enums of all numbers
import os
import select
import time

from sciflow.runner.file_lock import locked, taken
from sciflow.runner.shell_job import CANCELLED, FAILED, MARK, SUCCEEDED, TIME_LIMIT, UNKNOWN, Job

BETWEEN_LOOKS_S = 0.25  # at slots that other jobs hold, at elements of a supervisor that has died
DEFAULT_MODE = 0o600
PATIENCE_S = 1.0  # with another supervisor that looks for slots


def supervise(job: Job) -> None:
    """Start what waits, and wait for what runs; returns at once if somebody else does so."""
    os.chdir("/")
    lock = os.open(f"{job.folder}/supervisor", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, DEFAULT_MODE)
    if not _taken_soon(lock):
        return
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    Supervisor(job).run()


def _taken_soon(fd: int) -> bool:
    """As `taken`; those who look at a lock hold it for a moment."""
    for _ in range(100):
        if taken(fd):
            return True
        time.sleep(0.001)
    return False


class Supervisor:
    """One job's."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._own: dict[int, int] = {}  # process -> element, of those started here
        self._began = {element: time.monotonic() for element in job.running()}
        self._ended_by_time: set[int] = set()
        self._slots = f"{os.path.dirname(os.path.dirname(job.folder))}/slots"
        os.makedirs(self._slots, 0o700, exist_ok=True)
        self._awake, write = os.pipe()
        os.set_blocking(self._awake, False)
        os.set_blocking(write, False)
        _signal.signal(_signal.SIGCHLD, lambda *_: None)
        _signal.signal(_signal.SIGHUP, _signal.SIG_IGN)
        _signal.set_wakeup_fd(write, warn_on_full_buffer=False)

    def run(self) -> None:
        """Until nothing waits and nothing runs."""
        element = self._job.next
        while element < self._job.elements or self._began:
            self._reap()
            while element < self._job.elements and self._may_start():
                if not self._job.is_cancelled(element):
                    slots = self._free_slots()
                    if not slots:
                        break
                    self._start(element, slots)
                element += 1
                self._job.put_next(element)
            if element < self._job.elements or self._began:
                self._pause()

    def _may_start(self) -> bool:
        return not self._job.at_once or len(self._began) < self._job.at_once

    def _free_slots(self) -> list[int]:
        """As many locked slots as an element has cores; none if there are too few."""
        found: list[int] = []
        with locked(f"{self._slots}/lock", patience_s=PATIENCE_S):  # else two jobs may wait for each other's
            for number in range(self._job.slots):
                fd = os.open(f"{self._slots}/{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, DEFAULT_MODE)
                if taken(fd):
                    found.append(fd)
                else:
                    os.close(fd)
                if len(found) == self._job.cores:
                    return found
            for fd in found:
                os.close(fd)
        return []

    def _start(self, element: int, slots: list[int]) -> None:
        """Run the script for an element, which holds its own lock and its slot's while any process of it lives."""
        job = self._job
        own = os.open(f"{job.folder}/run/{element}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, DEFAULT_MODE)
        if not _taken_soon(own):  # it runs: a supervisor has started it that had no room to write that down
            for fd in (own, *slots):
                os.close(fd)
            self._began[element] = time.monotonic()
            return
        os.makedirs(f"{job.batch}/out", exist_ok=True)
        pid = os.fork()
        if pid == 0:
            self._be_element(element, [own, *slots])
        os.ftruncate(own, 0)
        os.pwrite(own, str(pid).encode(), 0)
        for fd in (own, *slots):
            os.close(fd)
        self._own[pid] = element
        self._began[element] = time.monotonic()

    def _be_element(self, element: int, locks: list[int]) -> None:
        try:
            os.setsid()
            _signal.set_wakeup_fd(-1)
            _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
            _signal.signal(_signal.SIGHUP, _signal.SIG_DFL)
            for fd in locks:
                os.set_inheritable(fd, True)
            os.chdir(self._job.batch)
            out = os.open(f"out/{element}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(out, 1)
            os.dup2(out, 2)
            told = {"SCIFLOW_ELEMENT": str(element), "SCIFLOW_JOB": self._job.id, MARK: self._job.mark(element)}
            if self._job.walltime_s:
                told["SCIFLOW_END_TIME"] = f"{time.time() + self._job.walltime_s:.3f}"
            argv = _interpreter(self._job.script)
            os.execvpe(argv[0], [*argv, self._job.script], {**os.environ, **told})  # noqa: S606
        finally:
            os._exit(127)

    # --- what runs

    def _reap(self) -> None:
        """Write down what has ended, and end what has run too long."""
        pid = -1
        while self._own and pid:
            pid, status = os.waitpid(-1, os.WNOHANG)
            element = self._own.pop(pid, None)
            if element is not None:
                self._end(element, os.waitstatus_to_exitcode(status))
        adopted = set(self._began).difference(self._own.values())
        for element in adopted:
            if not self._job.is_alive(element):
                self._end(element, None)
        if self._job.walltime_s:
            self._end_overdue()

    def _end(self, element: int, code: int | None) -> None:
        del self._began[element]
        word = self._job.own_word(element)
        if self._job.is_cancelled(element):
            state = CANCELLED
        elif element in self._ended_by_time and word is None:
            state = TIME_LIMIT
        elif code is None:
            state, code = word or (UNKNOWN, None)
            if word is None:
                return  # its file in `run` stays, for whoever asks what became of it
        else:
            state = FAILED if code else SUCCEEDED
        # as a shell tells it
        self._job.put_ended(element, state, 128 - code if code is not None and code < 0 else code)

    def _end_overdue(self) -> None:
        from sciflow.runner.shell_end import end_elements

        limit = time.monotonic() - self._job.walltime_s
        over = [element for element, began in self._began.items() if began < limit]
        fresh = [element for element in over if element not in self._ended_by_time]
        if fresh:
            self._ended_by_time.update(fresh)
            end_elements([(self._job, fresh)])

    def _pause(self) -> None:
        adopted = len(self._began) > len(self._own)
        waits = self._job.next < self._job.elements
        timed = bool(self._job.walltime_s)
        select.select([self._awake], [], [], BETWEEN_LOOKS_S if adopted or waits or timed else None)
        try:
            while os.read(self._awake, 512):
                pass
        except BlockingIOError:
            pass


def _interpreter(script: str) -> list[str]:
    with open(script, "rb") as file:
        first = file.readline(256)
    words = first[2:].decode(errors="surrogateescape").split() if first.startswith(b"#!") else []
    return words or ["/bin/sh"]
