"""A machine without a batch system: a small queue of processes that the runner keeps there (`host shell`).

It is spoken to like the others, by arguments and text:

    PYTHON RUNNER host shell submit WORK_ROOT SCRIPT        prints the job's id
    PYTHON RUNNER host shell list WORK_ROOT [ID ...]        what waits and runs; of jobs named what has ended too
    PYTHON RUNNER host shell cancel WORK_ROOT ID[:K,K-K] ... ends jobs or elements; those that have ended are no error

`list` prints a JSON object for each element: `id`, `element` (null: all that have no line of their own), `name`,
`state` (a value of `State`), `exit_code` (null, or as a shell tells it), `reason`. SCRIPT begins with directives of
its own, `#SHELL word=value`: name, elements, throttle (at once; 0: as many as the machine takes), cores, memory_mb,
gpus, walltime_s (0: none). It is run with bash once per element, in its own folder, SCIFLOW_ELEMENT in its
environment, what it says appended to `out/<element>`. An error is words on standard error and an exit code: 2 for a
job that will never be taken, others for no answer now.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from sciflow.errors import ConfigError, QueueUnavailable, SubmissionRefused
from sciflow.executors.systems import answers, directives, ranges, surroundings
from sciflow.executors.systems.script import script
from sciflow.executors.systems.system import Command, JobState, Part, State, Submission, SystemLimits
from sciflow.executors.transports.transport import Output

_REFUSED = 2


class Shell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Processes of one machine."""

    runner: str  # path on the host of the runner's zip
    work_root: str  # the queue is kept there
    python: str = "python3"
    name: str = "shell"
    unwritable: ClassVar[str] = ""  # in a path: none of its directives holds one
    kept: tuple[str, ...] = ()  # variables, as patterns of a shell, that jobs have beside those of every submission

    def script(self, submission: Submission) -> str:
        return script(
            _directives(directives.checked(submission)), submission, mark="#SHELL", element="${SCIFLOW_ELEMENT:-0}"
        )

    def submit(self, script: str) -> Command[str]:
        return Command(surroundings.bare(self._argv("submit", script), kept=self.kept), _submitted)

    def queue(self) -> Command[Sequence[JobState]]:
        return Command(self._argv("list"), _listed)

    def accounting(self, jobs: Sequence[str]) -> Command[Sequence[JobState]]:
        return Command(self._argv("list", *jobs), _listed)

    def cancel(self, jobs: Sequence[str | Part]) -> Command[None]:
        named = (job if isinstance(job, str) else f"{job.job}:{ranges.listing(job.elements)}" for job in jobs)
        return Command(self._argv("cancel", *named), lambda output: answers.need(output, self.python))

    def limits(self) -> Command[SystemLimits]:
        return Command((self.python, "--version"), self._limited)

    def _limited(self, output: Output) -> SystemLimits:
        answers.need(output, self.python)
        return SystemLimits(version=answers.text(output).strip())

    def _argv(self, verb: str, *rest: str) -> tuple[str, ...]:
        return (self.python, self.runner, "host", "shell", verb, self.work_root, *rest)


def _directives(submission: Submission) -> Iterator[str]:
    site, wanted = submission.site, submission.resources
    named = [word for word in ("queue", "account", "qos", "constraint", "extra", "exclusive") if getattr(site, word)]
    if named or wanted.nodes > 1:
        raise ConfigError(
            f"{', '.join(named) or 'nodes'}: a machine without a batch system has none of that; leave it out, or name "
            "the batch system"
        )
    yield f"name={submission.name}"
    yield f"elements={submission.elements}"
    yield f"throttle={submission.throttle or 0}"
    yield f"cores={wanted.ranks * wanted.cpus}"
    yield f"memory_mb={directives.memory_of_node(wanted)}"
    yield f"gpus={wanted.gpus}"
    yield f"walltime_s={math.ceil(submission.walltime_s or 0)}"


def _submitted(output: Output) -> str:
    if output.code == _REFUSED:
        raise SubmissionRefused(f"the host did not take the job: {output.said}")
    answers.need(output, "host shell")
    return answers.identity(output, "host shell", r"^([A-Za-z0-9-]+)\s*$")


def _listed(output: Output) -> Sequence[JobState]:
    answers.need(output, "host shell")
    try:
        return [_state(line) for line in answers.lines(output) if re.match(r"\s*\{", line)]
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise QueueUnavailable(f"host shell: its answer cannot be read: {error}") from None


class _Line(msgspec.Struct, frozen=True):
    id: str
    state: State
    element: int | None = None
    name: str = ""
    exit_code: int | None = None
    reason: str = ""


def _state(line: str) -> JobState:
    said = msgspec.json.decode(line, type=_Line)
    return JobState(
        job=said.id,
        element=said.element,
        name=said.name,
        state=said.state,
        exit_code=said.exit_code,
        reason=said.reason,
    )
