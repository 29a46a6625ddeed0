"""The worker of an element: a forked process that is handed its requests in memory."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` makes enums of all numbers
import gc
import mmap
import os
import struct
import sys
import time

from sciflow.runner.channel import Board, Replies, bind_life
from sciflow.runner.worker import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator, Mapping, Sequence

    Tree = Any

RUNNING, DONE, OUT_OF_TIME, BROKEN = range(4)  # what a worker tells of itself
STATE, STOP, LONGEST = 0, 1, 8  # places in the page that is shared with it
STOP_LOOK_S = 1.0  # between looks at the file that says that nothing more is to be begun
_BOARD = struct.Struct("<Qd")
_BLOCKED = {_signal.SIGTERM, _signal.SIGINT, _signal.SIGUSR1, _signal.SIGUSR2, _signal.SIGHUP, _signal.SIGCHLD}


class SharedBoard(Board):
    """A board that this process and those forked from it see."""

    def __init__(self) -> None:
        super().__init__(-1)

    def read(self) -> tuple[int, float]:
        """The number of the task being run (0: none), and when that began by the monotonic clock."""
        number, began = _BOARD.unpack_from(self._page)
        return number, began


class OutOfTime(BaseException):
    """The next task would not end within the allocation, or is not to be begun."""


class HeldBack(Replies):
    """Replies of which, once the worker is being ended, those count that tell of success: the rest is that end's."""

    def __init__(self, fd: int, page: mmap.mmap) -> None:
        super().__init__(fd)
        self._page = page

    def send(self, line: str) -> None:
        """Write one reply, its newline included."""
        if self._page[STOP] and line.startswith("[0,") and line.split(",", 3)[2] != '"Succeeded"':
            return
        super().send(line)


class Given:
    """Requests that are known beforehand, their tasks handed out while there is time."""

    def __init__(self, requests: Sequence[Tree], end: float | None, page: mmap.mmap, stop: str) -> None:
        """`stop`: a file that is there when nothing more is to be begun; looked at now and then only."""
        self._requests = iter(requests)
        self._end = end
        self._page = page
        self._stop = stop
        self._looked = 0.0

    def next(self) -> Tree | None:
        """The next request; None when there will be no more."""
        request = next(self._requests, None)
        if request is None or "do" not in request:
            return request
        tasks = request["tasks"]
        given = self._until_stopped(tasks) if self._end is None else self._in_time(tasks, self._end)
        return {**request, "tasks": given}

    def _until_stopped(self, tasks: Sequence[Tree]) -> Iterator[Tree]:
        for task in tasks:
            if self._stopped(time.monotonic()):
                raise OutOfTime
            yield task

    def _stopped(self, now: float) -> bool:
        if self._page[STOP]:
            return True
        if now - self._looked < STOP_LOOK_S:
            return False
        self._looked = now
        return os.path.exists(self._stop)

    def _in_time(self, tasks: Sequence[Tree], end: float) -> Iterator[Tree]:
        """The tasks one by one, as long as one like the longest so far would still fit."""
        (longest,) = struct.unpack_from("<d", self._page, LONGEST)
        clock = time.monotonic
        for task in tasks:
            began = clock()
            if began + longest > end or self._stopped(began):
                raise OutOfTime
            yield task
            took = clock() - began
            if took > longest:
                longest = took
                struct.pack_into("<d", self._page, LONGEST, longest)


class Hand:
    """One worker process, from its start to its end."""

    def __init__(
        self,
        hello: Mapping[str, Tree],
        requests: Sequence[Tree],
        replies: int,
        logs: Sequence[str],
        *,
        end: float | None,
        longest_s: float,
        stop: str,
    ) -> None:
        """`replies` and `logs`: where it writes; `end`: when its time is over, on the monotonic clock.

        `longest_s`: what the longest task so far has taken; `stop`: see `Given`.
        """
        self._hello = hello
        self._requests = requests
        self._replies = replies
        self._logs = logs
        self._end = end
        self._stop = stop
        self.board = SharedBoard()
        self._page = mmap.mmap(-1, 16)  # shared with the child, too
        struct.pack_into("<d", self._page, LONGEST, longest_s)
        self._pid = 0
        self._life = -1
        self.code = 0  # its exit code, once it has ended; negative: a signal's number

    def start(self, restore_signals: Callable[[], None]) -> None:
        """Fork it."""
        life, self._life = os.pipe()
        before = _signal.pthread_sigmask(_signal.SIG_BLOCK, _BLOCKED)
        self._pid = os.fork()
        if self._pid == 0:
            self._be_worker(life, restore_signals, before)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
        os.close(life)

    def ended(self) -> bool:
        """Whether it has ended; looked at without waiting."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid == 0:
            return False
        self.code = os.waitstatus_to_exitcode(status)
        os.close(self._life)
        try:  # noqa: SIM105  contextlib is slow to import
            os.killpg(self._pid, _signal.SIGKILL)  # what it has left in its group
        except (ProcessLookupError, PermissionError):
            pass
        return True

    @property
    def state(self) -> int:
        """What it has told of itself."""
        return self._page[STATE]

    @property
    def longest_s(self) -> float:
        """What the longest task so far has taken; known only where time is limited."""
        (longest,) = struct.unpack_from("<d", self._page, LONGEST)
        return float(longest)

    def stop(self) -> None:
        """Let it begin no other task, nor take the end of the one it is in for that task's own failure."""
        self._page[STOP] = 1

    def kill(self, how: int) -> None:
        """Signal its whole process group."""
        try:
            os.killpg(self._pid, how)
        except ProcessLookupError:  # it has not made it yet
            os.kill(self._pid, how)

    # --- in the child

    def _be_worker(self, life: int, restore_signals: Callable[[], None], mask: set[int]) -> None:
        self._page[STATE] = RUNNING
        told = os.dup(2)
        code = 1
        try:
            gc.freeze()  # what is ours stays, and need not be looked at again
            gc.enable()
            os.setsid()
            os.close(self._life)
            restore_signals()
            _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
            bind_life(life)
            self._open_streams()
            self._serve()
            code = 0
        except BaseException as error:  # noqa: BLE001  a full disk, or our own fault
            self._page[STATE] = BROKEN
            _tell(told, error)
        finally:
            os._exit(code)

    def _open_streams(self) -> None:
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        for fd, (path, flags) in enumerate([(os.devnull, os.O_RDONLY), *((path, append) for path in self._logs)]):
            own = os.open(path, flags, 0o644)
            os.dup2(own, fd)
            os.close(own)

    def _serve(self) -> None:
        requests: Any = Given(self._requests, self._end, self._page, self._stop)
        try:
            Worker(requests, HeldBack(self._replies, self._page), self.board, self._hello).serve()
        except OutOfTime:
            self._page[STATE] = OUT_OF_TIME
            return
        self._page[STATE] = DONE
        atexit = sys.modules.get("atexit")
        if atexit is not None:
            atexit._run_exitfuncs()  # noqa: SLF001
        sys.stdout.flush()
        sys.stderr.flush()


def _tell(fd: int, error: BaseException) -> None:
    """Say on the element's own standard error why its worker cannot go on."""
    from traceback import format_exception

    if isinstance(error, OSError):
        text = f"sciflow: {error}\n"
    else:
        text = "".join(format_exception(type(error), error, error.__traceback__))
    os.write(fd, text.encode(errors="backslashreplace"))
