"""`keep BATCH_DIR K`: runs one element, and sees to it that no container of it is left, whatever happens.

`keep` and `watch` are two processes: when the first has ended, by whatever signal, the other one, which nobody looks
for, removes what is left. A container is no child of ours: killing the program that started it would leave it running.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` makes enums of all numbers
import os
import sys

from sciflow.runner.batch import Batch
from sciflow.runner.exit_codes import BAD_REQUEST
from sciflow.runner.node import started
from sciflow.runner.shell_job import MARK

PASSED_ON = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGUSR1, _signal.SIGUSR2, _signal.SIGXCPU)


def keep(folder: str, number: int) -> int:
    """Run the element; its exit code."""
    batch = Batch(folder)
    if any(os.path.exists(batch.place(part, number)) for part in ("done", "taken")):
        return 0
    containers = batch.containers(number)
    if containers is None:
        sys.stderr.write(f"sciflow: {folder} speaks of no container\n")
        return BAD_REQUEST
    containers.end()  # of an earlier process of this element
    runner = os.path.abspath(sys.argv[0])
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, PASSED_ON)
    life = _watched(runner, batch, number)
    name = containers.register() if containers.inside else ""
    if containers.inside:
        argv = containers.element(runner, batch.folder, number, name=name)
    else:
        argv = [*started(sys.executable, runner, "element", batch.folder, str(number))]
    code = _run(argv, before)
    if name and code == 0:
        containers.forget(name)
    os.close(life)
    return code


def _run(argv: list[str], mask: set[int]) -> int:
    """Run a program, and pass on to it the signals that come; its exit code, as a shell tells it."""
    pid = os.posix_spawnp(argv[0], argv, os.environ, setsigmask=mask)  # it dies of a signal that came just before
    for number in PASSED_ON:
        _signal.signal(number, lambda told, _: os.kill(pid, told))
    _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
    _, status = os.waitpid(pid, 0)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, PASSED_ON)
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _watched(runner: str, batch: Batch, number: int) -> int:
    """Start the process that looks after this one; the end of a pipe that it reads for as long as this one lives."""
    read, write = os.pipe()
    os.set_inheritable(read, True)
    if os.fork() == 0:
        try:
            os.setsid()
            for fd in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), fd)
            env = {name: value for name, value in os.environ.items() if name != MARK}
            argv = [sys.executable, runner, "watch", batch.folder, str(number), str(read)]
            os.execve(argv[0], argv, env)  # noqa: S606
        finally:
            os._exit(127)
    os.close(read)
    return write


def watch(folder: str, number: int, life: int) -> int:
    """Wait until the other process has ended, and remove what is left."""
    for name in PASSED_ON:
        _signal.signal(name, _signal.SIG_IGN)
    containers = Batch(folder).containers(number)
    os.chdir("/")
    while os.read(life, 1):
        pass
    if containers is not None:
        containers.end()
    return 0
