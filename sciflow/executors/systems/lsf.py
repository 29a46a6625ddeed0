"""IBM Spectrum LSF: `bsub`, `bjobs`, `bkill`, `bhosts`; from version 10.1.

What is not obvious of it:

- `bsub` reads the script from standard input; what comes as an argument is run, and its directives are not read.
- Elements are numbered from 1. `%I` in a file's name is that number, so the script writes `out/<element>` itself.
- Memory limits (`-M`, `rusage[mem]`) have the unit that the site chose (LSF_UNIT_FOR_LIMITS, KB where it chose none),
  and count per job or per process or per slot as the site chose. `memory_unit` and `memory_per` say which.
- Time limits are whole minutes.
- `bjobs -a` knows ended jobs for CLEAN_PERIOD (an hour, if not changed), so that queue and accounting are one program.
- `bjobs` exits with 255 where a job is not found, in the middle of its answer for others.
- A job gets all variables of `bsub`: see `surroundings`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import msgspec

from sciflow.core.graph import Resources
from sciflow.errors import ConfigError
from sciflow.executors.systems import answers, directives, durations, ranges, surroundings
from sciflow.executors.systems.script import script
from sciflow.executors.systems.system import Command, JobState, Part, State, Submission, SystemLimits
from sciflow.executors.transports.transport import Output

_STATES = {
    "PEND": State.QUEUED,
    "PROV": State.QUEUED,
    "WAIT": State.QUEUED,
    "PSUSP": State.HELD,
    "USUSP": State.HELD,
    "SSUSP": State.HELD,
    "FWD_PEND": State.QUEUED,
    "RUN": State.RUNNING,
    "UNKWN": State.RUNNING,  # its host does not answer: it may go on
    "ZOMBI": State.RUNNING,
    "DONE": State.SUCCEEDED,
    "EXIT": State.FAILED,
}
# The beginning of the reason of an end: "TERM_RUNLIMIT: job killed after reaching LSF run time limit".
_REASONS = {
    "TERM_RUNLIMIT": State.TIME_LIMIT,
    "TERM_CPULIMIT": State.TIME_LIMIT,
    "TERM_DEADLINE": State.TIME_LIMIT,
    "TERM_MEMLIMIT": State.OUT_OF_MEMORY,
    "TERM_SWAP": State.OUT_OF_MEMORY,
    "TERM_OWNER": State.CANCELLED,
    "TERM_FORCE_OWNER": State.CANCELLED,
    "TERM_ADMIN": State.CANCELLED,
    "TERM_FORCE_ADMIN": State.CANCELLED,
    "TERM_PREEMPT": State.PREEMPTED,
    "TERM_WINDOW": State.PREEMPTED,
    "TERM_LOAD": State.PREEMPTED,
    "TERM_ZOMBIE": State.NODE_FAILURE,
    "TERM_CSM_ALLOC": State.NODE_FAILURE,
}
_GONE = r"is not found|No (matching|unfinished) job|Job has already finished|already finished|No (pending )?job found"
_BUSY = (
    r"LSF is down|Please wait|Cannot (open|connect)|Communication (time ?out|error)|batch daemon|"
    r"Failed in (an )?LSF library call|Slave LIM|timed? ?out|Connection refused|try later|Resource temporarily"
)
_FULL = (
    r"Pending job threshold|job slots? limit|User( group)?('s)? .*limit|maximum number of (pending )?jobs|"
    r"has reached .*limit|Job limit exceeded"
)
_FORMAT = "jobid jobindex stat exit_code exit_reason pend_reason job_name delimiter='|'"
_KB = {"KB": 1.0, "MB": 2.0**10, "GB": 2.0**20, "TB": 2.0**30}
_ARRAY_NAME = re.compile(r"\[[^\]]*\](%\d+)?$")
_LIMITS = "bjobs -V 2>&1; bparams -a || exit; bqueues -w"


class LSF(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cluster, with the units that its administrators chose."""

    memory_unit: Literal["KB", "MB", "GB", "TB"] = "MB"  # LSF_UNIT_FOR_LIMITS
    memory_per: Literal["host", "slot"] = "host"  # slot: LSB_MEMLIMIT_... and RESOURCE_RESERVE_PER_TASK count by slot
    project_option: Literal["-P", "-G"] = "-P"  # where a site keeps its accounts
    warning_min: int = 1  # SIGTERM so long before the time limit; 0: none
    name: str = "lsf"
    unwritable: ClassVar[str] = "\"\\%'"  # in a path

    def script(self, submission: Submission) -> str:
        return script(
            self._directives(directives.checked(submission)),
            submission,
            mark="#BSUB",
            element="${LSB_JOBINDEX:-1} - 1",
            captured=True,
        )

    def _directives(self, submission: Submission) -> Iterator[str]:
        folder = directives.path(submission.folder, unwritable=self.unwritable)
        site = submission.site
        throttle = f"%{submission.throttle}" if submission.throttle else ""
        yield f'-J "{submission.name}[1-{submission.elements}]{throttle}"'
        yield f'-cwd "{folder}"'
        yield f'-o "{folder}/out/%J.%I.lsf"'  # a report on the job, and no mail
        yield "-L /bin/bash"
        yield from self._size(submission.resources, site.exclusive)
        if site.constraint:
            yield f'-R "select[{directives.word(site.constraint, "constraint", also="&|=<>!()* ")}]"'
        if submission.walltime_s is not None:
            limit = durations.minutes(submission.walltime_s)
            yield f"-W {limit // 60}:{limit % 60:02d}"
            if 0 < 2 * self.warning_min < limit:
                yield f"-wa TERM -wt {self.warning_min}"
        if site.qos:
            yield f"-sla {directives.word(site.qos, 'qos')}"
        options = (("-q", "queue", site.queue), (self.project_option, "account", site.account))
        yield from (f"{option} {directives.word(value, what)}" for option, what, value in options if value)
        yield from site.extra

    def _size(self, wanted: Resources, exclusive: bool) -> Iterator[str]:
        """Slots are cores: LSF has no ranks, a launcher is told how many."""
        if wanted.nodes > 1 and wanted.ranks % wanted.nodes:
            raise ConfigError(f"ranks={wanted.ranks} on nodes={wanted.nodes}: LSF takes the same number for each node")
        slots = directives.per_node(wanted) * wanted.cpus
        yield f"-n {slots * wanted.nodes}"
        yield f'-R "span[{f"ptile={slots}" if wanted.nodes > 1 else "hosts=1"}]"'
        if wanted.memory_mb:
            by_slot = self.memory_per == "slot"
            asked = directives.memory_of_node(wanted) / (slots if by_slot else 1)
            amount = math.ceil(asked * _KB["MB"] / _KB[self.memory_unit])
            yield f"-M {amount}"
            yield f'-R "rusage[mem={amount}]"'
        if wanted.gpus:
            kind = f":gmodel={directives.word(wanted.gpu_type, 'gpu_type')}" if wanted.gpu_type else ""
            yield f'-gpu "num={directives.gpus_of_node(wanted)}{kind}"'
        if exclusive:
            yield "-x"

    def submit(self, script: str) -> Command[str]:
        argv = ("/bin/sh", "-c", 'exec bsub < "$1"', "sh", script)
        return Command(surroundings.bare(argv, kept=("LSF_*", "EGO_*", "XLSF_*")), _submitted)

    def queue(self) -> Command[Sequence[JobState]]:
        return Command(("env", "LSB_BJOBS_FORMAT=", "bjobs", "-noheader", "-o", _FORMAT), _listed)

    def accounting(self, jobs: Sequence[str]) -> Command[Sequence[JobState]]:
        return Command(("env", "LSB_BJOBS_FORMAT=", "bjobs", "-a", "-noheader", "-o", _FORMAT, *jobs), _listed)

    def cancel(self, jobs: Sequence[str | Part]) -> Command[None]:
        wanted = (job if isinstance(job, str) else _part(job) for job in jobs)
        return Command(("bkill", *wanted), lambda output: answers.need(output, "bkill", harmless=_CANCELLED))

    def limits(self) -> Command[SystemLimits]:
        return Command(("sh", "-c", _LIMITS), _limited)


