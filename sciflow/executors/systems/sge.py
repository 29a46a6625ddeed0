"""Grid Engine (SGE and its descendants): `qsub`, `qstat`, `qdel`, `qacct`.

What is not obvious of it:

- Several cores need a parallel environment, and every site names its own: `parallel` for cores of one node,
  `parallel_mpi` for ranks on several. Memory is asked for by slot.
- Elements are numbered from 1, and an array has at least one.
- `qstat -xml` writes a waiting array as one entry with its range, an element that runs as one of its own. A state is
  letters put together: `hqw` is held, `Eqw` an error that stays until somebody clears it, `dr` about to be ended.
- Ended jobs are known by `qacct` alone, some seconds later and, in some cells, on the master only. Of elements that
  were deleted before they began it knows nothing.
- Names may not begin with a digit.
- A job has none of the submitting program's variables but those that `-v` names.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import msgspec

from sciflow.core.graph import Resources
from sciflow.errors import ConfigError, QueueUnavailable
from sciflow.executors.systems import answers, directives, durations, ranges
from sciflow.executors.systems.script import script
from sciflow.executors.systems.system import Command, JobState, Part, State, Submission, SystemLimits
from sciflow.executors.transports.transport import Output

_GONE = (
    r"denied: job .* does not exist|job id .* not found|is already in deletion|has (deleted|registered) |"
    r"error: job (id|name) \S+ not found|comprises no tasks|no jobs? running|common/accounting: No such file|^\s*$"
)
_BUSY = (
    r"unable to contact qmaster|commlib error|can't connect|connection refused|unable to send message to qmaster|"
    r"qmaster is busy|got (read|select) (error|timeout)|endpoint is not unique|timeout expired"
)
_FULL = r"only \d+ jobs are allowed|exceeds? the (maximum|max)|rejected due to .*limit|max_u_jobs|maxujobs"
_ACCOUNTING = 'code=0; for job in "$@"; do qacct -j "$job" || code=$?; done; exit $code'
_LIMITS = "qstat -help | head -n 1; qconf -sconf && { qstat -g c || true; }"
_PARTS = {"queue_info", "job_info"}  # of the answer: what runs, and what waits
_RULE = re.compile(r"^=+\s*$", re.MULTILINE)


class SGE(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cell, with the names that its administrators chose."""

    parallel: str = "smp"  # environment of slots on one node
    parallel_mpi: str = "mpi"  # environment of slots on several
    memory: str = "h_vmem"  # resource that limits memory, of one slot
    gpu: str = "gpu"
    walltime: str = "h_rt"
    name: str = "sge"
    unwritable: ClassVar[str] = " \"'\\:,$"  # in a path

    def script(self, submission: Submission) -> str:
        return script(
            self._directives(directives.checked(submission)),
            submission,
            mark="#$",
            element="${SGE_TASK_ID:-1} - 1",
            captured=True,
        )

    def _directives(self, submission: Submission) -> Iterator[str]:
        folder = directives.path(submission.folder, unwritable=self.unwritable)
        site = submission.site
        if site.qos:
            raise ConfigError("qos: Grid Engine has none; sites have queues, projects and resources (`extra`)")
        yield f"-N {submission.name}"
        yield f"-t 1-{submission.elements}"
        if submission.throttle:
            yield f"-tc {submission.throttle}"
        yield "-S /bin/bash"
        yield f"-wd {folder}"
        yield "-j y"
        yield f"-o {folder}/out/"
        yield "-m n"
        if submission.secrets:
            yield f"-v {','.join(submission.secrets)}"
        yield from self._size(submission)
        options = (("-q", "queue", site.queue), ("-P", "account", site.account))
        yield from (f"{option} {directives.word(value, what, also='@*')}" for option, what, value in options if value)
        yield from site.extra

    def _size(self, submission: Submission) -> Iterator[str]:
        wanted, site = submission.resources, submission.site
        slots = wanted.ranks * wanted.cpus
        if slots > 1:
            environment = self.parallel_mpi if wanted.nodes > 1 else self.parallel
            yield f"-pe {directives.word(environment, 'parallel environment')} {slots}"
        asked = list(self._resources(wanted, slots))
        if submission.walltime_s is not None:
            asked.append(f"{self.walltime}={durations.clock(submission.walltime_s)}")
        if site.constraint:
            asked.append(directives.word(site.constraint, "constraint", also="|&!*,"))
        if site.exclusive:
            asked.append("exclusive=true")
        if asked:
            yield f"-l {','.join(asked)}"

    def _resources(self, wanted: Resources, slots: int) -> Iterator[str]:
        if wanted.memory_mb:
            yield f"{self.memory}={math.ceil(wanted.memory_mb * wanted.ranks / slots)}M"
        if wanted.gpus:
            yield f"{self.gpu}={wanted.gpus}"
        if wanted.gpu_type:
            yield f"{self.gpu}_type={directives.word(wanted.gpu_type, 'gpu_type')}"

    def submit(self, script: str) -> Command[str]:
        return Command(("qsub", "-terse", script), _submitted)

    def queue(self) -> Command[Sequence[JobState]]:
        return Command(("sh", "-c", 'exec qstat -u "$(id -un)" -xml'), _listed)

    def accounting(self, jobs: Sequence[str]) -> Command[Sequence[JobState]]:
        return Command(("sh", "-c", _ACCOUNTING, "sh", *jobs), _accounted)

    def cancel(self, jobs: Sequence[str | Part]) -> Command[None]:
        wanted = [text for job in jobs for text in ([job] if isinstance(job, str) else _part(job))]
        return Command(("qdel", *wanted), lambda output: answers.need(output, "qdel", harmless=_GONE))

    def limits(self) -> Command[SystemLimits]:
        return Command(("sh", "-c", _LIMITS), _limited)


