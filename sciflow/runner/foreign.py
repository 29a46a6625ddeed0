"""Programs of others: run in a session of their own, ended with all their processes when their time is over."""

from __future__ import annotations

import os
import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Sequence

    Tree = Any

SIGKILL = 9
KILLED_S = 1.0  # within which a program that was killed has let go of its pipes
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as a shell says it


def outcome(
    argv: Sequence[str],
    *,
    timeout_s: float,
    stdin: bytes = b"",
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    keeps: Sequence[int] = (),
) -> Tree:
    """Exit code (negative: a signal's, also at the time limit) and output of a program; `env` in place of ours.

    `keeps`: descriptors of ours that it gets, too.
    """
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            argv, stdin=pipe, stdout=pipe, stderr=pipe, cwd=cwd, env=env, start_new_session=True, pass_fds=keeps
        )
    except OSError as error:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        return {"code": code, "stdout": "", "stderr": f"{argv[0]}: {error.strerror}", "timed_out": False}
    timed_out = False
    try:
        out, err = process.communicate(stdin, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        timed_out = True
        _kill(process.pid)
        try:
            out, err = process.communicate(timeout=KILLED_S)
        except subprocess.TimeoutExpired as held:  # by a descendant in another session
            out, err = held.stdout or b"", held.stderr or b""
    ended = -SIGKILL if timed_out else process.returncode
    texts = {"stdout": out.decode(errors="replace"), "stderr": err.decode(errors="replace")}
    return {"code": ended, **texts, "timed_out": timed_out}


def _kill(pid: int) -> None:
    try:  # noqa: SIM105  contextlib is slow to import
        os.killpg(pid, SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
