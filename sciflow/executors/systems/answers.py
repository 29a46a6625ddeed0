"""What the programs of a batch system say when they do not do what was asked, sorted into what a caller can do.

Three things must not be confused: a job that is not known (any more), a system that does not answer now, and a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sciflow.errors import HostRefused, QueueFull, QueueUnavailable, SubmissionRefused
from sciflow.executors.transports.transport import Output

MISSING_PROGRAM = 127  # a shell's code for a program that is not there


def text(output: Output) -> str:
    """Standard output; bytes that are no UTF-8 (a job's name of the user's own) are replaced."""
    return output.stdout.decode(errors="replace")


def lines(output: Output) -> Iterator[str]:
    """The lines of standard output that are not empty."""
    return (line for line in text(output).splitlines() if line.strip())


def need(output: Output, program: str, *, harmless: str = "") -> None:
    """Raises unless the program did its work.

    Args:
        output: what it said.
        program: its name, for the message.
        harmless: pattern of lines of standard error (standard output where that is empty); where every line fits,
            the failure is none.
    """
    if output.code == 0:
        return
    _present(output, program)
    said = [line for line in output.said.splitlines() if line.strip()]
    if harmless and said and all(re.search(harmless, line, re.IGNORECASE) for line in said):
        return
    raise QueueUnavailable(f"{program} gave no answer (exit code {output.code}): {_words(output)}")


def refuse(output: Output, program: str, *, busy: str, full: str) -> None:
    """Raises for a submission that failed: busy is no answer, full is a limit that passes, the rest a refusal.

    The first pattern that is found in what the program said decides.
    """
    if output.code == 0:
        return
    _present(output, program)
    said = f"{output.stderr.decode(errors='replace')}\n{text(output)}"
    if re.search(busy, said, re.IGNORECASE):
        raise QueueUnavailable(f"{program} gave no answer (exit code {output.code}): {_words(output)}")
    kind = QueueFull if re.search(full, said, re.IGNORECASE) else SubmissionRefused
    raise kind(f"{program} did not take the job (exit code {output.code}): {_words(output)}")


def identity(output: Output, program: str, pattern: str) -> str:
    """The job's id in what a submission said; the last line that fits, since sites print greetings before it."""
    found: Sequence[re.Match[str]] = list(re.finditer(pattern, text(output), re.MULTILINE))
    if not found:
        raise QueueUnavailable(f"{program} ended well and named no job: {_words(output)}")
    return found[-1].group(1)


def exit_code(value: str) -> int | None:
    """A number, where there is one."""
    return int(value) if re.fullmatch(r"-?\d+", value.strip()) else None


def _present(output: Output, program: str) -> None:
    words = output.said
    if output.code == MISSING_PROGRAM or re.search(rf"\b{re.escape(program)}: (command )?not found", words):
        raise HostRefused(
            f"the host has no program {program} on its PATH: choose the batch system that it has, or put {program} "
            f"on the PATH of shells that are not interactive ({words or 'exit code 127'})"
        )


def _words(output: Output) -> str:
    return output.said or "it said nothing"