def _part(part: Part) -> Iterator[str]:
    yield from (f"{part.job}.{first + 1}-{last + 1}" for first, last in ranges.runs(part.elements))


def _submitted(output: Output) -> str:
    answers.refuse(output, "qsub", busy=_BUSY, full=_FULL)
    return answers.identity(output, "qsub", r"^(\d+)(?:\.\S+)?\s*$")


def _listed(output: Output) -> Sequence[JobState]:
    answers.need(output, "qstat")
    text = answers.text(output)
    try:
        root = ET.fromstring(text[max(0, text.find("<?xml")) :])  # noqa: S314 (the host's own qstat)
    except ET.ParseError as error:
        raise QueueUnavailable(f"qstat: its answer cannot be read: {error}") from None
    states = [state for entry in root.iter("job_list") for state in _entry(entry)]
    if {child.tag for child in root} != _PARTS or not all(state.job for state in states):
        raise QueueUnavailable(f"qstat: its answer is no list of jobs: {text.strip()[:200]}")
    return states


def _entry(entry: ET.Element) -> Iterator[JobState]:
    """A job, an element that runs, or a range of elements that wait."""
    facts = {child.tag: (child.text or "").strip() for child in entry}
    letters = facts.get("state", "")
    job = JobState(
        job=facts.get("JB_job_number", ""), name=facts.get("JB_name", ""), state=_state(letters), reason=letters
    )
    tasks = facts.get("tasks", "")
    if not tasks or "..." in tasks:
        yield job
    yield from (msgspec.structs.replace(job, element=number - 1) for number in ranges.spread(tasks))


def _state(letters: str) -> State:
    if "E" in letters or "h" in letters or set(letters) & set("sST"):
        return State.HELD  # not before somebody does something
    if "q" in letters or "w" in letters:
        return State.QUEUED
    return State.RUNNING


def _accounted(output: Output) -> Sequence[JobState]:
    answers.need(output, "qacct", harmless=_GONE)
    latest: dict[tuple[str, int | None], JobState] = {}
    for block in _RULE.split(answers.text(output)):
        pairs = (line.split(None, 1) for line in block.splitlines() if line.strip())
        facts = {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}
        if "jobnumber" in facts:
            state = _record(facts)
            latest[state.job, state.element] = state  # of a job that was started again, the last record holds
    return list(latest.values())


def _record(facts: Mapping[str, str]) -> JobState:
    task = facts.get("taskid", "")
    number, _, words = facts.get("failed", "0").partition(" ")
    code = answers.exit_code(facts.get("exit_status", "").split(" ", 1)[0])
    failed = answers.exit_code(number) or 0
    return JobState(
        job=facts["jobnumber"],
        element=int(task) - 1 if task.isdigit() else None,
        name=facts.get("jobname", ""),
        state=_outcome(failed, code, facts),
        exit_code=code,
        reason=words.lstrip(": ").strip() or f"exit status {code}",
    )


def _outcome(failed: int, code: int | None, facts: Mapping[str, str]) -> State:
    """What became of it. A limit is enforced by a signal, failure 100 or 37; which limit, what was used tells."""
    if failed == 0:
        return State.SUCCEEDED if code == 0 else State.FAILED
    if failed in {24, 25}:
        return State.QUEUED  # moved to another node, or to be started again
    if facts.get("deleted_by", "NONE") not in {"NONE", ""}:
        return State.CANCELLED
    asked = facts.get("category", "") + facts.get("hard_resources", "")
    if failed in {37, 100}:
        if _reached(asked, r"h_rt=([\d:]+)", facts.get("ru_wallclock", "")):
            return State.TIME_LIMIT
        if _reached(asked, r"h_vmem=([\d.]+[KMGkmg]?)", facts.get("maxvmem", "")):
            return State.OUT_OF_MEMORY
        return State.FAILED
    return State.NODE_FAILURE if failed < 30 else State.FAILED  # below 30 it never ran


def _reached(asked: str, pattern: str, used: str) -> bool:
    limit = re.search(pattern, asked)
    return limit is not None and _amount(limit.group(1)) > 0 and _amount(used) >= _amount(limit.group(1))


def _amount(text: str) -> float:
    """Seconds of `3600`, `01:00:00` and `3600s`; bytes of `1.5G` and `1.500GB`."""
    if ":" in text:
        return float(sum(int(part or 0) * 60**place for place, part in enumerate(reversed(text.split(":")))))
    found = re.match(r"([\d.]+)\s*([KMGT]?)", text, re.IGNORECASE)
    if found is None or found.group(1) == ".":
        return 0.0
    return float(found.group(1)) * 1024.0 ** " KMGT".index(found.group(2).upper() or " ")


def _limited(output: Output) -> SystemLimits:
    answers.need(output, "qconf", harmless=r"denied")
    said = answers.text(output)
    array = re.search(r"^max_aj_tasks\s+(\d+)", said, re.MULTILINE)
    most = re.search(r"^max_u_jobs\s+(\d+)", said, re.MULTILINE)
    _, _, table = said.partition("CLUSTER QUEUE")
    rows = [line.split() for line in table.splitlines()[2:]]
    return SystemLimits(
        version=said.split("\n", 1)[0].strip(),
        elements=int(array.group(1)) or None if array else None,
        submitted=int(most.group(1)) or None if most else None,
        queues={row[0]: f"{row[4]} of {row[5]} slots free" for row in rows if len(row) > 5},
    )
