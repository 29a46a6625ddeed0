"""Slurm: `sbatch`, `squeue`, `sacct`, `scancel`; from version 20.02.

What is not obvious of it:

- `squeue` writes waiting elements as one line, `1234_[5-99%10]`, and cuts that off after 64 characters unless
  SLURM_BITSTR_LEN is 0. One line is what keeps a look at a queue of 100,000 elements cheap, so it is spread here
  instead of asking for a line per element (`-r`).
- `sacct` has nothing where accounting is off, not reachable or reserved to others. `squeue --states=all` then knows
  of jobs that ended within the last minutes (MinJobAge), and is asked in the same call.
- `--mem` is of a node: `memory_mb` of a rank times the ranks on it.
- `--export=NONE` and a list of names have Slurm start a login shell for every element, which takes seconds, and a
  step of `srun` would inherit an empty environment. So the job gets all of `sbatch`'s, and `sbatch` gets little: see
  `surroundings`.
- A cut-off sends SIGUSR1 to the script `warning_s` before the time limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

import msgspec

from sciflow.executors.systems import answers, directives, durations, ranges, surroundings
from sciflow.executors.systems.script import script
from sciflow.executors.systems.system import Command, JobState, Part, State, Submission, SystemLimits
from sciflow.executors.transports.transport import Output

_QUEUED = {
    "PENDING": State.QUEUED,
    "CONFIGURING": State.QUEUED,
    "REQUEUED": State.QUEUED,
    "REQUEUE_FED": State.QUEUED,
    "REQUEUE_HOLD": State.HELD,
    "RESV_DEL_HOLD": State.HELD,
    "SPECIAL_EXIT": State.HELD,
    "SUSPENDED": State.HELD,
    "STOPPED": State.HELD,
    "RUNNING": State.RUNNING,
    "COMPLETING": State.RUNNING,
    "RESIZING": State.RUNNING,
    "SIGNALING": State.RUNNING,
    "STAGE_OUT": State.RUNNING,
}
_ENDED = {
    "COMPLETED": State.SUCCEEDED,
    "FAILED": State.FAILED,
    "TIMEOUT": State.TIME_LIMIT,
    "OUT_OF_MEMORY": State.OUT_OF_MEMORY,
    "NODE_FAIL": State.NODE_FAILURE,
    "BOOT_FAIL": State.NODE_FAILURE,
    "LAUNCH_FAILED": State.NODE_FAILURE,
    "RECONFIG_FAIL": State.NODE_FAILURE,
    "PREEMPTED": State.PREEMPTED,
    "CANCELLED": State.CANCELLED,
    "REVOKED": State.CANCELLED,
    "DEADLINE": State.CANCELLED,
}
# Reasons with which a waiting job will not start until somebody does something.
_HOLDING = re.compile(r"JobHeld|JobHoldMaxRequeue|\bheld\b|DependencyNeverSatisfied|ReservationDeleted", re.IGNORECASE)
_GONE = r"Invalid job id|already completing or completed|invalid job array task"
_BUSY = (
    r"Unable to contact slurm controller|Socket timed out|Rate limit exceeded|Zero Bytes were transmitted|"
    r"Communication (connection|shutdown) failure|Message (send|receive) failure|Connection (refused|timed out)|"
    r"backup controller in standby|temporarily|try again later|Slurm temporarily unable"
)
# The words on accounting policy alone may mean either; a limit of another name before them does not pass.
_FULL = (
    r"(QOS|Assoc)\w*Submit|MaxSubmitJobs|MaxJobCount limit|Resource temporarily unavailable|too many jobs|"
    r"\A(?![\s\S]*(QOS|Assoc|Max)\w*Limit)[\s\S]*job submit limit"
)
_ID = re.compile(r"(\d+)(?:_(?:(\d+)|\[([^\]]*)\]?))?")

_QUEUE_FORMAT = "%i|%T|%r|%j"
_ACCOUNT_FORMAT = "JobID,State,ExitCode,JobName"
# The second only where the first has no answer; its lines say so.
_ACCOUNTING = (
    'found=$(sacct --jobs="$1" --allocations --noheader --parsable2 '
    f'--format={_ACCOUNT_FORMAT} $2) && [ -n "$found" ] && printf "%s\\n" "$found" '
    f"|| squeue --jobs=\"$1\" --states=all --noheader --format='squeue|{_QUEUE_FORMAT}' $2"
)
_LIMITS = (
    "sinfo --version; scontrol show config || exit; "
    "sinfo --noheader --format='partition|%P|%a|time limit %l|%D nodes|%c cores|%m MB|%G'; "
    'sacctmgr --noheader --parsable2 show associations where user="$(id -un)" format=Account,MaxSubmit 2> /dev/null '
    "| sed 's/^/association|/'; true"
)
_UNCUT = ("env", "SLURM_BITSTR_LEN=0")


class Slurm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cluster is the one that `sbatch` talks to, or the one named."""

    cluster: str = ""  # of several that one slurmdbd knows: --clusters
    warning_s: int = 60  # SIGUSR1 so long before the time limit; 0: none
    name: str = "slurm"
    unwritable: ClassVar[str] = '"\\'  # in a path

    def script(self, submission: Submission) -> str:
        return script(
            self._directives(directives.checked(submission)),
            submission,
            mark="#SBATCH",
            element="${SLURM_ARRAY_TASK_ID:-0}",
        )

    def _directives(self, submission: Submission) -> Iterator[str]:
        folder = directives.path(submission.folder, unwritable=self.unwritable)
        throttle = f"%{submission.throttle}" if submission.throttle else ""
        yield f"--job-name={submission.name}"
        yield f"--array=0-{submission.elements - 1}{throttle}"
        yield f'--chdir="{folder}"'
        yield f'--output="{folder.replace("%", "%%")}/out/%a"'
        yield "--open-mode=append"  # a requeued element writes on
        yield "--export=ALL"
        yield "--mail-type=NONE"
        yield from self._size(submission)
        site = submission.site
        options = (("partition", site.queue), ("account", site.account), ("qos", site.qos))
        yield from (f"--{option}={directives.word(value, option, also=',')}" for option, value in options if value)
        if site.constraint:
            yield f'--constraint="{directives.word(site.constraint, "constraint", also="&|()[]*,")}"'
        if site.exclusive:
            yield "--exclusive"
        yield from site.extra

    def _size(self, submission: Submission) -> Iterator[str]:
        wanted = submission.resources
        yield f"--nodes={wanted.nodes}"
        yield f"--ntasks={wanted.ranks}"
        if wanted.nodes > 1 and wanted.ranks % wanted.nodes == 0:
            yield f"--ntasks-per-node={directives.per_node(wanted)}"
        yield f"--cpus-per-task={wanted.cpus}"
        if wanted.memory_mb:
            yield f"--mem={directives.memory_of_node(wanted)}M"
        if wanted.gpus:
            kind = f"{directives.word(wanted.gpu_type, 'gpu_type')}:" if wanted.gpu_type else ""
            yield f"--gres=gpu:{kind}{directives.gpus_of_node(wanted)}"
        if submission.walltime_s is not None:
            yield f"--time={durations.clock(submission.walltime_s)}"
            if 0 < 2 * self.warning_s < submission.walltime_s:
                yield f"--signal=B:USR1@{self.warning_s}"

    def submit(self, script: str) -> Command[str]:
        argv = ("sbatch", "--parsable", *self._clusters(), script)
        return Command(surroundings.bare(argv, kept=("SLURM_CONF", "SLURM_CONF_SERVER")), _submitted)

    def queue(self) -> Command[Sequence[JobState]]:
        argv = (*_UNCUT, "squeue", "--me", "--noheader", f"--format={_QUEUE_FORMAT}", *self._clusters())
        return Command(argv, _queued)

    def accounting(self, jobs: Sequence[str]) -> Command[Sequence[JobState]]:
        return Command((*_UNCUT, "sh", "-c", _ACCOUNTING, "sh", ",".join(jobs), *self._clusters()), _accounted)

    def cancel(self, jobs: Sequence[str | Part]) -> Command[None]:
        wanted = [job if isinstance(job, str) else f"{job.job}_[{ranges.listing(job.elements)}]" for job in jobs]
        return Command(("scancel", "--quiet", *self._clusters(), *wanted), _cancelled)

    def limits(self) -> Command[SystemLimits]:
        return Command(("sh", "-c", _LIMITS), _limited)

    def _clusters(self) -> tuple[str, ...]:
        return (f"--clusters={directives.word(self.cluster, 'cluster')}",) if self.cluster else ()


