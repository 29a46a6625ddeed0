"""`pooled BATCH_DIR K`: runs one element for a worker of a pool, and ends it when nobody wants it any more.

That is when the pool's worker has died, or when there is a file `cancelled/<K>`. Standard input has a JSON object:
variables that the element is to have and that are written nowhere.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` makes enums of all numbers
import os
import sys
import time

from sciflow.runner.node import started
from sciflow.runner.text import parse

LOOK_S = 0.1
GRACE_S = 5.0  # an element needs up to three seconds to end its task and to hand the rest back


def main(folder: str, number: int) -> int:
    """Run the element; its exit code, as a shell tells it."""
    parent = os.getppid()
    told = sys.stdin.buffer.read()
    out = os.open(f"{folder}/out/{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)
    mark = f"{folder}/cancelled/{number}"
    if os.path.exists(mark) or os.getppid() != parent:
        return 0
    for signal in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP):
        _signal.signal(signal, _signal.SIG_DFL)  # whatever the pool has made of them
    argv = started(sys.executable, os.path.abspath(sys.argv[0]), "element", folder, str(number))
    env = {**os.environ, **(parse(told.decode()) if told else {})}
    pid = os.posix_spawn(argv[0], argv, env, setpgroup=0, setsigmask=[])
    asked_at = 0.0
    pause_s = LOOK_S / 20
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code
        if os.getppid() != parent or os.path.exists(mark):
            asked_at = asked_at or time.monotonic()
            late = time.monotonic() - asked_at > GRACE_S
            os.kill(pid, _signal.SIGKILL if late else _signal.SIGTERM)
        time.sleep(pause_s)
        pause_s = min(LOOK_S, 1.5 * pause_s)
