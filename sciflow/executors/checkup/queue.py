"""The batch system: whether its programs are there and answer, its limits, the queue that jobs are to go to."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator

from sciflow.errors import ConfigError, HostError, HostRefused
from sciflow.executors.checkup.finding import Finding, bad, note, ok
from sciflow.executors.checkup.visit import Visit
from sciflow.executors.systems.system import SystemLimits

ASK_S = 60.0
SLOW_S = 5.0
MOST_QUEUES = 12


def batch_system(visit: Visit) -> Iterator[Finding]:
    """Programs, version, limits, queues, and how fast it answers."""
    name = visit.settings.system
    try:
        command = visit.system.limits()
        limits = command.parse(visit.depot.run(command.argv, timeout_s=ASK_S))
        begin = time.monotonic()
        listing = visit.system.queue()
        jobs = listing.parse(visit.depot.run(listing.argv, timeout_s=ASK_S))
        seconds = time.monotonic() - begin
    except ConfigError as error:
        yield bad("batch system", str(error), f"correct {visit.table}")
        return
    except HostRefused as error:
        yield bad("batch system", str(error), f"correct `system` in {visit.table}, or the PATH of logins there")
        return
    except HostError as error:
        fix = f"is `system` in {visit.table} right? If so, runs wait until it answers; try again later"
        yield bad("batch system", str(error), fix)
        return
    what = "a queue of our own" if name == "shell" else f"{name} {limits.version}".strip()
    yield ok("batch system", f"{what}; {len(jobs)} lines of yours in the queue")
    if seconds > SLOW_S:
        fix = f"raise `look_least_s` in {visit.table} to 30 or more, so that runs ask less often"
        yield note("queue", f"took {seconds:.0f} s to answer", fix)
    yield from _limits(visit, limits)
    yield from _queues(visit, limits)


def _limits(visit: Visit, limits: SystemLimits) -> Iterator[Finding]:
    told = [f"{limits.elements:,} elements of an array"] if limits.elements is not None else []
    told += [f"{limits.submitted:,} jobs of yours at once"] if limits.submitted is not None else []
    if told:
        yield ok("limits", ", ".join(told))
    most = visit.settings.elements
    if limits.submitted is not None and most > limits.submitted:
        fix = (
            f"set `elements = {limits.submitted}` in {visit.table}: what is too much waits here then, not at the queue"
        )
        yield note("elements", f"up to {most:,} at once by the settings", fix)


def _queues(visit: Visit, limits: SystemLimits) -> Iterator[Finding]:
    wanted = visit.settings.queue
    for name, about in list(limits.queues.items())[:MOST_QUEUES]:
        chosen = name in wanted.split(",")
        if chosen or not wanted:
            yield ok(f"queue {name}" if chosen else "queue", about if chosen else f"{name}: {about}")
    missing = [name for name in wanted.split(",") if name and limits.queues and name not in limits.queues]
    for name in missing:
        near = difflib.get_close_matches(name, limits.queues, n=1)
        fix = f"did you mean {near[0]!r}?" if near else "there are: " + ", ".join(limits.queues)
        yield bad("queue", f"{name}: there is none of that name", f"correct `queue` in {visit.table}: {fix}")
