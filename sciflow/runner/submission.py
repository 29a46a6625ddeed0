"""`host submit`: hands a batch to the batch system, once, whatever dies meanwhile.

`submitting` is written before the program is started, `submitted` by a process that outlives the connection. Where the
one is there without the other, the batch system is asked for a job of that name before anything is submitted again; if
that process was killed, not before the program that it had started has ended, which holds a lock.

Who makes `submitting` submits, and no other: also where the file system has no locks, and where a call whose connection
has broken comes to it late. Who is told that a batch was never submitted has made that so.
"""

from __future__ import annotations

import os
import sys
import time

from sciflow.runner.file_lock import locked, taken
from sciflow.runner.foreign import outcome
from sciflow.runner.placing import beside_of, write_whole
from sciflow.runner.presence import AWAY, absence_of
from sciflow.runner.text import dump, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any

UNSURE = -1  # a code that says nothing of the submission
SETTLING_S = 2.0  # within which a batch system shows a job whose submission was cut off
WAIT_S = 5.0  # beyond the program's own time limit
PROGRAM_LOCK = "submit.program.lock"
NEVER = {"code": 0, "stdout": "", "stderr": "", "never": True}
UNDER_WAY = "another submission of this batch is under way"
MARKS = ("live", "done", "taken", "died", "out")  # folders in which elements leave something


def submit(request: Tree) -> None:
    """Submit a batch unless that was done, and answer with what the batch system said.

    With `only_find` in the request nothing is submitted now: `never` in the answer says that it was not done. `gone`:
    the batch's folder is not there, and the batch system has no job of its name.

    Raises:
        OSError: the folder of all runs is not there either.
    """
    folder = request["dir"]
    absence = absence_of(folder)
    if absence == AWAY:
        raise OSError(f"{folder} is not there, nor is any other run: is its file system mounted?")
    if absence:
        sys.stdout.write(dump(_listed(request) or {**NEVER, "never": False, "gone": True}) + "\n")
        return
    for mark in MARKS:  # a batch system does not make folders
        os.makedirs(f"{folder}/{mark}", exist_ok=True)
    beyond_s = request["timeout_s"] + WAIT_S
    with locked(f"{folder}/submit.lock", patience_s=beyond_s) as lock:
        answer = _submit(folder, request, beyond_s) if lock.held else _unsure(UNDER_WAY)
    sys.stdout.write(dump(answer) + "\n")


def _submit(folder: str, request: Tree, beyond_s: float) -> Tree:
    known = _read(f"{folder}/submitted")
    if known is not None:
        return {**known, "again": True}
    begun = _read(f"{folder}/submitting")
    if begun is not None and begun.get("never"):
        return begun
    if begun is not None:
        known = _of_other(folder, begun, request, beyond_s)
        if known is not None:
            return {**known, "again": True}
    if request.get("only_find"):
        return NEVER if _begin(folder, NEVER) else _unsure(UNDER_WAY)
    return _hand_over(folder, request)


def _of_other(folder: str, begun: Tree, request: Tree, beyond_s: float) -> Tree | None:
    """What has come of a submission that was begun before; None if nothing, and it is over."""
    known = _await_other(folder, begun, beyond_s) or _found(folder, request)
    if known is None:
        _await_program(folder, beyond_s)
        known = _read(f"{folder}/submitted") or _found(folder, request)
    if known is None and begun["host"] != os.uname().nodename and _in_time(begun):
        return _unsure(f"{UNDER_WAY} on {begun['host']}")  # locks need not reach from there to here
    if known is None:
        try:
            os.rename(f"{folder}/submitting", beside_of(f"{folder}/submitting"))
        except FileNotFoundError:
            return _unsure(UNDER_WAY)
    return known


def _begin(folder: str, what: Tree) -> bool:
    """Make the mark of a submission; False if another has made it."""
    beside = beside_of(f"{folder}/submitting")
    write_whole(beside, dump(what).encode())
    try:
        os.link(beside, f"{folder}/submitting")
    except FileExistsError:
        return False
    finally:
        os.unlink(beside)
    return True


def _read(file: str) -> Tree | None:
    try:
        with open(file, encoding="utf-8") as text:
            return parse(text.read())
    except FileNotFoundError:
        return None


