"""Ends elements of the shell queue with all their processes."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` makes enums of all numbers
import os
import time

from sciflow.runner.shell_job import MARK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator, Sequence

    from sciflow.runner.shell_job import Job

GRACE_S = 4.0  # an element needs up to three seconds to end its task and to hand the rest back
AFTERWARDS_S = 2.0
LOOK_S = 0.05


def end_elements(chosen: Sequence[tuple[Job, Sequence[int]]]) -> None:
    """Ask them to end, and after a while kill what is left of them."""
    alive = [(job, element) for job, elements in chosen for element in _alive(job, elements)]
    for job, element in alive:
        _signal_leader(job, element, _signal.SIGTERM)
    _await(alive, GRACE_S)
    marks = {f"{MARK}={job.mark(element)}".encode() for job, element in alive}
    limit = time.monotonic() + AFTERWARDS_S
    while marks and (found := _marked(marks)) and time.monotonic() < limit:
        for number in (_signal.SIGSTOP, _signal.SIGKILL):  # stopped first, so that none makes another meanwhile
            for pid in found:
                _kill(pid, number)
        time.sleep(LOOK_S)
    for job, element in alive:
        if job.is_alive(element):  # where processes cannot be looked at
            _signal_leader(job, element, _signal.SIGKILL)


def _alive(job: Job, elements: Sequence[int]) -> Iterator[int]:
    wanted = set(elements)
    return (element for element in job.running() if element in wanted and job.is_alive(element))


def _signal_leader(job: Job, element: int, number: int) -> None:
    """Signal the process group of an element's script."""
    try:
        with open(f"{job.folder}/run/{element}", encoding="utf-8") as file:
            pid = int(file.read())
    except (FileNotFoundError, ValueError):
        return
    if os.path.isdir("/proc/self") and pid not in _marked({f"{MARK}={job.mark(element)}".encode()}, [str(pid)]):
        return  # another process has its number
    try:  # noqa: SIM105  contextlib is slow to import
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def _await(alive: Sequence[tuple[Job, int]], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while any(job.is_alive(element) for job, element in alive) and time.monotonic() < limit:
        time.sleep(LOOK_S)


def _marked(marks: set[bytes], pids: Sequence[str] | None = None) -> set[int]:
    """The processes with one of these in their environment, where there is a /proc to look at."""
    found = set()
    for name in pids or (os.listdir("/proc") if os.path.isdir("/proc/self") else ()):
        if name.isdigit() and int(name) != os.getpid() and not marks.isdisjoint(_environ(name)):
            found.add(int(name))
    return found


def _environ(pid: str) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:  # it has ended, or is somebody else's
        return []


def _kill(pid: int, number: int) -> None:
    try:  # noqa: SIM105  contextlib is slow to import
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass
