"""How a run stands, from its database and its lock; for any process, whether an engine is at work or not."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import msgspec

from sciflow.core.progress import Counts, RunSummary, Snapshot, StepProgress
from sciflow.core.records import Phase
from sciflow.engine.db_errors import ROOM
from sciflow.engine.records_db import Reader
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.snapshots import given_up
from sciflow.errors import RunDamaged

NO_ROOM_BYTES = 1 << 16
STARTING_S = 20.0  # within which a detached engine must have taken the run up


def snapshot_of(folder: RunFolder, reader: Reader) -> Snapshot:
    """The run as its database and its lock tell."""
    # Read before the picture: the last one is there when the run has ended, so that no end is told with one before it.
    phase = Phase(reader.text("phase") or Phase.PENDING)
    started = float(reader.text("started") or 0)
    ended = reader.text("ended")
    message = reader.text("message")
    seconds = (float(ended) if ended and phase is not Phase.RUNNING else time.time()) - started
    seconds -= float(reader.fact("idle") or 0)
    live = reader.fact("live")
    deserted = _deserted(folder, reader, phase, seconds)
    full = is_full(folder)  # which its engine has no room to say
    if deserted:
        fix = f"the disk is full: {ROOM}" if full else "`sciflow resume` goes on where it was"
        phase, message = Phase.ERROR, f"its engine died: {fix}"
    elif full and folder.lock().held():
        message = "the disk is full: waits for room"
    if live is None:
        return Snapshot(
            run_id=folder.id, name=reader.text("name"), phase=phase, started=started, seconds=seconds, message=message
        )
    picture = msgspec.json.decode(live, type=Snapshot)
    return msgspec.structs.replace(
        picture,
        run_id=folder.id,
        phase=phase,
        seconds=picture.seconds if deserted else seconds,
        message=message or picture.message,
        # an engine that died while tasks ran has not told that they run no more
        steps=tuple(map(given_up, picture.steps)) if phase is Phase.FAILED else picture.steps,
        passing=picture.passing and not message,
    )


def is_full(folder: RunFolder) -> bool:
    """Whether the disk has no room for another word of the run."""
    disk = os.statvfs(folder.root)
    return bool(disk.f_blocks) and disk.f_bavail * disk.f_frsize < NO_ROOM_BYTES


def _deserted(folder: RunFolder, reader: Reader, phase: Phase, seconds: float) -> bool:
    """Whether an engine should be at work on a run that has stood for so long, and none is."""
    starting = phase is Phase.PENDING and seconds < STARTING_S
    if phase not in (Phase.PENDING, Phase.RUNNING) or starting or folder.lock().held():
        return False
    return reader.text("phase") == phase.value  # it may have ended between the two looks


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
    return RunSummary(
        id=folder.id,
        name=picture.name,
        phase=picture.phase,
        started=picture.started,
        seconds=picture.seconds,
        counts=_counts(picture.steps),
        folder=folder.root,
        message=picture.message.partition("\n")[0] if picture.phase is Phase.FAILED else "",
    )


def _counts(steps: Sequence[StepProgress]) -> Counts:
    names = ("done", "running", "failed", "skipped", "omitted", "cached", "flagged")
    sums = {name: sum(getattr(step, name) for step in steps) for name in names}
    done = sums.pop("done")
    ended_well = done - sums["failed"] - sums["skipped"] - sums["omitted"]
    known = sum(step.total or 0 for step in steps) + sums["skipped"] + sums["omitted"]
    return Counts(**sums, succeeded=ended_well, pending=max(0, known - done - sums["running"]))


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