def _await_other(folder: str, begun: Tree, beyond_s: float) -> Tree | None:
    """What a process that began to submit, and may still be at it, comes to."""
    limit = time.monotonic() + beyond_s
    while time.monotonic() < limit and begun.get("host") == os.uname().nodename and _alive(begun):
        time.sleep(0.05)
    return _read(f"{folder}/submitted")


def _await_program(folder: str, beyond_s: float) -> None:
    """Until no program is left that was started to submit this, and what it did must have become known."""
    with locked(f"{folder}/{PROGRAM_LOCK}", patience_s=beyond_s):
        time.sleep(SETTLING_S)


def _in_time(begun: Tree) -> bool:
    """Whether the program that was started may still be at work."""
    return not begun.get("over") and bool(time.time() - begun["clock"] <= begun["timeout_s"] + WAIT_S)


def _alive(begun: Tree) -> bool:
    if not _in_time(begun):
        return False  # another process has its number
    try:
        os.kill(begun["pid"], 0)
    except OSError:
        return False
    return True


def _listed(request: Tree) -> Tree | None:
    """What the batch system says of a submission that nobody has recorded; None if it does not have it."""
    asked = request.get("find")
    told = outcome(asked["argv"], timeout_s=request["timeout_s"]) if asked else None
    if told is not None and told["code"] == 0 and _name(request) in told["stdout"]:
        return {"code": 0, "stdout": told["stdout"], "stderr": "", "found": True, "clock": time.time()}
    if told is not None and told["code"] != 0:
        return {**told, "code": UNSURE, "unsure": True}
    return None


def _found(folder: str, request: Tree) -> Tree | None:
    """What is known of a submission that nobody has recorded; None if it never came to be."""
    listed = _listed(request)
    if listed is not None:
        if listed.get("found"):
            write_whole(f"{folder}/submitted", dump(listed).encode())
        return listed
    if any(os.path.isdir(f"{folder}/{mark}") and os.listdir(f"{folder}/{mark}") for mark in MARKS):
        answer = {"code": 0, "stdout": "", "stderr": "", "found": True, "clock": time.time()}  # it was, and is over
        write_whole(f"{folder}/submitted", dump(answer).encode())
        return answer
    return None


def _name(request: Tree) -> str:
    name: str = request.get("name") or os.path.basename(os.path.normpath(request["dir"]))
    return name


def _unsure(why: str) -> Tree:
    return {"code": UNSURE, "stdout": "", "stderr": why, "timed_out": False, "unsure": True, "again": True}


def _hand_over(folder: str, request: Tree) -> Tree:
    """Run the program in a process that goes on if this one is ended."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_clerk(folder, request, read, write)
    os.close(write)
    with os.fdopen(read, "rb") as told:
        text = told.read()
    os.waitpid(pid, 0)
    if not text:
        raise OSError("the process that was to submit the batch has died")
    return {**parse(text.decode()), "again": False}


def _be_clerk(folder: str, request: Tree, read: int, write: int) -> None:
    code = 1
    try:
        os.close(read)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1):  # the connection must not be held open by what the batch system starts
            os.dup2(null, fd)
        env = {**os.environ, **request.get("secrets", {})}
        lock = os.open(f"{folder}/{PROGRAM_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        taken(lock)
        begun = {
            "pid": os.getpid(),
            "host": os.uname().nodename,
            "clock": time.time(),
            "timeout_s": request["timeout_s"],
        }
        answer = _unsure(UNDER_WAY)
        if _begin(folder, begun):
            answer = outcome(request["argv"], timeout_s=request["timeout_s"], cwd=folder, env=env, keeps=(lock,))
            _record(folder, begun, answer)
        with os.fdopen(write, "wb") as told:
            told.write(dump(answer).encode())
        code = 0
    except OSError as error:
        os.write(2, f"sciflow: {error}\n".encode())
    finally:
        os._exit(code)


def _record(folder: str, begun: Tree, answer: Tree) -> None:
    """Write down that it was submitted, or that nobody is at it any more."""
    if answer["code"] == 0:
        kept = {name: answer[name] for name in ("code", "stdout", "stderr")}
        write_whole(f"{folder}/submitted", dump({**kept, "clock": time.time()}).encode())
    elif not answer["timed_out"]:
        write_whole(f"{folder}/submitting", dump({**begun, "over": True}).encode())
