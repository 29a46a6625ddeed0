"""Launches an engine on a run: opens the folder, has the engine put together, and lets it carry the run on."""

from __future__ import annotations

import time
from contextlib import ExitStack

from sciflow.core.graph import EXIT_NODE
from sciflow.engine.assembly import Assembly, Watcher
from sciflow.engine.conclusion import open_writer
from sciflow.engine.control import Inbox
from sciflow.engine.interruption import interruptible
from sciflow.engine.outcome import Outcome
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.session import session_of
from sciflow.errors import SciflowError


def carry_on(
    folder: RunFolder, *, on_update: Watcher | None = None, reopen: bool = False, follow: bool = False
) -> Outcome:
    """Carries a run on until it ends, waits for somebody, or is interrupted.

    `reopen` takes up again what failed; `follow` only looks on at a run that an executor carries out as a whole.

    Raises:
        RunBusy: another engine works on it.
        RunDamaged: its folder cannot be read or written.
    """
    with ExitStack() as stack:
        now_ns = time.time_ns()
        stack.enter_context(folder.lock())
        folder.complete()
        Inbox(folder.part("control")).drop_orders(now_ns)
        db = open_writer(folder)
        stack.callback(db.close)
        if reopen:
            db.put_event(time.time(), "retry", f"{db.reopen()} tasks to be run again")
            db.forget(EXIT_NODE)  # it runs at every end of the run
        session = session_of(folder, db, reopens=reopen, follows=follow)
        try:
            engine = Assembly(session, stack).engine(on_update)
        except SciflowError as error:
            session.refuse(str(error))
            raise
        session.begin()
        with interruptible(engine.halt):
            outcome = engine.run()
        session.end(outcome)
        return outcome
