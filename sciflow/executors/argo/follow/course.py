"""Whether a run on Argo goes on as a whole: what was asked of it here, and what others have asked of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Literal

from sciflow.core.records import TaskError
from sciflow.executors.argo.follow.halting import Halted
from sciflow.executors.argo.follow.news import CaughtUp
from sciflow.executors.executor import Steered


class Course(Enum):
    """By whose will a run ends, if it does before its time."""

    UNDERWAY = "underway"  # it goes on; or is suspended, and will
    ENDING = "ending"  # by ours: that was ordered
    HALTED = "halted"  # by somebody else's, who is told here; the engine has not yet done what is left to do
    FOLLOWED = "followed"  # the same, and it has
    NOTHING = "nothing"  # there is no workflow


MOVES: Mapping[Course, frozenset[Course]] = {
    Course.UNDERWAY: frozenset({Course.ENDING, Course.HALTED, Course.FOLLOWED, Course.NOTHING}),
    Course.ENDING: frozenset({Course.ENDING, Course.UNDERWAY, Course.NOTHING}),  # refused: it goes on
    Course.HALTED: frozenset({Course.FOLLOWED, Course.ENDING, Course.NOTHING}),
    Course.FOLLOWED: frozenset({Course.ENDING, Course.NOTHING}),  # its exit handler is ended, too
    Course.NOTHING: frozenset({Course.NOTHING}),
}


class Steering:
    """What is to be ordered of a workflow, and what its tasks come to, by its course."""

    def __init__(self) -> None:
        self._course = Course.UNDERWAY
        self._halt: Halted | None = None  # how it was ended, by whomever
        self._withdrawn = False  # nothing more is to begin
        self._exits = False  # the exit handler has begun, which nobody ends by ending the run
        self._suspended = False  # as the workflow was last told to be
        self._doom: TaskError | None = None

    @property
    def course(self) -> Course:
        """Where it is."""
        return self._course

    @property
    def withdrawn(self) -> bool:
        """Whether tasks that have not begun are not to begin."""
        return self._withdrawn

    @property
    def doom(self) -> TaskError | None:
        """What the tasks die of that are ended."""
        return self._doom

    @property
    def gives_up(self) -> bool:
        """Whether tasks of which an ended workflow has left nothing have come to their end by that.

        Not before the engine knows that somebody has ended it: they would be taken for lost.
        """
        return self._course is not Course.HALTED

    # --- what is asked here

    def withdraw(self) -> bool:
        """Nothing more is to begin; whether that must be ordered."""
        self._withdrawn = True
        self._follow()
        return self._course is Course.UNDERWAY and not self._suspended

    def go_on(self) -> None:
        """It is to go on after that."""
        self._withdrawn = self._suspended = False

    def end(self, halt: Halted) -> bool:
        """It is to end; whether that must be ordered: not, unless it ends more than was ended before."""
        if self._halt is not None and (halt.exit_handler or not self._halt.exit_handler):
            return False
        self._halt = halt
        if self._course is not Course.NOTHING:
            self._to(Course.ENDING)
        return True

    def kill(self, doom: TaskError) -> None:
        """What runs dies of this."""
        self._doom = doom
        self._follow()

    def exit(self) -> None:
        """The exit handler begins; nothing else is left to be done of an end."""
        self._exits, self._withdrawn = True, False
        self._follow()

    # --- what is heard of it

    def keeps_on(self) -> None:
        """It may not be ended from here. If it is suspended, that is told again, since the engine takes it to go on."""
        self._halt = self._doom = None
        self._withdrawn = self._suspended = False
        if self._course is Course.ENDING:
            self._to(Course.UNDERWAY)

    def keeps_beginning(self) -> None:
        """It may not be suspended from here."""
        self._withdrawn = False

    def vanish(self) -> None:
        """There is no workflow."""
        self._to(Course.NOTHING)

    def see(self, halted: Halted | None) -> None:
        """Learns whether somebody has ended it."""
        if halted is not None and self._course is Course.UNDERWAY:
            self._halt = halted
            self._to(Course.FOLLOWED if self._withdrawn or self._exits else Course.HALTED)

    def told(self, news: CaughtUp, *, idle: bool) -> Iterator[Steered]:
        """What the engine must hear of what others have asked; `idle`: it waits for no task."""
        halted, suspended = news.halted, news.status.suspended
        if halted is None and news.over and idle:  # what the run waits for will not come
            message = news.status.message or f"it ended: {news.status.phase}"
            halted = Halted(why=f"its workflow does not go on: {message}")
            if self._course is Course.UNDERWAY:
                self._halt = halted
                self._to(Course.FOLLOWED)
        if halted is not None:
            level: Literal["kill", "stop"] = "kill" if halted.killed else "stop"
            yield Steered(level=level, why=halted.why, exit_handler=halted.exit_handler)
        elif suspended != self._suspended:
            self._suspended = suspended
            yield Steered(level="pause" if suspended else "go on", why="the run was suspended" if suspended else "")

    def _follow(self) -> None:
        if self._course is Course.HALTED:
            self._to(Course.FOLLOWED)

    def _to(self, course: Course) -> None:
        assert course in MOVES[self._course]
        self._course = course
