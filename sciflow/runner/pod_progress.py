"""How far a pod is, as Argo reads it: two whole numbers in a file. Argo passes them on from time to time."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any

FILE = "ARGO_PROGRESS_FILE"
PARTS = 1000  # into which what is counted in other than whole numbers is divided


class PodProgress:
    """Of a pod with several tasks, how many have succeeded; of one with a single task, what its op says."""

    def __init__(self, tasks: int) -> None:
        self._path = os.environ.get(FILE)
        self._tasks = tasks
        self._said = (0, tasks)
        self._written = (0, 1)  # what Argo supposes

    def hear(self, reply: Tree) -> None:
        """Takes what an op says of itself."""
        whole = whole_numbers(reply[2], reply[3])
        if self._tasks == 1 and whole is not None:
            self._said = whole

    def write(self, succeeded: int) -> None:
        """Tells Argo, where there is something new to tell."""
        said = self._said if self._tasks == 1 and not succeeded else (succeeded, self._tasks)
        if self._path is None or said == self._written or not self._tasks:
            return
        self._written = said
        try:
            with open(self._path, "w", encoding="utf-8") as file:
                file.write(f"{said[0]}/{said[1]}\n")
        except OSError:  # nobody's result depends on it
            pass


def whole_numbers(done: float, total: float | None) -> tuple[int, int] | None:
    """The same as a part of so many; None where it cannot be told so."""
    if total is None or not 0 <= done <= total or not total:
        return None
    if float(done).is_integer() and float(total).is_integer():
        return int(done), int(total)
    return int(PARTS * done / total), PARTS
