"""Does what is ordered of one workflow: submits it, ends it, has it go on, brings its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from sciflow.errors import HostFailed, HostRefused, HostUnreachable, SciflowError
from sciflow.executors.argo.follow.followed import Followed
from sciflow.executors.argo.follow.gates import Gates
from sciflow.executors.argo.follow.halting import Halted, end_workflow
from sciflow.executors.argo.follow.harvest import Harvest
from sciflow.executors.argo.follow.news import Answer, Begin, End, Fetch, News, Order, Pause, Refused, Resume, Revive
from sciflow.executors.argo.follow.sight import Sight
from sciflow.executors.argo.manifest.workflow import RUN_LABEL
from sciflow.executors.argo.place.layout import HALTED, OUTCOMES
from sciflow.executors.argo.server.objects import WorkflowStatus


class Supply(Protocol):
    """Puts into the bucket what pods need."""

    def send(self) -> None:
        """Code, and what the run was given."""

    def submit(self, totals: Mapping[str, int]) -> None:
        """The same, and creates the workflow; `totals`: see `Begin`."""

    def send_answer(self, path: str, text: bytes) -> None:
        """What was given at a suspension."""


class Mission(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about a workflow that is found."""

    begins: bool  # or not found: it is submitted
    fresh: bool = False  # nobody has looked after its run before, so that there is none to be found
    goes_on: bool  # if it is suspended
    gates: bool  # its run may wait for answers
    opens: bool = False  # which are nothing but Argo's own word: of a run of what is deployed


class Orders:
    """Knows whether the workflow is there. An order that fails may be given again, and is done once."""

    def __init__(
        self,
        followed: Followed,
        *,
        mission: Mission,
        supply: Supply,
        sight: Sight,
        gates: Gates,
        harvest: Harvest,
        tell: Callable[[News], None],
    ) -> None:
        self._server, self._name = followed.server, followed.name
        self._bucket, self._layout = followed.bucket, followed.layout
        self._mission = mission
        self._supply = supply
        self._sight = sight
        self._gates = gates
        self._harvest = harvest
        self._tell = tell
        self._totals: Mapping[str, int] = {}
        self._begun = False
        self._submitting = False
        self._nothing_there = mission.fresh

    @property
    def begun(self) -> bool:
        """Whether there is a workflow to look after."""
        return self._begun

    @property
    def nothing_there(self) -> bool:
        """Whether it is known that there is no workflow, if the order to begin comes to nothing now."""
        return not self._begun and self._nothing_there

    def obey(self, order: Order) -> None:
        """Does it.

        Raises:
            HostError, RunDamaged, OSError: it is not done, or not to its end.
            ConfigError: it cannot be done.
        """
        match order:
            case Begin(totals=totals):
                self._begin(totals)
            case Revive(paths=paths):
                self._revive(paths)
            case Answer():
                self._gates.give(order)
            case Pause():
                self._server.suspend(self._name)
                self._sight.pause()
            case Resume():
                self._go_on()
            case End(halt=halt):
                self._end(halt)
            case Fetch(paths=paths):
                self._tell(self._harvest.fetch(paths))

    def _begin(self, totals: Mapping[str, int]) -> None:
        self._totals = totals
        submits = self._mission.begins and self._mission.fresh
        there = self._there(nodes=not submits)  # also then: who is refused hears of it before anything is sent
        status = None if submits else there  # what has its name is another's, or an earlier try
        self._sight.begin(found=status is not None or not self._mission.begins)
        if status is None and self._mission.begins:
            self._submitting = True
            self._submit(totals)
        elif status is not None and status.suspended and self._mission.goes_on:
            self._server.resume(self._name)
        self._renewed()
        self._begun = True

    def _submit(self, totals: Mapping[str, int]) -> None:
        """Submits it; who tells that this has failed may be a proxy, through which it went all the same."""
        self._nothing_there = False
        try:
            self._supply.submit(totals)
        except (OSError, SciflowError) as error:
            if isinstance(error, HostUnreachable) and not isinstance(error, HostFailed):
                raise
            self._nothing_there = self._server.annotation(self._name, RUN_LABEL) != self._layout.run
            if self._nothing_there:
                raise

    def _revive(self, paths: Sequence[str]) -> None:
        """Has a workflow go on that has ended; or submits it again, if it is no more or cannot go on.

        One that goes on is left to do so: somebody else was quicker, or an earlier try has come through.
        """
        self._supply.send()
        status = self._there(nodes=bool(paths))
        if status is None or status.ended:
            self._submitting = True
            if status is None or status.archived or not self._retried(status, paths):
                self._there(nodes=False)  # or it is being removed, which is waited for
                self._supply.submit(self._totals)
        self._gates.shut_again()
        self._sight.renew()
        self._renewed()

    def _renewed(self) -> None:
        """What was said of the end of a workflow does not hold for what goes on in its place."""
        if self._submitting:
            self._bucket.delete(self._layout.part(HALTED))
        self._submitting = False

    def _retried(self, status: WorkflowStatus, paths: Sequence[str]) -> bool:
        """False if it must be submitted again: its name is free then, or about to be."""
        if self._lacks_outcomes(status, paths):  # Argo would run none of those pods again
            self._server.delete(self._name)
            return False
        try:
            return self._server.retry(self._name, succeeded=status.phase == "Succeeded")
        except (HostRefused, HostFailed):
            now = self._there(nodes=False)
            if now is None or now.ended:
                raise
            return True  # somebody else was quicker

    def _lacks_outcomes(self, status: WorkflowStatus, paths: Sequence[str]) -> bool:
        """Whether pods of these nodes have succeeded of which nothing is in the bucket."""
        there = self._bucket.list(self._layout.part(f"{OUTCOMES}/"))
        done = (pod.task for path in paths for pod in status.pods.get(path, ()) if pod.phase == "Succeeded")
        return any(chunk and self._layout.outcomes(path, chunk) not in there for path, chunk in done)

    def _go_on(self) -> None:
        if self._sight.halts:
            self._server.resume(self._name)
            self._sight.go_on()

    def _end(self, halt: Halted) -> None:
        sight = self._sight
        if not self._begun:  # the order to begin was set aside
            status = self._server.status(self._name, nodes=False)
            self._begun = status is not None or not self._mission.begins
            sight.begin(found=self._begun, suspended=status is not None and (status.suspended or status.partial))
        if not self._begun:
            self._tell(Refused(why="it was ended before it was submitted"))
            return
        end_workflow(self._server, self._name, self._bucket, self._layout, halt, suspended=sight.halts)
        sight.go_on()

    def _there(self, *, nodes: bool) -> WorkflowStatus | None:
        """How far it is; None if there is none.

        Raises:
            HostUnreachable: it is being removed.
        """
        status = self._server.status(self._name, nodes=nodes)
        if status is not None and status.leaving:
            raise HostUnreachable(f"{self._server.url}: {self._name} is being removed")
        return status
