"""How a run stands, from its database and its lock; for any process, whether an engine is at work or not."""

from __future__ import annotations

import time

import msgspec

from sciflow.core.progress import Counts, RunSummary, Snapshot
from sciflow.core.records import Phase
from sciflow.engine.records_db import Reader
from sciflow.engine.run_folder import RunFolder
from sciflow.errors import RunDamaged

STARTING_S = 20.0  # within which a detached engine must have taken the run up


def snapshot_of(folder: RunFolder, reader: Reader) -> Snapshot:
    """The run as its database and its lock tell."""
    live = reader.fact("live")
    phase = Phase(reader.text("phase") or Phase.PENDING)
    started = float(reader.text("started") or 0)
    ended = reader.text("ended")
    message = reader.text("message")
    seconds = (float(ended) if ended and phase is not Phase.RUNNING else time.time()) - started
    waiting = phase is Phase.PENDING and seconds < STARTING_S
    if phase in (Phase.PENDING, Phase.RUNNING) and not waiting and not folder.lock().held():
        again = reader.text("phase")  # it may have ended between the two looks
        if again == phase.value:
            phase, message = Phase.ERROR, "its engine died: `sciflow resume` goes on where it was"
    if live is None:
        return Snapshot(
            run_id=folder.id, name=reader.text("name"), phase=phase, started=started, seconds=seconds, message=message
        )
    picture = msgspec.json.decode(live, type=Snapshot)
    return msgspec.structs.replace(
        picture, run_id=folder.id, phase=phase, seconds=seconds, message=message or picture.message
    )


def current_phase(folder: RunFolder) -> Phase:
    """The phase that the run is in."""
    reader = Reader(folder.database)
    try:
        return snapshot_of(folder, reader).phase
    finally:
        reader.close()


def summary(folder: RunFolder) -> RunSummary:
    """One line of the list of runs; of a damaged run, that it is damaged."""
    try:
        reader = Reader(folder.database)
        try:
            picture = snapshot_of(folder, reader)
        finally:
            reader.close()
    except (RunDamaged, msgspec.MsgspecError, ValueError) as error:
        return _damaged(folder, str(error).splitlines()[0])
    steps = picture.steps
    failed, skipped = sum(s.failed for s in steps), sum(s.skipped for s in steps)
    omitted, running = sum(s.omitted for s in steps), sum(s.running for s in steps)
    done = sum(s.done for s in steps)
    counts = Counts(
        pending=max(0, sum(s.total or 0 for s in steps) - done - running + skipped + omitted),
        running=running,
        succeeded=done - failed - skipped - omitted,
        failed=failed,
        skipped=skipped,
        omitted=omitted,
        cached=sum(s.cached for s in steps),
        flagged=sum(s.flagged for s in steps),
    )
    return RunSummary(
        id=folder.id,
        name=picture.name,
        phase=picture.phase,
        started=picture.started,
        seconds=picture.seconds,
        counts=counts,
        folder=folder.root,
    )


def _damaged(folder: RunFolder, why: str) -> RunSummary:
    try:
        started = folder.root.stat().st_mtime
    except OSError:  # it is being removed
        started = time.time()
    return RunSummary(
        id=folder.id,
        name=folder.name,
        phase=Phase.ERROR,
        started=started,
        seconds=0.0,
        counts=Counts(),
        folder=folder.root,
        message=f"damaged: {why}",
    )
