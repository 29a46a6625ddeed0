"""The report of a run: root causes first, then what they kept from running, what is flagged, and what to do.

Failures that differ in nothing but their slice are told once. The text has no colour and fits any width: it goes to
terminals, into the message of `RunFailed`, and into mails.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sciflow.core.progress import Task
from sciflow.core.records import Phase, TaskError
from sciflow.view.quantity import count, duration
from sciflow.view.value import cut, one_line

LOG_LINES = 20
LINE_CHARS = 1000
TOLD = 5  # failures that are told in full
NAMED = 4  # paths of further ones
ESCAPE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|.)")  # CSI, OSC and two-character sequences
LABEL = 12  # columns of a fact's name
WIDTH = 160  # of the line that names a failure


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A task that failed, and the end of what it wrote."""

    task: Task
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class Troubles:
    """What a report is made of: `failures` in the order of time, `omitted` with the root cause in its error."""

    run_id: str
    name: str
    phase: Phase
    seconds: float
    folder: Path
    failures: Sequence[Failure] = ()
    omitted: Sequence[Task] = ()
    flagged: Sequence[Task] = ()
    message: str = ""


def report(troubles: Troubles) -> str:
    """The whole text, without a newline at its end."""
    groups = _alike(_roots(troubles.failures))
    lines = [_headline(troubles, groups)]
    for group in groups[:TOLD]:
        lines += ["", *_told(group)]
    if len(groups) > TOLD:
        rest = sum(map(len, groups[TOLD:]))
        lines += [
            "",
            f"and {count(rest, 'more failed task')}: {_names([f.task.path for g in groups[TOLD:] for f in g])}",
        ]
    if troubles.omitted:
        lines += ["", *_omitted(troubles.omitted)]
    if troubles.flagged:
        lines += ["", *_flagged(troubles.flagged)]
    return "\n".join([*lines, "", *_what_to_do(troubles)])


def _headline(troubles: Troubles, groups: Sequence[Sequence[Failure]]) -> str:
    head = f"{troubles.name} {str(troubles.phase).lower()} after {duration(troubles.seconds)}"
    failed = sum(map(len, groups))
    facts = [count(failed, "failed task")] if failed else []
    facts += [f"{len(troubles.omitted):,} omitted"] if troubles.omitted else []
    facts += [f"{len(troubles.flagged):,} flagged"] if troubles.flagged else []
    why = f" ({troubles.message})" if troubles.message else ""
    return head + why + (f": {', '.join(facts)}" if facts else "")


def _roots(failures: Sequence[Failure]) -> list[Failure]:
    """Without the nodes that failed only because something inside them did."""
    paths = {failure.task.path for failure in failures}
    parents = {parent for path in paths for parent in _parents(path)}
    return [failure for failure in failures if failure.task.path not in parents]


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:n]) for n in range(1, len(parts)))


def _alike(failures: Iterable[Failure]) -> list[list[Failure]]:
    """Failures of one node with the same error and the same exit, together."""
    groups: dict[object, list[Failure]] = {}
    for failure in failures:
        error = failure.task.error or TaskError()
        mark = (failure.task.node, failure.task.phase, error.type, error.message, error.exit_code, error.signal)
        groups.setdefault(mark, []).append(failure)
    return list(groups.values())


def _told(group: Sequence[Failure]) -> Iterator[str]:
    """One failure in full, and the names of those that are like it."""
    first, *others = group
    task, error = first.task, first.task.error or TaskError(message="no reason was recorded")
    again = f" (attempt {task.attempt})" if task.attempt > 1 else ""
    yield f"{task.path} {str(task.phase).lower()}{again}: {cut(_cause(error), width=WIDTH)}"
    yield from _inputs(task)
    yield from _exit(error)
    yield from _block("message", _rest(error))
    yield from _block("traceback", error.traceback)
    yield from _block("end of its log", _tail(first.log))
    yield _fact("folder", str(task.folder)) if task.folder.exists() else _fact("folder", "none, it left no file")
    if others:
        yield _fact("likewise", f"{count(len(others), 'more task')}: {_names([f.task.path for f in others])}")


def _cause(error: TaskError) -> str:
    name = error.type.rpartition(":")[2] or error.type
    first = error.message.strip().partition("\n")[0]
    return f"{name}: {first}" if name and first else name or first


def _rest(error: TaskError) -> str:
    """The message in whole, where the heading has only the beginning of it."""
    message = error.message.strip()
    told = "\n" not in message and len(_cause(error)) <= WIDTH
    return "" if told or message in error.traceback else message


def _inputs(task: Task) -> Iterator[str]:
    facts = [f"{name} = {one_line(tree, width=70)}" for name, tree in (task.inputs or {}).items()]
    facts += [f"key = {task.key}"] if task.key else []
    for number, fact in enumerate(facts):
        yield _fact("inputs" if number == 0 else "", fact)


def _exit(error: TaskError) -> Iterator[str]:
    if error.signal:
        yield _fact("signal", error.signal)
    elif error.exit_code is not None:
        yield _fact("exit code", str(error.exit_code))


def _fact(label: str, text: str) -> str:
    return f"    {label + ':' if label else '':<{LABEL}}{text}"


def _block(label: str, text: str) -> Iterator[str]:
    if text.strip():
        yield f"    {label}:"
        yield from (f"      {line}".rstrip() for line in text.rstrip().splitlines())


def _tail(log: str) -> str:
    """The last lines, of a very long one its end, without what would steer a terminal."""
    lines = [line[-LINE_CHARS:] for line in log.rstrip().splitlines()[-LOG_LINES:]]
    return "\n".join("".join(c for c in ESCAPE.sub("", line) if c.isprintable() or c == "\t") for line in lines)


def _names(paths: Sequence[str]) -> str:
    more = f", … ({len(paths) - NAMED:,} more)" if len(paths) > NAMED else ""
    return ", ".join(paths[:NAMED]) + more


def _omitted(tasks: Sequence[Task]) -> Iterator[str]:
    """One line for all that was omitted for one reason."""
    return _by_reason((task.path, _reason(task)) for task in tasks)


def _flagged(tasks: Sequence[Task]) -> Iterator[str]:
    """One line for all that has one flag."""
    return _by_reason((task.path, f"flagged: {cut(task.flag, width=WIDTH)}") for task in tasks)


def _by_reason(reasoned: Iterable[tuple[str, str]]) -> Iterator[str]:
    paths: dict[str, list[str]] = {}
    for path, reason in reasoned:
        paths.setdefault(reason, []).append(path)
    return (f"{_names(found)}: {reason}" for reason, found in paths.items())


def _reason(task: Task) -> str:
    message = task.error.message if task.error else ""
    return message if message.startswith("omitted") else f"omitted because of {message or 'an earlier failure'}"


def _what_to_do(troubles: Troubles) -> Iterator[str]:
    yield _advice("folder", str(troubles.folder))
    if len(troubles.failures) > TOLD:
        yield _advice("all", f"sciflow table {troubles.run_id}")
    if troubles.phase is Phase.SUCCEEDED:
        return
    if troubles.phase is Phase.FAILED:
        yield _advice("retry", f"sciflow retry {troubles.run_id}")
    else:
        yield _advice("resume", f"sciflow resume {troubles.run_id}")


def _advice(label: str, text: str) -> str:
    return f"{label + ':':<9}{text}"
