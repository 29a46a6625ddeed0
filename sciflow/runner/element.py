"""`element BATCH_DIR K`: one element of an array job, which runs the tasks of one job and writes replies to a file.

It watches over a worker that it forks: a worker that dies takes down the task it was in and no other, a task that
takes too long is ended, and when the time of the allocation is over, what was not run is handed back.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` makes enums of all numbers
import os
import sys
import time

from sciflow.runner.allotment import end_of_allotment
from sciflow.runner.batch import Batch
from sciflow.runner.children import Children
from sciflow.runner.exit_codes import CANNOT_WRITE, NO_SECRET
from sciflow.runner.hand import BROKEN, DONE, OUT_OF_TIME, Hand
from sciflow.runner.removal import remove
from sciflow.runner.replies_file import LEFT, LOADED, RepliesFile
from sciflow.runner.report import ending
from sciflow.runner.warnings_heard import WARNINGS, Signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any

GRACE_S = 3.0  # between asking a task's processes to end and killing them
OVERLAP_S = 10.0  # for which an earlier process of the same element may still be leaving
HEARSAY_S = 1.0  # in which a signal that has ended the worker reaches this process, too


class Broken(Exception):
    """The worker could not go on, by no fault of a task; it has said why on standard error."""


class Element:
    """The supervisor of one element."""

    def __init__(self, batch: Batch, number: int) -> None:
        """Takes the element's replies for its own.

        Raises:
            OSError: something cannot be read or written.
        """
        self._batch = batch
        self._number = number
        self._began = time.monotonic()
        self._end = end_of_allotment(batch.walltime_s)
        os.makedirs(f"{batch.root}/logs", exist_ok=True)
        try:
            self._replies = _replies(batch.place("live", number))
        except FileNotFoundError:  # the first of its batch, where no `host submit` was
            for part in ("live", "done"):
                os.makedirs(f"{batch.folder}/{part}", exist_ok=True)
            self._replies = _replies(batch.place("live", number))
        self._ops, self._requests = batch.requests(number)
        self._replies.drop_end()
        self._limits = {task[0]: limit for request in self._requests if (limit := self._limit(request)) is not None
                        for task in request["tasks"]}  # fmt: skip
        self._signals = Signals()
        self._children: Children | None = None
        self._elsewhere = batch.elsewhere(number)
        self._why = ""
        self._cut: Tree | None = None  # the task that the end has cut short
        self._silent = 0  # workers in a row that have died before any task had ended
        self._workers = 0

    def run(self) -> None:
        """Run what is left of the tasks, and say that this is the end.

        Raises:
            Broken: the worker could not go on.
            OSError: something cannot be written.
        """
        resumed = bool(self._replies.answered)
        requests = self._left()
        longest_s = 0.0
        while requests and not self._why:
            hello = self._batch.hello(self._number, resumed=resumed or self._workers > 0)
            logs = self._batch.logs(self._number)
            given = self._with_ops(requests)
            hand = Hand(hello, given, self._replies.fd, logs, end=self._end, longest_s=longest_s, stop=self._batch.stop)
            self._workers += 1
            hand.start(self._signals.restore)
            self._bury(hand, self._watch(hand))
            requests, longest_s = self._left(), hand.longest_s
        left = [task[0] for request in requests for task in request["tasks"]]
        told = {"left": left, "why": self._why if left else "", "cut": self._cut, "host": os.uname().nodename}
        self._replies.say([LEFT, {**told, "seconds": round(time.monotonic() - self._began, 3)}])
        remove(f"{self._batch.root}/work/{self._batch.worker(self._number)}")
        self._replies.close()
        os.rename(self._batch.place("live", self._number), self._batch.place("done", self._number))

    # --- what is to be done

    def _limit(self, request: Tree) -> float | None:
        limit: float | None = (self._ops[request["do"]].get("options") or {}).get("timeout_s")
        return limit

    def _left(self) -> list[Tree]:
        """The requests with the tasks that have not ended; one without tasks only wants its op to be loaded."""
        answered, left = self._replies.answered, []
        for request in self._requests:
            tasks = [task for task in request["tasks"] if task[0] not in answered] if answered else request["tasks"]
            if tasks or not (request["tasks"] or self._workers):
                left.append({**request, "tasks": tasks})
        return left

    def _with_ops(self, requests: list[Tree]) -> list[Tree]:
        """The requests, each op before its first use."""
        known: set[int] = set()
        all_: list[Tree] = []
        for request in requests:
            if request["do"] not in known:
                known.add(request["do"])
                all_.append(self._ops[request["do"]])
            all_.append(request)
        return all_

    # --- while the worker runs

    def _watch(self, hand: Hand) -> Doom | None:
        """Wait until the worker has ended; why it was ended, if it was."""
        self._children = self._children or Children()
        self._children.expect()  # what a worker that dies leaves behind is adopted here
        doom: Doom | None = None
        while not hand.ended():
            now = time.monotonic()
            doom = doom or self._doom(hand, now)
            if doom is not None:
                doom.carry_out(hand, now)
            self._signals.wait(self._pause(hand, doom, now))
        return doom

    def _doom(self, hand: Hand, now: float) -> Doom | None:
        if self._signals.told:
            return Doom("signal")
        if self._end is not None and now >= self._end:
            return Doom("time")
        number, began = hand.board.read()
        limit = self._limits.get(number)
        if limit is not None and now - began >= limit:
            return Doom("timeout", number)
        if hand.state == DONE:
            return Doom("leaving", asked_at=now)  # what an op has left behind must not keep it
        return None

    def _pause(self, hand: Hand, doom: Doom | None, now: float) -> float | None:
        """Seconds until there is something to look at, should no signal come before."""
        if doom is not None:
            return 0.1
        looks = [] if self._end is None else [self._end - now]
        if self._limits:
            number, began = hand.board.read()
            limit = self._limits.get(number)
            looks.append(min(0.1, *self._limits.values()) if limit is None else began + limit - now)
        return max(0.001, min(looks)) if looks else None

    # --- after its end

    def _bury(self, hand: Hand, doom: Doom | None) -> None:
        """Answer for the task that a worker has died in, and see whether to go on."""
        if self._children is not None:
            self._children.end()
        if self._elsewhere is not None:
            self._elsewhere.end()
        self._silent = 0 if self._replies.catch_up() else self._silent + 1
        if hand.state == BROKEN:
            raise Broken
        self._conclude(hand, doom, [task[0] for request in self._left() for task in request["tasks"]])

    def _conclude(self, hand: Hand, doom: Doom | None, left: list[int]) -> None:
        """What the worker's end means to the tasks that are left."""
        number, began = hand.board.read()
        if doom is not None and doom.why in ("signal", "time"):
            self._stop(doom.why, number if number in left else 0, began)
        elif hand.state == OUT_OF_TIME:
            self._why = "stopped" if os.path.exists(self._batch.stop) else "time"
        elif number in left:
            self._end_of(number, began, hand, doom)
        elif self._signals.told:
            self._why = "time" if self._is_late() else "signal"
        elif left and self._silent > 1:  # before its first task: that one fails, lest worker after worker die
            self._answer(left[0], time.monotonic(), "Error", _death(hand.code))
        elif not left and self._silent and hand.state != DONE:
            self._answer_ops(hand.code)

    def _end_of(self, number: int, began: float, hand: Hand, doom: Doom | None) -> None:
        """The end of a task together with the worker."""
        if doom is not None and doom.number == number:
            error = _error("timeout", f"it ran longer than its time limit of {self._limits[number]:g} s")
            self._answer(number, began, "Failed", {**error, "type": "builtins:TimeoutError"})
        elif -hand.code in WARNINGS and self._signals.heard_within(HEARSAY_S):  # sent to all processes of the job
            self._stop("signal", number, began)
        elif doom is None:  # else it was meant for the task before
            self._answer(number, began, "Error", _death(hand.code))

    def _stop(self, why: str, number: int, began: float) -> None:
        self._why = "time" if why == "signal" and self._is_late() else why
        self._cut = {"number": number, "seconds": round(time.monotonic() - began, 3)} if number else None

    def _is_late(self) -> bool:
        """Whether the signal is the warning of a time limit: before the end as we know it, and not long before."""
        if self._end is None or not self._signals.of_time:
            return False
        return time.monotonic() >= (self._began + self._end) / 2

    def _answer(self, number: int, began: float, phase: str, error: Tree) -> None:
        seconds = max(0.0, time.monotonic() - began)
        sizes = [os.path.getsize(path) if os.path.exists(path) else 0 for path in self._batch.logs(self._number)]
        times = [round(time.time() - seconds, 6), round(seconds, 6)]
        self._replies.say([0, number, phase, None, *times, *sizes, {"error": error}])
        self._replies.catch_up()
        self._silent = 0

    def _answer_ops(self, code: int) -> None:
        """The worker died of an op that was only to be loaded."""
        for request in self._requests:
            if not request["tasks"]:
                self._replies.say([LOADED, request["do"], None, _death(code)])


