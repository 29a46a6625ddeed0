"""How a run is steered from outside, and the halt that holds because of it.

Requests come as files, interruptions as signals, the time limit by the clock. What others ask of a run at the place
where it is carried out as a whole comes as reports.
"""

from __future__ import annotations

import time

from sciflow.engine.brakes import Brakes
from sciflow.engine.control import Inbox, Request, Verb
from sciflow.engine.halt import Halt, Level
from sciflow.engine.parts import Parts
from sciflow.engine.replies import Replies
from sciflow.engine.resting import Rest
from sciflow.executors.executor import Denied, Steered

LOOK_S = 0.25  # between looks at requests and time limit


class Helm:
    """The helm of one engine."""

    def __init__(self, parts: Parts, *, brakes: Brakes, replies: Replies, rest: Rest) -> None:
        self.halt = Halt()
        self.next_look = 0.0  # by the monotonic clock
        self._db = parts.db
        self._conductor = parts.conductor
        self._intake = parts.intake
        self._deadline = parts.deadline
        self._brakes = brakes
        self._replies = replies
        self._rest = rest
        self._inbox = Inbox(parts.folder.part("control"))
        self._timed_out = False

    def order(self, halt: Halt) -> None:
        """Halts the run; safe to call from a signal handler. A weaker halt than the present one is ignored."""
        if (holds := self.halt.followed_by(halt)) is not self.halt:
            self.halt, self.next_look = holds, 0.0

    def look(self) -> None:
        """Does what was asked since the last look, and sees to it that the halt holds."""
        self.next_look = time.monotonic() + LOOK_S
        for request in self._inbox.collect():
            self._obey(request)
        self._replies.give()
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._timed_out = True
            self.order(Halt(Level.KILL, "the run took longer than its time limit", ends=True))
        self._brakes.apply(self.halt)

    def put_off(self, seconds: float) -> None:
        """Puts the next look off; one that is due at once is still due."""
        self.next_look += seconds

    def settle(self) -> None:
        """Has those who asked know that it was done, as far as that is written down."""
        halted = self._conductor is None or self._conductor.settled
        self._inbox.settle(self._replies.unsettled, halted=halted)

    def denied(self, said: Denied) -> None:
        """Gives up a halt that who carries out the run refuses."""
        self._inbox.refuse(said.why)
        if self.halt.level < Level.KILL or (said.ends and self.halt.ends):
            self.halt = Halt()
            self._brakes.release()
        if said.ends and self._timed_out:  # else it would be asked again all the time
            self._deadline = None

    def steered(self, said: Steered, *, busy: bool) -> None:
        """Does what somebody else has asked of the run; its end is told again as long as the run goes on here.

        `busy`: what has ended there is being taken in, and is waited for.
        """
        match said.level:
            case "pause":
                self.order(Halt(Level.PAUSE, said.why))
            case "go on":
                self._go_on()
            case "leave":
                self.order(Halt(Level.KILL, said.why))
            case "stop" if not busy:
                self.order(Halt(Level.STOP, said.why, ends=True))
            case "kill" if not busy:
                self.order(Halt(Level.KILL, said.why, ends=True, exit_handler=said.exit_handler))

    def begin_exit(self) -> None:
        """The run has ended and its exit handler begins: the halt was the run's, and the handler has its own limit."""
        self._deadline = None
        self.halt = Halt()
        self._brakes.release()

    def _obey(self, request: Request) -> None:
        match request:
            case Request(verb=Verb.STOP):
                self.order(Halt(Level.STOP, "the run was stopped", ends=True))
            case Request(verb=Verb.TERMINATE):
                self.order(Halt(Level.KILL, "the run was terminated", ends=True, exit_handler=False))
            case Request(verb=Verb.SUSPEND):
                self.order(Halt(Level.PAUSE, "the run was suspended"))
            case Request(verb=Verb.RESUME, node=""):
                self._go_on()
                if self._conductor is not None:
                    self._conductor.go_on()
            case Request(verb=Verb.RESUME, node=node, value=value):
                self._rest.end()
                self._replies.take(node, self._intake.text(value))
        self._db.put_event(time.time(), request.verb.value, request.node)

    def _go_on(self) -> None:
        self._brakes.release()
        self.halt = Halt() if self.halt.level is Level.PAUSE else self.halt
        self._rest.end()