def _submitted(output: Output) -> str:
    answers.refuse(output, "sbatch", busy=_BUSY, full=_FULL)
    return answers.identity(output, "sbatch", r"^(\d+)(?:;\S*)?\s*$")


def _queued(output: Output) -> Sequence[JobState]:
    answers.need(output, "squeue")
    return [state for line in answers.lines(output) for state in _queue_line(line)]


def _queue_line(line: str) -> Iterator[JobState]:
    """A line of `_QUEUE_FORMAT`; others, such as `CLUSTER: name`, hold nothing."""
    parts = line.strip().split("|", 3)
    if len(parts) == 4:
        identity, word, reason, name = parts
        state = _ENDED.get(word) or _QUEUED.get(word) or State.RUNNING  # what is new to us has not ended
        if state is State.QUEUED and _HOLDING.search(reason):
            state = State.HELD
        said = word if state.ended or reason == "None" else reason
        yield from _elements(identity, JobState(job="", name=name, state=state, reason=said))


def _accounted(output: Output) -> Sequence[JobState]:
    answers.need(output, "sacct", harmless=f"^sacct: error|^sacct: fatal|accounting storage is disabled|{_GONE}")
    return [state for line in answers.lines(output) for state in _account_line(line)]


def _account_line(line: str) -> Iterator[JobState]:
    if line.startswith("squeue|"):
        yield from _queue_line(line.removeprefix("squeue|"))
        return
    parts = line.strip().split("|", 3)
    if len(parts) == 4:
        identity, said, codes, name = parts
        word = said.split(" ", 1)[0].rstrip("+")  # "CANCELLED by 1000"
        state = _ENDED.get(word) or _QUEUED.get(word) or State.UNKNOWN
        code = _exit_code(codes) if state.ended else None
        yield from _elements(identity, JobState(job="", name=name, state=state, exit_code=code, reason=said))


