"""`Run`: a run as scripts, notebooks and the command line hold it; any number of them, in any process."""

from __future__ import annotations

from typing import TypeVar

from sciflow.core.records import Phase
from sciflow.engine import steering
from sciflow.engine.answers import answers
from sciflow.engine.control import Inbox, Request, Verb
from sciflow.engine.creation import create_again
from sciflow.engine.origin import stored_setup
from sciflow.engine.reading import RunRecord
from sciflow.engine.stored_files import release
from sciflow.errors import RunBusy

R_co = TypeVar("R_co", covariant=True)


class Run(RunRecord[R_co]):
    """A run: all that can be read of it, and the verbs that change its course, which go through its engine."""

    def cancel(self) -> None:
        """Ends the run at once: what runs is killed, the exit handler does not run.

        Raises:
            HostError: no engine is at work, and the machine with the run's jobs gives no answer; the run has not ended.
            RunError: the jobs are at an executor that the settings do not name; or the engine does not answer.
        """
        steering.end(self._folder, Verb.TERMINATE, "the run was terminated")

    terminate = cancel

    def stop(self) -> None:
        """Ends the run in order: nothing new is begun, what runs may end, the exit handler runs.

        Where no engine is at work there is no exit handler, and jobs that run on a cluster are left to `retry`.

        Raises:
            HostError, RunError: see `cancel`.
        """
        steering.end(self._folder, Verb.STOP, "the run was stopped")

    def suspend(self) -> None:
        """Begins nothing new until `resume`.

        Raises:
            HostError, RunError: see `cancel`.
        """
        steering.suspend(self._folder)

    def resume(self, value: object = None, *, node: str = "", detach: bool | None = None) -> Phase:
        """Goes on with a run that was interrupted, suspended, or whose engine died; tells a suspended node its value.

        Args:
            value: what the suspended node gives on.
            node: its path; not needed if only one waits.
            detach: in a process of its own, or here; as the run was started, if not given.

        Raises:
            InvalidInput: the value is not what the node waits for, or no such node waits.
            RunError: nothing goes on without a value; or the engine at work does not answer.
        """
        with self._reader() as reader:
            requests = answers(reader, value, node, inbox=Inbox(self._folder.part("control")))
        heard = [steering.ask(self._folder, request) for request in [*requests, Request(verb=Verb.RESUME)]]
        return self.phase if all(heard) or self.phase is Phase.SUCCEEDED else self._go_on(detach=detach)

    def release(self) -> int:
        """Removes from the run's folder the files that lie in its storage too; how many files and folders.

        They are brought again when somebody needs them, see `fetch`.

        Raises:
            RunBusy: an engine is at work on the run.
        """
        with self._folder.lock():
            return release(self.folder)

    def resubmit(self, *, detach: bool | None = None) -> Run[R_co]:
        """Runs the same workflow with the same inputs once more, from its beginning, as a run of its own.

        Raises:
            RunDamaged: this run cannot be read, or the new folder not be made.
        """
        again: Run[R_co] = Run(create_again(self._folder))
        again._go_on(detach=detach)
        return again

    def retry(self, *, detach: bool | None = None) -> Phase:
        """Runs again the tasks that failed, ended in error or were omitted, and nothing else.

        Raises:
            RunBusy: an engine is at work on the run.
        """
        if steering.at_work(self._folder):
            raise RunBusy(f"{self.folder}: an engine is at work on this run; wait for it, or cancel it first")
        return self._go_on(detach=detach, reopen=True)

    def _go_on(self, *, detach: bool | None, reopen: bool = False) -> Phase:
        with self._reader() as reader:
            setup = stored_setup(reader)
        if setup.detached if detach is None else detach:
            sessions = steering.sessions(self._folder)
            self.detach(reopen=reopen)
            steering.await_session(self._folder, after=sessions)
            return self.phase
        return self.carry_on(reopen=reopen)

    def carry_on(self, *, progress: bool | None = None, reopen: bool = False) -> Phase:
        """Is the run's engine, here, until the run ends.

        Raises:
            RunBusy: another engine is at work on it.
            RunInterrupted: ctrl-C.
        """
        return steering.carry_on_shown(self._folder, progress=progress, reopen=reopen)

    def detach(self, *, reopen: bool = False) -> None:
        """Starts an engine for the run in a process of its own."""
        steering.detach(self._folder, reopen=reopen)
