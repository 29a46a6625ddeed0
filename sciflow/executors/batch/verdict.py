"""What became of the tasks of an element that ended without saying so itself. Pure."""

from __future__ import annotations

import msgspec

from sciflow.core.records import TaskError
from sciflow.executors.batch.mirror import Garbled
from sciflow.executors.batch.record import BatchRecord
from sciflow.executors.systems.system import JobState, State
from sciflow.runner.exit_codes import CANNOT_WRITE
from sciflow.runner.last_words import NO_ROOM

NOT_STARTED = {
    126: "the program that starts it cannot be run there",
    127: "a program that starts it was not found there: is `python` of the executor right?",
    CANNOT_WRITE: "it could not write there: is the disk full, or the quota used up?",
}

SILENT = "it was killed, or it could not write there (is the disk full, or the quota used up?)"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The error of the task that ran, and whether it is that of all tasks of the element."""

    error: TaskError
    all: bool = False


def of_exit(code: int, *, began: bool, tail: str) -> Verdict:
    """An element's script ended with `code`, and its runner had not come to its end; `began`: some task had ended."""
    signal = code - 128 if code > 128 else None
    how = f"signal {signal}" if signal else f"exit code {code}"
    why = NOT_STARTED.get(code, "")
    message = f"the job's script ended with {how}" + (f": {why}" if why else "")
    error = TaskError(
        kind="place", type="sciflow:JobFailed", message=_with_tail(message, tail), exit_code=None if signal else code
    )
    return Verdict(error=error, all=not began and code in NOT_STARTED)


def of_state(state: JobState, record: BatchRecord, *, tail: str) -> Verdict:
    """An element left the queue in this state, without a word of its own."""
    cancelled = state.state is State.CANCELLED
    in_vain = state.state in {State.TIME_LIMIT, State.OUT_OF_MEMORY} and not record.grows  # to be tried once more
    printed, full = _apart(tail)
    why = _why(state, printed, full)
    error = TaskError(
        kind="cancelled" if cancelled else "limit" if in_vain else "died",
        type=f"sciflow:{''.join(word.title() for word in state.state.value.split())}",
        message=_with_tail(_message(state, record) + (f": {why}" if why else ""), printed),
        fatal=cancelled,
        transient=not (cancelled or in_vain),
        exit_code=state.exit_code,
    )
    return Verdict(error=error, all=cancelled)


def _apart(tail: str) -> tuple[str, str]:
    """What a script has printed, and what `host said` says of the room there."""
    printed, _, last = tail.rpartition("\n")
    return (printed, last) if last.startswith(NO_ROOM) else (tail, "")


def of_line(garbled: Garbled, file: str) -> Verdict:
    """A line of what an element has written in `file` makes no sense: one of its tasks is not known to have ended."""
    message = (
        f"{file}: what the job has written there is damaged, so that what a task came to is lost: {garbled.why}: "
        f"{garbled.text!r}\n    fix:      is the file system there full, or broken? what has failed can be retried then"
    )
    return Verdict(error=TaskError(kind="died", type="sciflow:ReplyDamaged", message=message, transient=True))


def _message(state: JobState, record: BatchRecord) -> str:
    said = f" ({state.reason})" if state.reason else ""
    match state.state:
        case State.TIME_LIMIT:
            asked = f" of {record.walltime_s:g} s" if record.walltime_s else ""
            return f"the batch system ended it at its time limit{asked}: ask for more walltime_s{said}"
        case State.OUT_OF_MEMORY:
            asked = f" of {record.memory_mb} MB" if record.memory_mb else ""
            return f"it ran out of the memory{asked} that the job had: ask for more memory_mb{said}"
        case State.NODE_FAILURE:
            return f"the node that it ran on failed{said}"
        case State.PREEMPTED:
            return f"another job took its place{said}"
        case State.CANCELLED:
            return f"it was cancelled outside of the run{said}"
        case State.FAILED | State.SUCCEEDED:
            code = "" if state.exit_code is None else f" with exit code {state.exit_code}"
            return f"its job ended{code} and left no word of the task{said}"
        case _:
            return f"the batch system no longer knows its job, and it left no word{said}"


def _why(state: JobState, printed: str, full: str) -> str:
    """What may have kept an element from saying how it ended, where the batch system does not know better."""
    if state.state not in {State.FAILED, State.SUCCEEDED, State.UNKNOWN}:
        return ""
    silent = state.state is not State.UNKNOWN and not printed.strip()  # not even its script has said anything
    return full or NOT_STARTED.get(state.exit_code or 0, "") or (SILENT if silent else "")


def _with_tail(message: str, tail: str) -> str:
    lines = tail.strip().splitlines()[-20:]
    return message if not lines else "\n".join([f"{message}; the job's own output ends with", *lines])