def _exit_code(text: str) -> int | None:
    """Of `code:signal`, as a shell tells it: 128 and the signal for a program that was killed; 0:125 is no signal."""
    code, _, signal = text.partition(":")
    killed = answers.exit_code(signal)
    if not killed:
        return answers.exit_code(code)
    return 128 + killed if killed <= 64 else killed


def _elements(identity: str, state: JobState) -> Iterator[JobState]:
    """The state for each element that an id names: `12`, `12_3`, `12_[3,5-9%2]`, `12_[3,5,...]`."""
    found = _ID.match(identity)
    if found is None:
        return
    job, one, several = found.groups()
    state = msgspec.structs.replace(state, job=job)
    cut_off = several is not None and ("..." in several or "]" not in identity)
    if one is None and (several is None or cut_off):
        yield state  # what was cut off is in the same state
    numbers = [int(one)] if one else ranges.spread(f"{several or ''}{'...' if cut_off else ''}")
    yield from (msgspec.structs.replace(state, element=number) for number in numbers)


def _cancelled(output: Output) -> None:
    answers.need(output, "scancel", harmless=_GONE)


def _limited(output: Output) -> SystemLimits:
    answers.need(output, "scontrol")
    said = answers.text(output)
    version = re.search(r"^SLURM_VERSION\s*=\s*(\S+)", said, re.MULTILINE)
    array = re.search(r"^MaxArraySize\s*=\s*(\d+)", said, re.MULTILINE)
    rows = [line.split("|") for line in said.splitlines()]
    most = [int(row[2]) for row in rows if row[0] == "association" and len(row) > 2 and row[2].isdigit()]
    return SystemLimits(
        version=version.group(1) if version else "",
        elements=int(array.group(1)) if array else None,  # numbers from 0 to one less
        submitted=min(most) if most else None,
        queues=_partitions(row[1:] for row in rows if row[0] == "partition" and len(row) > 4),
    )


def _partitions(rows: Iterable[Sequence[str]]) -> dict[str, str]:
    """What is worth knowing of each: a line of `sinfo` is about those of its nodes that are alike."""
    found: dict[str, list[str]] = {}
    for name, up, limit, *nodes in rows:
        about = found.setdefault(name.rstrip("*"), [f"{up}, {limit}"])
        about.append(", ".join(word for word in nodes if word != "(null)" and not word.endswith(":0")))
    return {name: "; ".join(about) for name, about in found.items()}
