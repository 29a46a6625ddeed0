"""What a halt does to a run's tasks: nothing more of them is begun, or what runs is ended."""

from __future__ import annotations

from sciflow.core.records import TaskError
from sciflow.engine.freight import Freight
from sciflow.engine.halt import Halt, Level
from sciflow.engine.parts import Parts


class Brakes:
    """The brakes of one engine."""

    def __init__(self, parts: Parts, freight: Freight) -> None:
        self._scheduler = parts.scheduler
        self._executors = parts.executors
        self._conductor = parts.conductor
        self._freight = freight
        self._withdrawn = False  # executors were told to begin nothing more
        self._let_go = False  # and then that all is done
        self._failed = False  # the run, of what nobody else knows

    def apply(self, halt: Halt) -> None:
        """Does what the halt asks for: withdraws once, and kills as often as it is called."""
        if halt.level is Level.KILL:
            self._kill(halt)
        elif halt.level is Level.PAUSE or halt.ends:
            self._withdraw()

    def release(self) -> None:
        """The run goes on: the next halt is a new one."""
        self._withdrawn = self._let_go = False

    def let_go(self) -> None:
        """Nothing is left to be begun: a run that was halted before comes to its end also where it is carried out."""
        if self._conductor is not None and self._withdrawn and not self._let_go:
            self._let_go = True
            self._conductor.go_on()

    def end_whole(self, halt: Halt) -> None:
        """Has the run ended by who carries it out as a whole, if the halt is its end."""
        if self._conductor is not None and halt.ends:
            killed = halt.level is Level.KILL
            self._conductor.end(exit_handler=halt.exit_handler, killed=killed, why=halt.why)

    def fail(self, error: TaskError) -> None:
        """Has a run ended that has failed of what only its engine knows: nothing more of it is to begin."""
        if not self._failed:  # once: that may be refused
            self._failed = True
            self.end_whole(Halt(Level.KILL, error.message, ends=True))

    def _kill(self, halt: Halt) -> None:
        error = TaskError(kind="cancelled", type="sciflow:Cancelled", message=halt.why)
        self._take_unsent()
        self.end_whole(halt)
        for executor in self._executors.values():
            if halt.ends or not executor.outlives:
                executor.cancel(list(self._scheduler.in_flight), error)

    def _withdraw(self) -> None:
        if not self._withdrawn:
            self._withdrawn = True
            self._take_unsent()
            for executor in self._executors.values():
                executor.withdraw()

    def _take_unsent(self) -> None:
        """Takes back the jobs that wait for files, and so were handed to no executor."""
        for job in self._freight.cancel(self._scheduler.in_flight):
            self._scheduler.lost(job, range(len(self._scheduler.in_flight[job].job.slices)))
