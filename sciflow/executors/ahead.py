"""A worker that starts ahead of its run: Python takes as long to start as the engine takes to be imported.

Whoever begins a run opens `worker_ahead` around it; the first task that wants just such a worker finds it started.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from sciflow.executors.spawned import Spawned, worker_environ

_AHEAD: ContextVar[list[Spawned] | None] = ContextVar("sciflow_worker_ahead", default=None)  # at most one


@contextmanager
def worker_ahead() -> Iterator[None]:
    """Starts a worker such as most ops want: one core, no environment of its own. It ends here if nobody takes it."""
    try:
        ahead = [Spawned(worker_environ())]
    except OSError:  # the engine will say so when it starts one itself
        ahead = []
    before = _AHEAD.set(ahead)
    try:
        yield
    finally:
        _AHEAD.reset(before)
        for unused in ahead:
            unused.end()


def take_ahead(environ: Mapping[str, str]) -> Spawned | None:
    """The worker that was started ahead, if there is one with just this environment; it then is the caller's."""
    ahead = _AHEAD.get()
    return ahead.pop() if ahead and ahead[0].environ == environ else None
