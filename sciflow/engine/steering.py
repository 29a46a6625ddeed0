"""Starts, resumes and ends engines: what a handle's verbs do to a run."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sciflow import config
from sciflow.core.records import RUN_ENDS, Phase
from sciflow.engine import control
from sciflow.engine.conclusion import call_off
from sciflow.engine.control import Request, Verb
from sciflow.engine.db_errors import ROOM
from sciflow.engine.launch import carry_on
from sciflow.engine.records_db import Reader
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.status import STARTING_S, current_phase, is_full
from sciflow.errors import RunDamaged, RunError, RunInterrupted
from sciflow.executors.batch.record import is_open
from sciflow.executors.conducted import noted_conductor

LEAVING_S = 5.0  # within which an engine whose run has ended must be gone
HEARING_S = 15.0  # within which an engine at work must have taken a request
HEEDING_S = 10.0  # for which somebody waits to hear whether those who carry out the run do what is asked
_ENGINES: set[int] = set()  # processes that were started here and not yet let go
_START = "import sys; sys.path.append(sys.argv.pop(1)); from sciflow.engine.__main__ import main; main()"


def carry_on_shown(folder: RunFolder, *, progress: bool | None, reopen: bool) -> Phase:
    """Is the run's engine, here, until the run ends, and shows how it goes.

    Raises:
        RunBusy: another engine is at work on it.
        RunInterrupted: ctrl-C.
    """
    display = _display(progress=progress)
    try:
        outcome = carry_on(folder, on_update=display.show if display else None, reopen=reopen)
    finally:
        if display:
            display.close()
    if outcome.phase is Phase.SUSPENDED and outcome.error is not None and outcome.error.kind == "cancelled":
        raise RunInterrupted(f"{folder.id}: {outcome.error.message}")
    return outcome.phase


def _display(*, progress: bool | None) -> Any:
    if not (config.load().progress if progress is None else progress):
        return None
    from sciflow.view.display import Beside, open_display

    return Beside(open_display())


def reap() -> None:
    """Lets go of engines that were started here and have ended: they would stay in the table of processes."""
    for pid in list(_ENGINES):
        try:
            ended, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # somebody else has let go of it
            ended = pid
        if ended:
            _ENGINES.discard(pid)


def detach(folder: RunFolder, *, reopen: bool = False, follow: bool = False) -> None:
    """Starts an engine for the run in a process of its own, which outlives this one.

    Raises:
        RunDamaged: the folder is gone or cannot be written.
    """
    root = str(Path(__file__).parents[2])
    argv = [sys.executable, "-P", "-c", _START, root, str(folder.root)]
    argv += [*(["--reopen"] if reopen else []), *(["--follow"] if follow else [])]
    log = str(folder.part("logs") / "engine.log")
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions: list[Any] = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    actions += [(os.POSIX_SPAWN_OPEN, fd, log, append, 0o644) for fd in (1, 2)]
    try:
        _ENGINES.add(os.posix_spawn(sys.executable, argv, os.environ, file_actions=actions, setsid=True))
    except OSError as error:
        raise RunDamaged(f"{log}: {error.strerror}: the run's folder must exist and be writable") from error


def at_work(folder: RunFolder) -> bool:
    """Whether an engine is at work on the run; one that has written down its end is let go first."""
    until = time.monotonic() + LEAVING_S
    while folder.lock().held():
        phase = current_phase(folder)
        if not phase.at_rest or time.monotonic() > until:
            return True
        time.sleep(0.005)
    return False


def ask(folder: RunFolder, request: Request) -> bool:
    """Leaves a request; whether an engine at work took it. An answer that none took waits for the next engine.

    Raises:
        RunError: there is an engine, which does not take it; or who carries out the run refuses what is asked.
    """
    posted = control.post(folder.part("control"), request)
    until = time.monotonic() + HEARING_S
    while posted.exists():
        if not folder.lock().held():
            if not request.node:
                posted.unlink(missing_ok=True)
            return False
        if time.monotonic() > until:
            posted.unlink(missing_ok=True)
            raise _deaf(folder, request)
        time.sleep(0.005)
    return not request.verb.halts or _heeded(folder, posted)


def _heeded(folder: RunFolder, posted: Path) -> bool:
    """Waits for what comes of a request that was taken; False if its engine has died before."""
    until = time.monotonic() + HEEDING_S
    while control.is_kept(posted) and folder.lock().held() and time.monotonic() < until:
        time.sleep(0.02)
    if why := control.refusal(posted):
        raise RunError(f"{folder.root}: the run goes on: {why}")
    return not control.is_kept(posted) or folder.lock().held()


def _deaf(folder: RunFolder, request: Request) -> RunError:
    found = f"its engine, {folder.lock().holder()}, has not taken up `{request.verb}` within {HEARING_S:g} s"
    fix = "if that process is stopped, let it go on: kill -CONT PID; else kill -KILL PID, then `sciflow resume`"
    return RunError(f"{folder.root}: {found}\n    fix:      {fix}")


def listens(folder: RunFolder) -> bool:
    """Whether an engine is at work; one that was just started is waited for."""
    while not folder.lock().held():
        if current_phase(folder) is not Phase.PENDING:
            return folder.lock().held()
        time.sleep(0.005)
    return True


def sessions(folder: RunFolder) -> int:
    """How many engines have taken the run up so far."""
    with closing(Reader(folder.database)) as reader:
        return int(reader.text("sessions") or 0)


def await_session(folder: RunFolder, *, after: int) -> None:
    """Waits until the engine that was started has taken the run up.

    Raises:
        RunError: it did not.
    """
    until = time.monotonic() + STARTING_S
    while sessions(folder) <= after:
        reap()
        # the lock is asked before the count: whoever held it, or ours in vain, may have begun and ended meanwhile
        nobody = not _ENGINES and not folder.lock().held() and sessions(folder) <= after
        if nobody or time.monotonic() > until:
            why = _trouble(folder) or f"see {folder.part('logs') / 'engine.log'}"
            raise RunError(f"{folder.root}: no engine has taken the run up: {why}")
        time.sleep(0.005)


def _trouble(folder: RunFolder) -> str:
    """What an engine that could not begin has written down."""
    with closing(Reader(folder.database)) as reader:
        if reader.text("phase") == Phase.ERROR:
            return reader.text("message")
    return f"the disk is full: {ROOM}" if is_full(folder) else ""


def end(folder: RunFolder, verb: Verb, message: str) -> None:
    """Asks the engine at work to end the run; where there is none, cancels its jobs and writes down that it has ended.

    A run that has failed here may be at work where it is carried out as a whole.

    Raises:
        RunError, HostError: no engine is at work, and its jobs cannot be cancelled now; the run has not ended.
    """
    if listens(folder) and ask(folder, Request(verb=verb)):
        return
    phase = current_phase(folder)
    left = is_open(folder.root) or (phase is not Phase.SUCCEEDED and bool(noted_conductor(folder.root)))
    if phase in RUN_ENDS and not left:
        return
    call_off(folder, Phase.FAILED, message, running=verb is Verb.TERMINATE)


def suspend(folder: RunFolder) -> None:
    """Asks the engine at work to begin nothing more; where there is none, takes out of queues what waits there.

    Raises:
        RunError, HostError: see `end`; the run is not suspended.
    """
    if listens(folder) and ask(folder, Request(verb=Verb.SUSPEND)):
        return
    if current_phase(folder) not in RUN_ENDS:
        call_off(folder, Phase.SUSPENDED, "the run was suspended", running=False)