class Doom:
    """Why a worker is being ended, and how far that is."""

    def __init__(self, why: str, number: int = 0, *, asked_at: float | None = None) -> None:
        """`number`: the task that it is for; `asked_at`: it ends by itself since then."""
        self.why = why
        self.number = number
        self._asked_at = asked_at

    def carry_out(self, hand: Hand, now: float) -> None:
        """Ask, and after a while insist."""
        if self._asked_at is None:
            self._asked_at = now
            if self.number == 0:
                hand.stop()
            hand.kill(_signal.SIGTERM)
        elif now - self._asked_at > GRACE_S:
            hand.kill(_signal.SIGKILL)


def _replies(path: str) -> RepliesFile:
    """The file at `path`, once an earlier process of the same element has let go of it."""
    limit = time.monotonic() + OVERLAP_S
    while True:
        file = RepliesFile.opened(path)
        if file is not None:
            return file
        if time.monotonic() > limit:
            raise BlockingIOError(11, "another process runs this element", path)
        time.sleep(0.1)


def _error(kind: str, message: str) -> dict[str, Tree]:
    return {
        "type": "",
        "bases": [],
        "message": message,
        "traceback": "",
        "kind": kind,
        "fatal": False,
        "transient": False,
        "exit_code": None,
        "signal": None,
    }


def _death(code: int) -> Tree:
    """How a worker ended, from its exit code (negative: a signal)."""
    how = ending(code)
    if how["signal"] is None:
        return {**_error("died", f"its process ended with exit code {code}"), **how}
    hint = ": out of memory, or killed from outside" if how["signal"] == "SIGKILL" else ""
    return {**_error("died", f"its process was killed by signal {-code} ({how['signal']}){hint}"), **how}


def main(folder: str, number: int) -> int:
    """Run an element; 0 when its replies are complete."""
    try:
        batch = Batch(folder)
        if any(os.path.exists(batch.place(part, number)) for part in ("done", "taken")):
            return 0
        try:
            os.environ.update(batch.env())
        except KeyError as missing:
            sys.stderr.write(f"sciflow: element {number} of {folder}: variable {missing} has not come with the job\n")
            return NO_SECRET
        Element(batch, number).run()
    except Broken:
        return CANNOT_WRITE
    except OSError as error:
        sys.stderr.write(f"sciflow: element {number} of {folder}: {error}\n")
        return CANNOT_WRITE
    return 0
