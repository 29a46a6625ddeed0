"""How the tasks of a pod have ended: what is known of it while it runs, and the file that the pod leaves of it."""

from __future__ import annotations

import os
import threading

from sciflow.runner.exit_codes import SOME_FAILED
from sciflow.runner.memory import MemoryWatch
from sciflow.runner.placing import write_whole
from sciflow.runner.retrying import backoff_s, error_may_retry
from sciflow.runner.shapes import Shapes
from sciflow.runner.text import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    Tree = Any

OUTCOMES, CACHE = "outcomes", "cache"


class PodEnds:
    """The ends of one pod's tasks; `told` is its `pod.json`."""

    def __init__(self, folder: str, told: Tree) -> None:
        self._told = told
        self._folder = folder
        self._lines: list[str] = []  # texts of [slice, attempt, worker, where its text begins in both logs, the reply]
        self._last: dict[int, Tree] = {}  # the last of those of each slice
        self._attempts: dict[int, int] = {}  # that have ended here, by the number of the task
        self._shapes = Shapes(told["root"])  # of what the ends speak of
        self._memory = MemoryWatch(told["memory_mb"])
        self._lock = threading.RLock()

    def hear(self, worker: str, begins: Sequence[int], said: Tree) -> None:
        """Take the end of an attempt, a reply; `begins`: where its text begins in both logs of the worker."""
        with self._lock:
            slice_, attempt = self._task(said[1])
            self._shapes.add(said[3])
            if "error" in (said[8] or {}):
                said[8]["error"] = self._memory.explained(said[8]["error"])
            self._last[slice_] = [slice_, attempt, worker, *begins, said]
            self._lines.append(dump(self._last[slice_]))

    def _task(self, number: int) -> tuple[int, int]:
        slice_, first = self._told["tasks"][str(number)]
        before = self._attempts.get(number, 0)
        self._attempts[number] = before + 1
        return slice_, first + before

    def save(self) -> None:
        """Write down all that has ended."""
        with self._lock:
            lines, succeeded = list(self._lines), self.succeeded
            left = [slice_ for slice_, _ in self._told["tasks"].values() if slice_ not in self._last]
            folders, executable = dict(self._shapes.folders), list(self._shapes.executable)
            contents = dict(self._shapes.contents)
        head, earlier = self._told["head"], self._told["earlier"]
        head = {**head, "succeeded": head["succeeded"] + succeeded}
        rest = {
            "folders": {**earlier["folders"], **folders},
            "executable": [*earlier["executable"], *executable],
            "contents": {**earlier["contents"], **contents},
            "left": left,
        }
        text = "\n".join([dump(head), dump(rest), *earlier["lines"], *lines])
        write_whole(f"{self._folder}/{OUTCOMES}", f"{text}\n".encode())

    @property
    def succeeded(self) -> int:
        """How many tasks have."""
        return sum(end[5][2] == "Succeeded" for end in self._last.values())

    @property
    def code(self) -> int:
        """The exit code of a pod of which all tasks have ended, here or before."""
        failed = self._told["earlier"]["failed"] or any(end[5][2] != "Succeeded" for end in self._last.values())
        return SOME_FAILED if failed else 0

    def remember(self) -> None:
        """Leave what has succeeded for the cache, unless it goes by more than its inputs."""
        if not self._told["cache"]:
            return
        os.makedirs(f"{self._folder}/{CACHE}", exist_ok=True)
        for slice_, end in self._last.items():
            _, _, phase, output, *_, extra = end[5]
            key = self._told["cache"].get(str(slice_))
            if key is None or phase != "Succeeded" or (extra or {}).get("needs"):
                continue
            shapes = Shapes(self._told["root"])
            shapes.add(output)
            entry = {
                "run": self._told["run"],
                "output": output,
                "folders": shapes.folders,
                "executable": shapes.executable,
            }
            write_whole(f"{self._folder}/{CACHE}/{key}", dump({**entry, "extra": extra}).encode())

    def waits(self) -> dict[int, float]:
        """The tasks that have failed and are to be tried again, by number; after how long."""
        waits = {end[5][1]: self._wait_s(end) for end in self._last.values()}
        return {number: wait_s for number, wait_s in waits.items() if wait_s is not None}

    def wait_s(self, slice_: int) -> float | None:
        """After how long a task that has ended is to be tried again; None: it is not."""
        return self._wait_s(self._last[slice_])

    def _wait_s(self, end: Tree) -> float | None:
        policy, extra = self._told["policy"], end[5][8] or {}
        tries = end[1] - self._told["spent"].get(str(end[0]), 0)
        if "error" not in extra or end[5][2] == "Succeeded" or not error_may_retry(extra["error"], policy, tries):
            return None
        return backoff_s(
            tries, first_s=policy["backoff_s"], factor=policy["backoff_factor"], most_s=policy["backoff_max_s"]
        )
