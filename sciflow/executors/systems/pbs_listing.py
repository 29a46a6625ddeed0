"""What `qstat` of PBS prints: a line for each element, and full listings of jobs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from sciflow.executors.systems import answers
from sciflow.executors.systems.system import JobState, State

IN_QUEUE = {
    "Q": State.QUEUED,
    "T": State.QUEUED,
    "W": State.QUEUED,
    "M": State.QUEUED,
    "H": State.HELD,
    "S": State.HELD,
    "U": State.HELD,
    "R": State.RUNNING,
    "E": State.RUNNING,
    "B": State.RUNNING,
}
OVER = ("F", "X", "C")
_JOB = re.compile(r"(\d+)(\[(\d*)\])?")
# Exit codes that PBS gives to a job that it ended itself; what is below 0 otherwise never ran.
KILLED: Mapping[str, Mapping[int, State]] = {
    "pro": {
        -20: State.NODE_FAILURE,
        -26: State.OUT_OF_MEMORY,
        -27: State.OUT_OF_MEMORY,
        -28: State.TIME_LIMIT,
        -29: State.TIME_LIMIT,
    },
    "torque": {-10: State.OUT_OF_MEMORY, -11: State.TIME_LIMIT, -12: State.TIME_LIMIT},
}
_UNITS = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}


def row(line: str) -> Iterator[tuple[str, int | None, str]]:
    """Job, element and letter of a line of `qstat -t -u`: `12[3].host user queue name 71 1 1 1gb 01:00 R 00:01`."""
    fields = line.split()
    if len(fields) >= 10 and fields[0][:1].isdigit() and re.fullmatch(r"[A-Z]", fields[-2]):
        yield (*identity(fields[0]), fields[-2])


def identity(text: str) -> tuple[str, int | None]:
    """`12.host`, `12[].host` and `12[3].host` as job and element."""
    found = _JOB.match(text)
    if found is None:
        return text, None
    number, array, element = found.groups()
    return (f"{number}[]" if array else number), (int(element) if element else None)


def jobs(text: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Each job of a full listing with its attributes; a line that begins with a tab goes on with the one before."""
    for block in re.split(r"^Job Id:", re.sub(r"\n\t", "", text), flags=re.MULTILINE)[1:]:
        first, _, rest = block.partition("\n")
        pairs = (line.partition(" = ") for line in rest.splitlines())
        facts = {key.strip().lower(): value for key, mark, value in pairs if mark}
        variable = re.search(r"SCIFLOW_BATCH=([^,\s]+)", rest)
        yield first.strip(), {**facts, "batch": variable.group(1)} if variable else facts


def name(facts: Mapping[str, str]) -> str:
    """The submission's own name, else the job's."""
    return facts.get("batch") or facts.get("job_name", "")


def record(text: str, facts: Mapping[str, str], killed: Mapping[int, State]) -> JobState | None:
    """A job of a full listing; None for an array that has ended, since only its elements tell what became of them."""
    job, element = identity(text)
    letter = facts.get("job_state", "")
    over = letter in OVER
    if over and element is None and job.endswith("[]"):
        return None
    code = answers.exit_code(facts.get("exit_status", ""))
    return JobState(
        job=job,
        element=element,
        name=name(facts),
        state=_ended(facts, code, killed) if over else IN_QUEUE.get(letter, State.UNKNOWN),
        exit_code=_as_shell(code) if over else None,
        reason=facts.get("comment") or letter,
    )


def _ended(facts: Mapping[str, str], code: int | None, killed: Mapping[int, State]) -> State:
    """What became of a job. SIGTERM and SIGKILL are sent for a limit and by `qdel` alike: what was used tells."""
    if code is None:
        return State.CANCELLED if re.search(r"delet|finished", facts.get("comment", "")) else State.UNKNOWN
    if code == 0:
        return State.SUCCEEDED
    if code in {256 + 9, 256 + 15, 128 + 9, 128 + 15}:
        if _reached(facts, "walltime", _seconds):
            return State.TIME_LIMIT
        if _reached(facts, "mem", _bytes):
            return State.OUT_OF_MEMORY
        return State.CANCELLED if code == 256 + 15 else State.FAILED
    return killed.get(code, State.FAILED)


def _reached(facts: Mapping[str, str], resource: str, read: Callable[[str], float]) -> bool:
    limit = read(facts.get(f"resource_list.{resource}", ""))
    return limit > 0 and read(facts.get(f"resources_used.{resource}", "")) >= limit


def _seconds(text: str) -> float:
    parts = text.split(":")
    return (
        sum(int(part) * 60**place for place, part in enumerate(reversed(parts)))
        if text and all(map(str.isdigit, parts))
        else 0
    )


def _bytes(text: str) -> float:
    found = re.fullmatch(r"(\d+)([kmgt]?b)", text)
    return int(found.group(1)) * _UNITS[found.group(2)] if found else 0


def _as_shell(code: int | None) -> int | None:
    """PBS adds 256 to the number of the signal that ended a job; a shell adds 128."""
    return code - 128 if code is not None and code > 256 else code
