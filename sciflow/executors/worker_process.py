"""A resident worker process: spoken to, listened to, ended. How it is started: see `executors.spawned`."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import time
from pathlib import Path

import msgspec

from sciflow.core.records import Loaded, Progress, Reply
from sciflow.executors.spawned import Spawned
from sciflow.runner.guard import end_strays

_BOARD = struct.Struct("<Qd")
_REPLIES = msgspec.json.Decoder(list[Reply | Progress | Loaded])
READ_BYTES = 1 << 18
LEAVING_S = 1.0  # between the end of a worker's replies and its own


class WorkerProcess:
    """One worker process and its four channels: requests, replies, life line, board."""

    def __init__(self, spawned: Spawned, *, name: str, logs: tuple[Path, Path]) -> None:
        self.name = name
        self.logs = logs
        self.pid = spawned.pid
        self.replies = spawned.replies
        self._requests = spawned.requests
        self._life = spawned.life
        self._board = spawned.board
        self._mark = spawned.mark
        self.alive = True
        self._outbox = bytearray()
        self._inbox = b""
        self._killed_at: float | None = None
        self.deserted = False  # its replies have come to their end though it lives: an op has closed them
        # becomes readable when the process ends
        self.ending = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else None

    # --- speaking and listening ------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Queues a request and sends what the pipe takes."""
        self._outbox += frame
        self.flush()

    @property
    def unsent(self) -> bool:
        """Whether requests wait for room in the pipe."""
        return bool(self._outbox)

    @property
    def requests(self) -> int:
        """The file descriptor that becomes writable when there is room."""
        return self._requests

    @property
    def news(self) -> tuple[int, ...]:
        """File descriptors that become readable when it says something, or ends."""
        return (self.replies,) if self.ending is None else (self.replies, self.ending)

    def flush(self) -> None:
        """Sends what the pipe takes now."""
        while self._outbox:
            try:
                sent = os.write(self._requests, memoryview(self._outbox)[:READ_BYTES].tobytes())
            except BlockingIOError:
                return
            except BrokenPipeError:  # it died; the end of its replies tells
                self._outbox.clear()
                return
            del self._outbox[:sent]

    def read(self) -> list[Reply | Progress | Loaded]:
        """What the worker has said; `alive` is False when that was its last."""
        parts = [self._inbox]
        while True:
            try:
                part = os.read(self.replies, READ_BYTES)
            except BlockingIOError:
                # silence need not mean that it lives: a child that an op has forked keeps the pipe open
                if self.alive and len(parts) == 1 and self._has_ended():
                    self.alive = False
                    continue
                break
            if not part:
                self.alive = False
                break
            parts.append(part)
        whole, newline, self._inbox = b"".join(parts).rpartition(b"\n")
        return _REPLIES.decode(b"[" + whole.replace(b"\n", b",") + b"]") if newline else []

    def board(self) -> tuple[int, float]:
        """The number of the task it is in (0: none), and when that began by the monotonic clock."""
        number, started = _BOARD.unpack_from(self._board)
        return number, started

    def log_sizes(self) -> tuple[int, int]:
        """How long its log files are now."""
        sizes = [path.stat().st_size if path.exists() else 0 for path in self.logs]
        return sizes[0], sizes[1]

    # --- ending ----------------------------------------------------------------------------------------------------

    def kill(self, how: int = signal.SIGKILL) -> None:
        """Signals the whole process group."""
        self._killed_at = self._killed_at or time.monotonic()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, how)

    def overdue(self, grace_s: float, now: float) -> bool:
        """Whether it was asked to end so long ago and has not."""
        return self._killed_at is not None and now - self._killed_at > grace_s

    def leave(self) -> None:
        """Lets it end by itself once it has done what it was sent."""
        if self._requests >= 0:
            os.close(self._requests)
            self._requests = -1

    def _has_ended(self) -> bool:
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # this program ignores SIGCHLD
            return True

    def reap(self) -> int | None:
        """Ends what is left of it, and waits for it; its exit code, negative for a signal, None if nobody knows."""
        in_task = self.board()[0] != 0
        if not self.alive and self._killed_at is None:
            self._await_end()
        self.kill()
        try:
            code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:  # this program ignores SIGCHLD
            code = None
        if in_task:
            end_strays({self._mark})
        self.leave()
        for fd in (*self.news, self._life):
            os.close(fd)
        self._board.close()
        self.alive = False
        return code

    def _await_end(self) -> None:
        """Its replies have come to their end; a moment later it should have, too."""
        end = time.monotonic() + LEAVING_S
        while not self._has_ended() and not self.deserted:
            time.sleep(0.001)
            self.deserted = time.monotonic() > end

    def ended(self, patience_s: float) -> bool:
        """Whether its replies come to their end within so many seconds."""
        end = time.monotonic() + patience_s
        while self.alive and (left := end - time.monotonic()) > 0:
            poll = select.poll()
            poll.register(self.replies, select.POLLIN)
            if poll.poll(left * 1000):
                self.read()
        return not self.alive
