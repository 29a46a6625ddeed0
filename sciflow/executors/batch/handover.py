"""Hands submissions to a batch system: what belongs to them is brought to the host, then the system is told, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path

import msgspec

from sciflow.errors import QueueUnavailable, SubmissionGone
from sciflow.executors.batch.crews import Crews
from sciflow.executors.batch.depot import Depot
from sciflow.executors.batch.news import Send
from sciflow.executors.batch.record import FOLDER, RECORD, BatchRecord, Stage
from sciflow.executors.containers.launch import Place, command_of, told_of
from sciflow.executors.systems.system import BatchSystem
from sciflow.executors.transports.transport import Output

SUBMIT_S = 120.0


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """What the host says of a submission."""

    code: int = 0
    stdout: str = ""
    stderr: str = ""
    never: bool = False  # it was not made
    gone: bool = False  # its folder is not there, and the queue does not have it
    unsure: bool = False  # nobody knows whether it was
    found: bool = False  # the queue has it: `stdout` is what that says


class Handover:
    """Brings submissions of one run to one host. Whatever it does may be done again after a break."""

    def __init__(
        self,
        depot: Depot,
        system: Callable[[Depot], BatchSystem],
        *,
        here: Path,
        there: str | None,
        recorded: bool = False,
    ) -> None:
        """`here` is the run folder; `there` the run's root under the depot, None if that is the run folder itself.

        `recorded`: the host has the records, too; see `recorded_there`.
        """
        self.depot = depot
        self.shared = there is None
        self._make_system = system
        self.records: Callable[[], Iterable[BatchRecord]] = tuple  # those of which jobs may be spoken of
        self._here = here
        self._there = there
        self._recorded = recorded

    @property
    def root(self) -> str:
        """The run's root on the host, which must have been reached before."""
        return str(self._here) if self._there is None else f"{self.depot.root}/{self._there}"

    def folder(self, name: str) -> str:
        """A submission's folder on the host."""
        return f"{self.root}/{FOLDER}/{name}"

    @cached_property
    def system(self) -> BatchSystem:
        """Made when the host has been reached: some need to know what is there."""
        return Crews(self._make_system(self.depot), records=self.records, folder=self.folder)

    def send(self, send: Send) -> None:
        """Brings all that a submission needs to the host.

        Raises:
            ConfigError: it asks for what the batch system has no word for.
            RunDamaged: something that it needs is gone from the run folder.
            HostError: see `Depot`.
        """
        name = send.record.name
        folder = self.folder(name)
        supply, made = send.load.packed(name, send.launch)
        told, command = self._command(send, folder)
        submission = msgspec.structs.replace(send.submission, folder=folder, command=command)
        script = self.system.script(submission).encode()
        index = msgspec.json.encode({**made.index, **told, "root": self.root, "depot": self.depot.root})
        files = {"index.json": index, "requests": made.requests, "script.sh": script}
        if self.shared:
            for file, content in files.items():
                (self._here / FOLDER / name / file).write_bytes(content)
            self.depot.supply(f"{self.depot.root}/runs/{self._here.name}", supply, send.code, {})
        else:
            if self._recorded:
                files[RECORD] = msgspec.json.encode(msgspec.structs.replace(send.record, stage=Stage.SENT))
            there = {f"{FOLDER}/{name}/{file}": content for file, content in files.items()}
            self.depot.supply(self.root, supply, send.code, there)

    def _command(self, send: Send, folder: str) -> tuple[Mapping[str, object], tuple[str, ...]]:
        """What runs an element, or a crew of them, and what the index says of that."""
        told, command = self._alone(send, folder)
        if send.record.workers == 1:
            return told, command
        whole = send.submission.site.exclusive
        crew = {
            "workers": send.record.workers,
            "command": command,
            "gpus": send.load.gpus,
            "whole": whole,
        }
        return {**told, "crew": crew}, self.depot.element(folder, "crew")

    def _alone(self, send: Send, folder: str) -> tuple[Mapping[str, object], tuple[str, ...]]:
        """What runs one element, and what the index says of that."""
        if send.launch is None:
            return {}, self.depot.element(folder)
        depot = self.depot
        place = Place(
            root=self.root,
            depot=depot.root,
            runner=depot.runner,
            folder=folder,
            batch=send.record.name,
            own=self.shared,
        )
        told = told_of(send.launch, place, (*send.environ, *send.secrets))
        return {"container": told}, command_of(told, place, depot.python)

    def submit(self, name: str, secrets: Mapping[str, str], *, only_find: bool = False) -> str | None:
        """Has the batch system take a submission, once, whatever has died meanwhile; its id, "" if it is over already.

        With `only_find` nothing is submitted: None says that it never was.

        Raises:
            SubmissionRefused, QueueUnavailable: see `BatchSystem.submit`.
            SubmissionGone: nothing is to be seen of it there.
        """
        folder = self.folder(name)
        command, queue = self.system.submit(f"{folder}/script.sh"), self.system.queue()
        request = {
            "dir": folder,
            "name": name,
            "argv": command.argv,
            "find": {"argv": queue.argv},
            "timeout_s": SUBMIT_S,
            "secrets": dict(secrets),
            "only_find": only_find,
        }
        said = self.depot.ask("submit", request, Submitted, timeout_s=SUBMIT_S + 30)
        if said.never:
            return None
        if said.gone:
            raise SubmissionGone(f"{folder} is not there")
        if said.unsure or said.code < 0:  # ended at its time limit: it may have been heard
            raise QueueUnavailable(f"whether {name} was submitted is not known yet: {said.stderr}")
        output = Output(code=said.code, stdout=said.stdout.encode(), stderr=said.stderr.encode())
        if said.found:
            return next((state.job for state in queue.parse(output) if state.name == name), "")
        return command.parse(output)
