"""A job of the shell queue, as its files tell."""

from __future__ import annotations

import os

from sciflow.runner.file_lock import held
from sciflow.runner.placing import write_whole
from sciflow.runner.text import dump, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    Tree = Any

QUEUED, RUNNING, SUCCEEDED, FAILED = "queued", "running", "succeeded", "failed"
MARK = "SCIFLOW_SHELL_ELEMENT"  # in the environment of all processes of an element
CANCELLED, TIME_LIMIT, UNKNOWN = "cancelled", "time limit", "unknown"
MARKS = {"done": 0, "taken": 0, "died": None}  # of a batch: what an element leaves at its end, and its exit code


class Job:
    """An array job; every question is answered from files, whoever asks."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.id = os.path.basename(folder)
        self._told: Tree = None

    def _fact(self, name: str) -> Tree:
        if self._told is None:
            try:
                with open(f"{self.folder}/job.json", encoding="utf-8") as file:
                    self._told = parse(file.read())
            except FileNotFoundError:  # its submission was cut short
                self._told = {
                    "elements": 0,
                    "name": "",
                    "script": "/",
                    "throttle": 0,
                    "cores": 1,
                    "slots": 0,
                    "walltime_s": 0,
                }
        return self._told[name]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self._fact("name"))

    @property
    def elements(self) -> int:
        """How many there are."""
        return int(self._fact("elements"))

    @property
    def at_once(self) -> int:
        """How many of its elements may run at once; 0: any number."""
        return int(self._fact("throttle"))

    @property
    def slots(self) -> int:
        """How many cores the elements of all jobs may have together."""
        told = int(self._fact("slots"))
        if told:
            return told
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    @property
    def cores(self) -> int:
        """How many of them one element takes."""
        return min(max(1, int(self._fact("cores"))), self.slots)

    @property
    def walltime_s(self) -> float:
        """How long an element may run; 0: as long as it takes."""
        return float(self._fact("walltime_s"))

    @property
    def script(self) -> str:
        """What is run for each element."""
        return str(self._fact("script"))

    @property
    def batch(self) -> str:
        """The folder of the script, in which elements leave their marks."""
        return os.path.dirname(self.script)

    def mark(self, element: int) -> str:
        """What an element's processes have in their environment as `MARK`, and no others."""
        return f"{os.path.realpath(self.folder)}:{element}"

    @property
    def next(self) -> int:
        """The first element that was not started."""
        try:
            with open(f"{self.folder}/next", encoding="utf-8") as file:
                return int(file.read())
        except (FileNotFoundError, ValueError):
            return 0

    def put_next(self, element: int) -> None:
        """Write down that all before this one were started."""
        write_whole(f"{self.folder}/next", str(element).encode())

    # --- its elements

    def running(self) -> Iterator[int]:
        """Elements that were started and whose end nobody has seen."""
        return (int(name) for name in os.listdir(f"{self.folder}/run") if name.isdigit())

    def is_alive(self, element: int) -> bool:
        """Whether a process of an element holds its lock."""
        return held(f"{self.folder}/run/{element}")

    def put_ended(self, element: int, state: str, code: int | None) -> None:
        """Write an end down."""
        write_whole(f"{self.folder}/ended/{element}", dump([state, code]).encode())
        try:  # noqa: SIM105  contextlib is slow to import
            os.unlink(f"{self.folder}/run/{element}")
        except FileNotFoundError:
            pass

    def cancel(self, elements: list[int]) -> None:
        """Let none of these be started, and their ends be known as wished."""
        for element in elements:
            if element < self.elements and not os.path.exists(f"{self.folder}/ended/{element}"):
                with open(f"{self.folder}/cancelled/{element}", "wb"):
                    pass

    def is_cancelled(self, element: int) -> bool:
        """Whether it was to be ended."""
        return os.path.exists(f"{self.folder}/cancelled/{element}")

    def end_of(self, element: int) -> tuple[str, int | None] | None:
        """State and exit code at its end, if that is known."""
        try:
            with open(f"{self.folder}/ended/{element}", encoding="utf-8") as file:
                state, code = parse(file.read())
        except FileNotFoundError:
            return None
        return state, code

    def own_word(self, element: int) -> tuple[str, int | None] | None:
        """What an element that nobody was there to wait for has left in its batch's folder."""
        for part, code in MARKS.items():
            if os.path.exists(f"{self.batch}/{part}/{element}"):
                return (SUCCEEDED if code == 0 else FAILED), code
        return None

    # --- all of it

    @property
    def is_over(self) -> bool:
        """Whether nothing of it waits or runs, and nothing was lost."""
        return not any(True for _ in self.states(all_=False))

    @property
    def is_active(self) -> bool:
        """Whether something of it waits or runs."""
        return any(state in (QUEUED, RUNNING) for _, state, _ in self.states(all_=False))

    @property
    def is_deserted(self) -> bool:
        """Whether elements wait, and nobody is there to start them."""
        waiting = any(state == QUEUED for _, state, _ in self.states(all_=False))
        return waiting and not held(f"{self.folder}/supervisor")

    def states(self, *, all_: bool) -> Iterator[tuple[int, str, int | None]]:
        """Element, state and exit code of those that wait, run or were lost; with `all_`, of the others too."""
        running = set(self.running()) if os.path.isdir(f"{self.folder}/run") else set()
        cancelled = {int(name) for name in _names(f"{self.folder}/cancelled")}
        for element in sorted(running):
            yield from self._state_of_started(element, all_=all_)
        for element in range(self.next, self.elements):
            if element not in running and (all_ or element not in cancelled):
                yield element, CANCELLED if element in cancelled else QUEUED, None
        if all_:
            for element in range(self.next):
                if element not in running:
                    never = (CANCELLED if element in cancelled else UNKNOWN, None)
                    yield (element, *(self.end_of(element) or never))

    def _state_of_started(self, element: int, *, all_: bool) -> Iterator[tuple[int, str, int | None]]:
        if self.is_alive(element):
            yield element, RUNNING, None
            return
        end = self.end_of(element) or self.own_word(element)
        if end is None and self.is_cancelled(element):
            end = (CANCELLED, None)
        if end is None:
            yield element, UNKNOWN, None
        else:
            self.put_ended(element, *end)
            if all_:
                yield (element, *end)


def _names(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []
