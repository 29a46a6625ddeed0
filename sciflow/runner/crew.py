"""`crew BATCH_DIR A`: runs several elements of a batch at once, in one job of the batch system.

A crew is as many consecutive elements as the job was made for; each is a program of its own, with its own replies,
logs, time limits and end. What the job has is divided among them: GPUs, and cores where nobody else has a use for the
rest. An element that nobody wants any more is ended when there is a file `cancelled/<K>`.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` makes enums of all numbers
import os
import time

from sciflow.runner.batch import Batch
from sciflow.runner.keeper import PASSED_ON
from sciflow.runner.node import LIFE
from sciflow.runner.placing import write_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Sequence

LOOK_S = 1.0  # between looks for elements that nobody wants
PAUSE_S = 0.1
GRACE_S = 5.0  # an element needs up to three seconds to end its task and to hand the rest back
VISIBLE = "CUDA_VISIBLE_DEVICES"


class Member:
    """One element at work."""

    def __init__(self, batch: Batch, number: int, pid: int) -> None:
        self._batch = batch
        self._number = number
        self._asked_at = 0.0
        self.pid = pid
        self.code: int | None = None  # as a shell tells it, once it has ended

    def look(self) -> None:
        """See whether it has ended; how it did is written down where it could not do so itself."""
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        if not ended:
            return
        code = os.waitstatus_to_exitcode(status)
        self.code = 128 - code if code < 0 else code
        if self.code and not os.path.exists(self._batch.place("done", self._number)):
            self._write_down()

    def _write_down(self) -> None:
        try:
            os.makedirs(f"{self._batch.folder}/died", exist_ok=True)
            write_whole(self._batch.place("died", self._number), f"{self.code}\n".encode())
        except OSError:  # a full disk; the others go on, and at the end the exit code tells of it
            pass

    @property
    def is_wanted(self) -> bool:
        """Whether nobody has said that it is to end."""
        return not os.path.exists(self._batch.place("cancelled", self._number))

    def end(self) -> None:
        """Ask it to end, and after a while insist."""
        self._asked_at = self._asked_at or time.monotonic()
        self.kill(_signal.SIGKILL if time.monotonic() - self._asked_at > GRACE_S else _signal.SIGTERM)

    def kill(self, how: int) -> None:
        """Signal it, unless it has ended."""
        if self.code is None:
            os.kill(self.pid, how)


def main(folder: str, number: int) -> int:
    """Run the elements of a crew; 0 when all of them have come to their ends in order."""
    batch = Batch(folder)
    life, kept = os.pipe()  # the elements end when nobody holds its other end any more, which only this process does
    os.set_inheritable(life, True)
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, PASSED_ON)
    members = [
        Member(batch, element, _started(batch, place, element, life, before))
        for place, element in enumerate(batch.crew_of(number))
        if not os.path.exists(batch.place("cancelled", element))
    ]
    os.close(life)

    def pass_on(told: int, _: object) -> None:
        for member in members:
            member.kill(told)

    for name in PASSED_ON:
        _signal.signal(name, pass_on)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
    code = watch(members)
    os.close(kept)
    return code


def watch(members: Sequence[Member], *, look_s: float = LOOK_S, orphaned: Callable[[], bool] = lambda: False) -> int:
    """Wait until all have ended; 0 when they have come to their ends in order. `orphaned`: none is wanted any more."""
    looked, pause_s = time.monotonic(), PAUSE_S / 20
    while True:
        at_work = [member for member in members if member.code is None]
        for member in at_work:
            member.look()
        if all(member.code is not None for member in at_work):
            return next((member.code for member in members if member.code), 0)
        if time.monotonic() - looked >= look_s:
            looked = time.monotonic()
            for member in at_work:
                if orphaned() or not member.is_wanted:
                    member.end()
        time.sleep(pause_s)
        pause_s = min(PAUSE_S, 1.5 * pause_s)


def _started(batch: Batch, place: int, number: int, life: int, mask: set[int]) -> int:
    """Start the element at a place of the crew; its process."""
    env = {**os.environ, **_gpus(place, batch.crew["gpus"]), LIFE: str(life)}
    argv = [*batch.crew["command"], str(number)]
    everything = _affinity()
    own = _cores(sorted(everything), place, batch.crew["workers"], whole=batch.crew["whole"])
    if own:
        os.sched_setaffinity(0, own)  # a program takes its cores from who starts it
    try:
        return os.posix_spawnp(argv[0], argv, env, setsigmask=mask)
    finally:
        if own:
            os.sched_setaffinity(0, everything)


def _affinity() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _cores(granted: Sequence[int], place: int, workers: int, *, whole: bool) -> Sequence[int]:
    """The cores of one place; none of its own where others that are not of this job may run on all of them.

    `whole`: the job has its node for itself.
    """
    each = len(granted) // workers
    if not each or not (whole or len(granted) < (os.cpu_count() or 0)):
        return ()
    return granted[place * each : (place + 1) * each]


def _gpus(place: int, each: int) -> dict[str, str]:
    """The GPUs of one place, by the names under which the job has them."""
    if not each:
        return {}
    granted = [name for name in os.environ.get(VISIBLE, "").split(",") if name.strip()]
    numbers = range(place * each, (place + 1) * each)
    own = granted[place * each : (place + 1) * each] if granted else list(map(str, numbers))
    return {VISIBLE: ",".join(own)} if own else {}
