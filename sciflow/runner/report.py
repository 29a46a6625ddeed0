"""A failure as a record: what was raised, cut to the user's own lines.

Nothing here trusts the exception: its `str()` may raise, return nonsense, or be a megabyte long.
"""

from __future__ import annotations

import errno
import os

from sciflow.runner.failures import CodecError, CodeError, FatalError, OpError, PlaceError, TransientError
from sciflow.runner.names import bases, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    Tree = Any

MESSAGE_LIMIT = 4000
FRAMES_SHOWN = 12
CAUSES_SHOWN = 5
_RUNNER = os.path.dirname(os.path.abspath(__file__))
OUR_FOLDERS = (_RUNNER + os.sep, os.path.join(os.path.dirname(_RUNNER), "author") + os.sep)  # an op that calls an op
PLACE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE})
_KINDS = ((OpError, "contract"), (CodecError, "codec"), (CodeError, "code"), (PlaceError, "place"))


def failure(error: BaseException, *, kind: str = "", where: str = "") -> Tree:
    """The record of an exception.

    Args:
        error: what was raised.
        kind: whose fault it is, if the caller knows better than the exception tells.
        where: the line to show if no line of the user's took part.
    """
    cls = type(error)
    kind = kind or kind_of(error)
    ours = kind in ("contract", "codec", "code", "place")
    trace = "" if ours and isinstance(error, (OpError, PlaceError, CodecError)) else traceback(error)
    record = {
        "type": type_name(cls),
        "bases": bases(cls),
        "message": message(error),
        "traceback": trace or where,
        "kind": kind,
        "fatal": isinstance(error, FatalError),
        "transient": isinstance(error, TransientError),
        "exit_code": None,
        "signal": None,
    }
    code = getattr(error, "returncode", None)  # of subprocess.CalledProcessError, and of our own ProgramError
    if type(code) is int:
        record.update(ending(code))
    elif isinstance(error, SystemExit):
        record["exit_code"] = error.code if type(error.code) is int else int(error.code is not None)
        record["message"] = f"the op called sys.exit({error.code!r:.200}) in place of returning"
    return record


def kind_of(error: BaseException) -> str:
    """Whose fault it is: `place` also for a full disk that the op came upon."""
    for cls, kind in _KINDS:
        if isinstance(error, cls):
            return kind
    seen: BaseException | None = error
    for _ in range(CAUSES_SHOWN):
        if isinstance(seen, OSError) and seen.errno in PLACE_ERRORS:
            return "place"
        seen = getattr(seen, "__cause__", None)
    return "user"


def ending(returncode: int) -> dict[str, Tree]:
    """How a process ended, by `subprocess`'s convention: a negative number is a signal's."""
    return (
        {"exit_code": returncode, "signal": None}
        if returncode >= 0
        else {"exit_code": None, "signal": signal_name(-returncode)}
    )


def signal_name(number: int) -> str:
    """`SIGSEGV` and the like."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def message(error: BaseException) -> str:
    """What the exception says, as text that can be stored, whatever its class does."""
    try:
        text = str(error)
    except BaseException as broken:  # noqa: BLE001  the user's own __str__
        text = f"(its message cannot be shown: str() raised {type(broken).__name__})"
    text = storable(text)
    return text if len(text) <= MESSAGE_LIMIT else f"{text[:MESSAGE_LIMIT]}... ({len(text)} characters)"


def storable(text: object) -> str:
    """Text without lone surrogates."""
    return str.__str__(text).encode(errors="backslashreplace").decode() if isinstance(text, str) else ""


def traceback(error: BaseException) -> str:
    """The lines of the user's code that led to the exception and to its causes, innermost last."""
    parts: list[str] = []
    current: BaseException | None = error
    for _ in range(CAUSES_SHOWN):
        if current is None:
            break
        lines = _frames(current.__traceback__)
        if current is not error:
            lines += f"{type(current).__qualname__}: {message(current)}\n"
            lines += "\nwhich was the cause of:\n\n" if error.__cause__ is not None else "\nduring which came:\n\n"
        parts.append(lines)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return storable("".join(reversed(parts))).rstrip()


def _frame(trace: TracebackType) -> str:
    import linecache

    code = trace.tb_frame.f_code
    linecache.checkcache(code.co_filename)
    source = linecache.getline(code.co_filename, trace.tb_lineno, trace.tb_frame.f_globals).strip()
    return f"{code.co_filename}:{trace.tb_lineno} in {code.co_name}\n" + (f"    {source}\n" if source else "")


def _frames(trace: TracebackType | None) -> str:
    """`file:line in function` and the source line of each frame of the user's, and of the innermost one.

    Of frames between that lie in installed packages it is said only how many there are.
    """
    shown: list[TracebackType] = []
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith(OUR_FOLDERS) and not name.startswith("<frozen importlib"):
            shown.append(trace)
        trace = trace.tb_next
    from sciflow.runner.installed import is_own

    frames: list[str] = []
    hidden = 0
    for frame in shown:
        if frame is not shown[-1] and not is_own(frame.tb_frame.f_code.co_filename):
            hidden += 1
            continue
        if hidden:
            frames.append(f"... {hidden} in installed packages ...\n")
            hidden = 0
        frames.append(_frame(frame))
    if len(frames) > FRAMES_SHOWN:
        half = FRAMES_SHOWN // 2
        frames[half:-half] = [f"... {len(frames) - 2 * half} more ...\n"]
    return "".join(frames)
