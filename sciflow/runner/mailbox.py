"""Programs that run in the other container of a pod, whose image need not have Python: asked for by files.

`pod/mailbox.sh` is what runs them, and says what the files are.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` makes enums of all numbers
import errno
import os
import select
import threading
import time

from sciflow.runner.failures import CodeError, OpError
from sciflow.runner.removal import remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Mapping, Optional, Sequence

    from sciflow.runner.inside import Outfit

    Tree = Any

BELL, PRINTED, STOP = "bell", ("out", "err"), "stop"
GRACE_S = 3.0  # between asking a program to end and killing it
PATIENCE_S = 10.0  # for a program that was killed to be gone
PAUSE_S = 0.1
LOOK_S = 0.2  # between looks at the other container
SIGNALLED = 128
GPUS = "CUDA_VISIBLE_DEVICES"


class Mailbox:
    """The calls of one element."""

    def __init__(self, told: Mapping[str, Tree], calls: str, variables: Iterable[str]) -> None:
        """`calls`: the folder of those of this element; `variables`: names of those that programs are to have."""
        self._box: str = told["folder"]
        self._image: str = told["image"]
        self._calls = calls
        self._variables = (*variables, GPUS)
        self._count = 0

    def call(
        self,
        argv: Sequence[str],
        stdin: Any,
        stdout: Any,
        env: Optional[Mapping[str, str]] = None,
        outfit: Optional[Outfit] = None,
    ) -> int:
        """Run a program; its exit code, as a shell tells it. Its container may be gone: then so is ours, soon.

        Raises:
            CodeError: the image has no such program.
            OpError: a shell cannot set one of the variables, or the program wants a container of its own.
        """
        if env or outfit is not None:
            raise OpError("this program needs a container that is made for it, and a pod has its containers already")
        self._count += 1
        call = f"{self._calls}/{os.getpid()}-{self._count}"
        self._write(call, argv, {"stdin": stdin.fileno(), "stdout": stdout.fileno(), "stderr": 2})
        _ring(self._box, f"run {call}")
        code, pause_s = _code(call), PAUSE_S / 50
        while code is None:
            time.sleep(pause_s)
            pause_s = min(PAUSE_S, 1.5 * pause_s)
            code = _code(call)
        missing = os.path.exists(f"{call}/missing")
        remove(call)
        if missing:
            how = "cannot be started" if "/" in argv[0] and os.path.exists(argv[0]) else "is not found"
            raise CodeError(f"program {argv[0]!r} {how} in the image {self._image}")
        return code

    def check(self, code: int, command: Sequence[str]) -> int:
        """The exit code of a command, from that which the shell has told; negative: a signal's number."""
        del command
        return SIGNALLED - code if SIGNALLED < code <= SIGNALLED + 64 else code

    def end(self) -> None:
        """End what still runs, and forget all calls."""
        try:
            calls = [f"{self._calls}/{name}" for name in sorted(os.listdir(self._calls))]
        except FileNotFoundError:
            return
        for signal, limit_s in (("TERM", GRACE_S), ("KILL", PATIENCE_S)):
            if not self._signal(calls, signal, time.monotonic() + limit_s):
                break
            calls = [call for call in calls if os.path.exists(f"{call}/pid")]
        remove(self._calls)

    def _signal(self, calls: Sequence[str], signal: str, until: float) -> bool:
        """Signal each program once, and wait for its end; whether some still run."""
        told: set[str] = set()
        left = [call for call in calls if _code(call) is None]
        while left and time.monotonic() < until:
            for call in left:
                if call not in told and os.path.exists(f"{call}/pid"):
                    told.add(call)
                    if not _ring(self._box, f"{signal} {call}"):
                        return False  # with the container all of its programs are gone
            time.sleep(PAUSE_S / 5)
            left = [call for call in left if _code(call) is None]
        return bool(left)

    def _write(self, call: str, argv: Sequence[str], streams: Mapping[str, int]) -> None:
        """All that the program is to have."""
        unknown = [name for name in self._variables if not (name.isidentifier() and name.isascii())]
        if unknown:
            raise OpError(f"variable {unknown[0]!r}: expected a name of letters, digits and _, as shells have them")
        for part in ("argv", "env"):
            os.makedirs(f"{call}/{part}", mode=0o700)
        for number, argument in enumerate(argv):
            _put(f"{call}/argv/{number}", argument)
        for name in self._variables:
            value = os.environ.get(name)
            if value is not None:
                _put(f"{call}/env/{name}", value)
        os.symlink(os.getcwd(), f"{call}/cwd")
        for name, fd in streams.items():
            os.symlink(os.readlink(f"/proc/self/fd/{fd}"), f"{call}/{name}")


class Doorway:
    """The way to the other container, as the runner of the pod has it: it ends when that one ends or is told to."""

    def __init__(self, box: str) -> None:
        """Waits until the other container is there; what this process prints is then printed by that one."""
        self._box = box
        bell = _opened(box)
        while bell is None:
            time.sleep(PAUSE_S)
            bell = _opened(box)
        self._bell = bell
        self._over = False
        for fd, name in enumerate(PRINTED, 1):
            pipe = os.open(f"{box}/{name}", os.O_WRONLY)
            os.dup2(pipe, fd)
            os.close(pipe)
        threading.Thread(target=self._watch, daemon=True).start()

    def end(self, code: int) -> None:
        """Have the other container end with this exit code, when what this process prints has come to an end."""
        self._over = True
        _ring(self._box, f"end {code}")

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._bell, 0)
        while not poll.poll(0) and not os.path.exists(f"{self._box}/{STOP}"):
            time.sleep(LOOK_S)
        if not self._over:
            os.kill(os.getpid(), _signal.SIGTERM)


def prepare(box: str) -> None:
    """Make the pipes."""
    os.makedirs(box)
    for name in (BELL, *PRINTED):
        os.mkfifo(f"{box}/{name}")


def _opened(box: str) -> int | None:
    """The bell, for writing; None while nobody listens."""
    try:
        return os.open(f"{box}/{BELL}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return None


def _ring(box: str, what: str) -> bool:
    """Say something to the other container; whether it is there."""
    bell = _opened(box)
    if bell is None:
        return False
    try:
        os.set_blocking(bell, True)
        os.write(bell, f"{what}\n".encode())
    except BrokenPipeError:
        return False
    finally:
        os.close(bell)
    return True


def _code(call: str) -> int | None:
    """The exit code of a call that has ended."""
    try:
        with open(f"{call}/code", encoding="ascii") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    return int(text) if text.endswith("\n") else None


def _put(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(fd, "wb") as file:
        file.write(os.fsencode(text))
