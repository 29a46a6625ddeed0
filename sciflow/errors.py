"""Every exception that sciflow raises on purpose.

    SciflowError
    ├── InvalidWorkflow         found before anything ran: a list of problems, each with its place and its mend
    ├── InvalidInput            a run's argument does not fit the workflow's signature
    ├── ConfigError             a setting that is unknown, of a wrong type or impossible
    │   └── InvalidSettings     those of an executor: a list of problems, each with its place and its mend
    ├── MissingExtra            an optional package is needed: says which to install
    ├── RunError                about one run folder
    │   ├── RunNotFound         no such run
    │   ├── RunBusy             another engine works on it
    │   └── RunDamaged          its folder or database cannot be read or written
    ├── HostError               about a machine elsewhere
    │   ├── HostUnreachable     it does not answer now: to be tried again
    │   │   ├── CommandTimedOut a program there took too long
    │   │   └── HostFailed      it answers that something went wrong with it, which may pass or not
    │   ├── HostRefused         it answers, and somebody has to do something first
    │   │   ├── HostKeyRefused  its key is not known, or not the one that is known
    │   │   └── HostUnfit       the Python or the folder there will not do, which no waiting mends
    │   ├── QueueUnavailable    its batch system gives no answer now
    │   │   └── SubmissionGone  nor is anything to be seen there of what was to be submitted
    │   └── SubmissionRefused   its batch system does not take a job, in its own words
    │       └── QueueFull       not now, because this user has as many in the queue as may be
    ├── RunFailed               raised by `Run.result` and `wait(check=True)`: names the tasks that failed
    └── RunInterrupted          ctrl-C, or stopped from elsewhere: the run can be resumed

Errors of the op itself (`TransientError`, `FatalError`, `OpError`, `CodeError`, `CodecError`) live in
`sciflow.runner.failures`, because they travel to nodes that have the runner and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class SciflowError(Exception):
    """Anything that sciflow reports itself; the command line prints it without a traceback."""


class Problem(NamedTuple):
    """One mistake: where it stands, what was expected, what was found, what to do."""

    where: str
    what: str
    expected: str = ""
    found: str = ""
    fix: str = ""

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        facts = (("expected", self.expected), ("found", self.found), ("fix", self.fix))
        lines += [f"    {label + ':':<10}{text}" for label, text in facts if text]
        return "\n".join(lines)


class InvalidWorkflow(SciflowError):
    """The workflow cannot run as written; `problems` holds every mistake that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problems" if len(self.problems) != 1 else "1 problem"
        super().__init__("\n".join([f"{count}, nothing was run", *map(str, self.problems)]))


class InvalidInput(InvalidWorkflow):
    """The arguments of a run do not fit the workflow's signature."""


class ConfigError(SciflowError):
    """A setting is unknown, has the wrong type or cannot hold."""


class InvalidSettings(ConfigError):
    """The settings of an executor cannot be as written; `problems` holds every mistake that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class MissingExtra(SciflowError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}, which is not installed: pip install 'sciflow-hpc[{extra}]'")


class RunError(SciflowError):
    """Something about one run folder."""


class RunNotFound(RunError):
    """No run of that name, id or folder."""


class RunBusy(RunError):
    """Another engine is working on the run."""


class RunDamaged(RunError):
    """The run's folder or database cannot be read or written."""


class HostError(SciflowError):
    """Something about a machine elsewhere."""


class HostUnreachable(HostError):
    """A machine does not answer now; the call may be made again."""


class CommandTimedOut(HostUnreachable):
    """A program on a machine took longer than it may."""


class HostFailed(HostUnreachable):
    """A machine answers that it has failed to do what it was asked for; whether that passes is not to be seen."""


class HostRefused(HostError):
    """A machine answers, and somebody has to do something first: accept its key, log in, make room."""


class HostKeyRefused(HostRefused):
    """A machine's key is not known, or not the one that is known."""


class HostUnfit(HostRefused):
    """A machine answers, and what the settings name there cannot be used: waiting does not mend it."""


class QueueUnavailable(HostError):
    """A batch system gives no answer now."""


class SubmissionGone(QueueUnavailable):
    """The folder of a submission is not on its host, and the batch system has no such job."""


class SubmissionRefused(HostError):
    """A batch system does not take a job."""


class QueueFull(SubmissionRefused):
    """A batch system takes no more of this user's jobs until others have ended."""


class RunFailed(SciflowError):
    """The run ended without success; the message is its report, root cause first."""


class RunInterrupted(SciflowError):
    """The run was stopped before its end and can be resumed."""