_CANCELLED = f"{_GONE}|is being terminated"


def _part(part: Part) -> str:
    return f"{part.job}[{ranges.listing(element + 1 for element in part.elements)}]"


def _submitted(output: Output) -> str:
    answers.refuse(output, "bsub", busy=_BUSY, full=_FULL)
    return answers.identity(output, "bsub", r"Job <(\d+)> is submitted")


def _listed(output: Output) -> Sequence[JobState]:
    answers.need(output, "bjobs", harmless=_GONE)
    return [state for line in answers.lines(output) for state in _line(line)]


def _line(line: str) -> Iterator[JobState]:
    """A line of `_FORMAT`; a field that holds nothing is `-`."""
    fields = [field.strip() for field in line.split("|")]
    if len(fields) < 7 or not fields[0].isdigit():
        return
    job, index, word, code, ended, waiting, *name = fields
    state = _STATES.get(word, State.RUNNING)
    reason = ended if state.ended else waiting
    if state is State.FAILED:
        state = _REASONS.get(reason.partition(":")[0].strip(), state)
    yield JobState(
        job=job,
        element=int(index) - 1 if index.isdigit() and index != "0" else None,
        name=_ARRAY_NAME.sub("", "|".join(name)),
        state=state,
        exit_code=(0 if word == "DONE" else answers.exit_code(code)) if state.ended else None,
        reason=word if reason in {"", "-"} else reason,
    )


def _limited(output: Output) -> SystemLimits:
    answers.need(output, "bparams")
    said = answers.text(output)
    version = re.search(r"LSF (?:Standard |Express |Advanced )?(\d[\d.]*)", said)
    array = re.search(r"MAX_JOB_ARRAY_SIZE\s*=\s*(\d+)", said)
    most = re.search(r"MAX_PEND_JOBS\s*=\s*(\d+)", said)
    _, _, table = said.partition("QUEUE_NAME")
    rows = [line.split() for line in table.splitlines()[1:]]
    return SystemLimits(
        version=version.group(1) if version else "",
        elements=int(array.group(1)) if array else None,
        submitted=int(most.group(1)) if most else None,
        queues={row[0]: f"priority {row[1]}, {row[2]}" for row in rows if len(row) > 2},
    )
