"""Crews: elements of a submission that one job of a batch system runs at once.

To all but the batch system a crew's elements are elements like others. What that says of one of its jobs is said of
each of them; and of those that are to end, it is asked to end the crews of which nothing is to stay, and the runner,
by marks, the others. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from sciflow.core.graph import Resources
from sciflow.executors.batch.record import BatchRecord
from sciflow.executors.systems import answers
from sciflow.executors.systems.system import BatchSystem, Command, JobState, Part, Submission, SystemLimits
from sciflow.executors.transports.transport import Output

_MARK = (
    'n=$1; shift; while [ "$n" != 0 ]; do mkdir -p "$1/cancelled" && (cd "$1/cancelled" && touch $2) || exit; '
    'shift 2; n=$((n - 1)); done; [ $# = 0 ] || exec "$@"'
)


def workers_of(resources: Resources, workers: int, at_once: int | None = None) -> int:
    """How many tasks that need this a job runs at once; programs of several ranks have a job for themselves.

    `at_once`: of their fan there may be so many at work.
    """
    most = workers if resources.ranks == 1 and resources.nodes == 1 else 1
    return most if at_once is None else min(most, at_once)


def together(resources: Resources, workers: int) -> Resources:
    """What a job needs that runs so many tasks at once."""
    return msgspec.structs.replace(
        resources,
        cpus=resources.cpus * workers,
        memory_mb=resources.memory_mb * workers,
        gpus=resources.gpus * workers,
    )


class Crews:
    """A batch system whose jobs may be crews."""

    def __init__(
        self, system: BatchSystem, *, records: Callable[[], Iterable[BatchRecord]], folder: Callable[[str], str]
    ) -> None:
        """`records`: the submissions of which jobs may be known; `folder`: that of a submission on the host."""
        self._system = system
        self._records = records
        self._folder = folder

    @property
    def name(self) -> str:
        return self._system.name

    def script(self, submission: Submission) -> str:
        return self._system.script(submission)

    def submit(self, script: str) -> Command[str]:
        return self._system.submit(script)

    def limits(self) -> Command[SystemLimits]:
        return self._system.limits()

    def queue(self) -> Command[Sequence[JobState]]:
        return self._spread(self._system.queue())

    def accounting(self, jobs: Sequence[str]) -> Command[Sequence[JobState]]:
        return self._spread(self._system.accounting(jobs))

    def _spread(self, command: Command[Sequence[JobState]]) -> Command[Sequence[JobState]]:
        """What is said of a crew is said of its elements."""

        def parse(output: Output) -> Sequence[JobState]:
            crews = self._crews()
            states = command.parse(output)
            return [each for state in states for each in _each(state, crews)] if crews else states

        return Command(command.argv, parse)

    def cancel(self, jobs: Sequence[str | Part]) -> Command[None]:
        crews = self._crews()
        whole: list[str | Part] = []
        marks: list[str] = []
        for job in jobs:
            record = crews.get(job.job) if isinstance(job, Part) else None
            if isinstance(job, str) or record is None:
                whole.append(job)
                continue
            wanted = set(job.elements)
            ended = sorted({k // record.workers for k in wanted if wanted.issuperset(record.crew(k))})
            single = sorted(k for k in wanted if k // record.workers not in ended)
            whole += [Part(job=job.job, elements=ended)] if ended else []
            marks += [self._folder(record.name), " ".join(map(str, single))] if single else []
        if not marks:
            return self._system.cancel(whole)
        rest = self._system.cancel(whole) if whole else Command[None]((), lambda output: answers.need(output, "touch"))
        return Command(("sh", "-c", _MARK, "sh", str(len(marks) // 2), *marks, *rest.argv), rest.parse)

    def _crews(self) -> Mapping[str, BatchRecord]:
        """Those submissions that are made of crews, by their jobs."""
        return {record.job: record for record in self._records() if record.workers > 1 and record.job}


def _each(state: JobState, crews: Mapping[str, BatchRecord]) -> Iterator[JobState]:
    record = crews.get(state.job)
    if record is None or state.element is None:
        yield state
        return
    for element in record.crew(state.element * record.workers):
        yield msgspec.structs.replace(state, element=element)
