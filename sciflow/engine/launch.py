"""Launches an engine on a run: opens the folder, has the engine put together, and lets it carry the run on."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from typing import TypeVar

from sciflow.core.graph import EXIT_NODE
from sciflow.engine.assembly import Assembly, Watcher
from sciflow.engine.conclusion import open_writer, settings_of
from sciflow.engine.control import Inbox
from sciflow.engine.db_errors import ROOM, clear
from sciflow.engine.engine import Engine
from sciflow.engine.interruption import interruptible
from sciflow.engine.origin import stored_setup
from sciflow.engine.outcome import Outcome
from sciflow.engine.patience import Patience, lacks_room, will_pass
from sciflow.engine.records_db import Reader
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.session import Session, session_of
from sciflow.errors import RunDamaged, SciflowError

T = TypeVar("T")


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

        def made() -> tuple[Session, Engine]:
            with ExitStack() as parts:
                found = _made(folder, parts, now_ns=now_ns, on_update=on_update, reopen=reopen, follow=follow)
                stack.enter_context(parts.pop_all())
                return found

        session, engine = _patiently(folder, made)
        session.begin()
        with interruptible(engine.halt):
            outcome = engine.run()
        session.end(outcome)
        return outcome


def _made(
    folder: RunFolder, stack: ExitStack, *, now_ns: int, on_update: Watcher | None, reopen: bool, follow: bool
) -> tuple[Session, Engine]:
    """An engine and its session; `stack` closes what they hold. Nothing is left of one that could not be made.

    Raises:
        OSError, sqlite3.Error: there is no room for it now, or somebody else holds the database.
        RunDamaged: its folder cannot be read or written.
    """
    try:
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
            if not will_pass(error.__cause__):
                session.refuse(str(error))
            raise
    except RunDamaged as error:
        if isinstance(cause := error.__cause__, OSError | sqlite3.Error) and will_pass(cause):
            raise cause from error
        raise
    return session, engine


def _patiently(folder: RunFolder, make: Callable[[], T]) -> T:
    """What is made, as soon as there is room for it.

    Raises:
        RunDamaged: there was none within the time.
    """
    patience = Patience(limit_s=lambda: _limit_s(folder), say=_say, ends=lambda: False)
    with clear(folder.database):
        try:
            return patience.insist(make)
        except OSError as error:
            if lacks_room(error):
                raise RunDamaged(f"{folder.root}: {error}\n    fix:      {ROOM}") from error
            raise


def _limit_s(folder: RunFolder) -> float:
    with closing(Reader(folder.database)) as reader:
        return settings_of(stored_setup(reader)).full_disk_wait_s


def _say(text: str) -> None:
    with suppress(OSError):  # there is no room for a word of it
        sys.stderr.write(f"sciflow: {text or 'the run goes on'}\n")
        sys.stderr.flush()
