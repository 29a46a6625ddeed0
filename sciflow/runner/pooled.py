"""`pooled BATCH_DIR K`: runs one element for a worker of a pool, and ends it when nobody wants it any more.

That is when the pool's worker has died, or when there is a file `cancelled/<K>`. Standard input has a JSON object:
variables that the element is to have and that are written nowhere.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` makes enums of all numbers
import os
import sys

from sciflow.runner.batch import Batch
from sciflow.runner.crew import Member, watch
from sciflow.runner.node import started
from sciflow.runner.text import parse

LOOK_S = 0.1  # between looks whether it is wanted


def main(folder: str, number: int) -> int:
    """Run the element; its exit code, as a shell tells it."""
    parent = os.getppid()
    told = sys.stdin.buffer.read()
    out = os.open(f"{folder}/out/{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)
    batch = Batch(folder)
    if os.path.exists(batch.place("cancelled", number)) or os.getppid() != parent:
        return 0
    for signal in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP):
        _signal.signal(signal, _signal.SIG_DFL)  # whatever the pool has made of them
    argv = started(sys.executable, os.path.abspath(sys.argv[0]), "element", folder, str(number))
    env = {**os.environ, **(parse(told.decode()) if told else {})}
    pid = os.posix_spawn(argv[0], argv, env, setpgroup=0, setsigmask=[])
    return watch([Member(batch, number, pid)], look_s=LOOK_S, orphaned=lambda: os.getppid() != parent)
