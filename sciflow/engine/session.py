"""One engine's time with a run: opens the folder, puts the engine together, carries on, writes down how it ended."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, cast

import msgspec

from sciflow import config
from sciflow.core.expr import Tree
from sciflow.core.graph import EXIT_NODE, Function, OpTemplate, WorkflowSpec, decode_spec
from sciflow.core.progress import Snapshot
from sciflow.core.records import RUN_ENDS, Phase
from sciflow.engine.clearing import by_policy
from sciflow.engine.conclusion import open_writer, put_end, settings_of
from sciflow.engine.control import Inbox
from sciflow.engine.db_journal import DbJournal
from sciflow.engine.engine import Engine
from sciflow.engine.intake import Intake
from sciflow.engine.limits import Limits
from sciflow.engine.parts import Halt, Level, Parts
from sciflow.engine.preflight import preflight, used_executors
from sciflow.engine.probe import Probe
from sciflow.engine.records_db import Writer
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.scheduler import Scheduler
from sciflow.engine.setup import RunSetup
from sciflow.engine.stowage_making import keep_all, make_stowage
from sciflow.engine.values import StoredValues
from sciflow.engine.walk import Outcome
from sciflow.errors import SciflowError
from sciflow.executors.capacity import Capacity
from sciflow.executors.dispatched import dispatchers_of
from sciflow.executors.executor import Conductor, Executor
from sciflow.executors.local import LocalExecutor, Place
from sciflow.executors.registry import LOCAL, Errand, Whole, conducts, make_executor
from sciflow.runner.guard import end_strays
from sciflow.runner.removal import remove

if TYPE_CHECKING:
    from sciflow.engine.stowage import Stowage

Watcher = Callable[[Snapshot], None]


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
        session = _Session(folder, db, stack, reopen=reopen, follow=follow)
        try:
            engine = session.engine(on_update)
        except SciflowError as error:
            session.refuse(str(error))
            raise
        session.begin()
        with interruptible(engine):
            outcome = engine.run()
        session.end(outcome)
        return outcome


class _Session:
    def __init__(self, folder: RunFolder, db: Writer, stack: ExitStack, *, reopen: bool, follow: bool) -> None:
        self._folder = folder
        self._follows = follow
        self._adopted = db.text("adopted")  # a word of its own, if the run was begun by somebody else
        self._again = not follow and (reopen or db.text("phase") in RUN_ENDS)  # somebody wants what has ended to go on
        self._db = db
        self._stack = stack
        self._setup = msgspec.json.decode(db.fact("setup") or b"{}", type=RunSetup)
        self._spec = decode_spec(db.fact("spec") or b"{}")
        self._inputs: Mapping[str, Tree] = json.loads(db.fact("inputs") or b"{}")
        self._number = int(db.fact("sessions") or 0) + 1
        self._started = float(db.fact("started") or time.time())

    def engine(self, on_update: Watcher | None) -> Engine:
        """The engine with all its parts; the stack closes them."""
        setup, db, root = self._setup, self._db, self._folder.root
        settings = settings_of(setup)
        if self._number > 1 and not self._follows:
            preflight(self._spec, setup, settings, self._inputs)  # it may go on elsewhere than it was made
        pack = f"values/{self._number}-engine{self._adopted}"
        values = StoredValues(root, pack=pack, inline_bytes=setup.inline_bytes, outputs=db.outputs)
        timeout_s = _shortest(setup.timeout_s, self._spec)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        limits = Limits(parallelism=setup.parallelism, locks=dict(settings.locks) | setup.locks)
        executors = self._executors(settings, deadline)
        places = executors.keys() - {setup.executor}
        stowage = self._stowage(settings)
        executors = {**executors, **({stowage.name: stowage} if stowage is not None else {})}
        scheduler = Scheduler(
            self._spec,
            journal=DbJournal(db, first=self._number == 1),
            values=values,
            limits=limits,
            executors=(setup.executor, *sorted(places)),
            conducted=conducts(setup.executor, settings.executors),
            keys=db.keys(),
        )
        probe = self._probe(Intake(root, values, mark=self._adopted))
        inputs = {name: msgspec.json.encode(tree) for name, tree in self._inputs.items()}
        return Engine(
            Parts(
                folder=self._folder,
                name=setup.name,
                db=db,
                values=values,
                scheduler=scheduler,
                executors=executors,
                stowage=stowage,
                conductor=self._conductor(settings, executors),
                home=db.text("adopted-from") or None,
                follows=self._follows,
                probe=probe,
                spec=self._spec,
                inputs=inputs,
                deadline=deadline,
                full_disk_wait_s=settings.full_disk_wait_s,
                started=self._started,
                on_update=on_update,
            )
        )

    def _conductor(self, settings: config.Settings, executors: Mapping[str, Executor]) -> Conductor | None:
        """The executor that carries out the run as a whole, if one does; none does where no node needs one."""
        name = self._setup.executor
        whole = name in executors and conducts(name, settings.executors)
        return cast("Conductor", executors[name]) if whole else None

    def _probe(self, intake: Intake) -> Probe:
        root, reuse = self._folder.root, self._setup.reuse
        traced_now = self._number == 1
        probe = Probe(runs=root.parent, root=root, reuse=reuse, intake=intake, warn=self._warn, traced_now=traced_now)
        self._stack.callback(probe.close)
        return probe

    def _stowage(self, settings: config.Settings) -> Stowage | None:
        stowage = make_stowage(self._setup.storage, settings, self._folder.root, warn=self._warn)
        if stowage is not None:
            self._stack.callback(stowage.close)
            keep_all(stowage, self._folder.root, self._db)
        return stowage

    @cached_property
    def _script(self) -> Path | None:
        """The user's script as it was when this session began: what is edited while it goes on is for the next one."""
        script = self._setup.script
        if script is None:
            return None
        copy = self._folder.part("code") / os.path.basename(script)
        if self._number > 1 and os.path.isfile(script):  # mended, it may be, before a retry
            beside = copy.with_name(f"{copy.name}.new")
            beside.write_bytes(Path(script).read_bytes())
            os.replace(beside, copy)
        return copy if copy.exists() else None

    def _warn(self, text: str) -> None:
        sys.stderr.write(f"sciflow: {text}\n")
        self._db.put_event(time.time(), "warning", text)

    def _executors(self, settings: config.Settings, deadline: float | None) -> Mapping[str, Executor]:
        setup, root = self._setup, self._folder.root
        script = self._script
        capacity = Capacity(cpus=setup.workers, memory_mb=setup.memory_mb, gpus=setup.gpus)
        place = Place(
            root=root,
            session=self._number,
            inline_bytes=setup.inline_bytes,
            sys_path=setup.sys_path,
            argv=setup.argv,
            main=None if script is None else str(script),
            host=settings.host,
            deadline=deadline,
        )
        local = LocalExecutor(place, capacity)
        self._stack.callback(local.close)
        return {LOCAL: local, **self._elsewhere(settings)}

    def _elsewhere(self, settings: config.Settings) -> Mapping[str, Executor]:
        """The executors of the settings that the run may need."""
        setup = self._setup
        names = used_executors(self._spec, setup.executor, settings.executors) - {LOCAL}
        if conducts(setup.executor, settings.executors):
            names &= {setup.executor}
        if not names:
            return {}
        script = self._script
        bundle = bundle_of(self._spec, setup.sys_path, script=script)
        errand = Errand(
            root=self._folder.root,
            sys_path=setup.sys_path,
            argv=setup.argv,
            main=None if script is None else f"code/{script.name}",
            inline_bytes=setup.inline_bytes,
            code=bundle,
            host=settings.host,
            quota=setup.quota,
            whole=Whole(
                spec=self._spec,
                inputs=self._inputs,
                reuse=setup.reuse,
                timeout_s=setup.timeout_s,
                parallelism=setup.parallelism,
                locks=dict(settings.locks) | setup.locks,
                setup=msgspec.Raw(self._db.fact("setup") or b"{}"),
                started=self._started,
                fresh=self._number == 1 and not self._follows,
                begins=not self._follows and (self._again or not self._adopted),
                goes_on=not self._follows,
                revives=self._again,
                dispatchers=dispatchers_of(self._spec, settings.executors),
            ),
            is_over=self._db.is_over,
        )
        made = {}
        for name in sorted(names):
            made[name] = make_executor(name, settings.executors, errand, settings.storages)
            self._stack.callback(made[name].close)
        return made

    def refuse(self, why: str) -> None:
        """Writes down why a run could not even begin; one that had begun can still be resumed, and stays as it is."""
        if self._number == 1:
            put_end(self._db, Phase.ERROR, why)

    def begin(self) -> None:
        """Writes down that an engine is at work; ends what one that died may have left."""
        if self._db.text("phase") == Phase.RUNNING.value:
            self._db.put_event(time.time(), "died", f"the engine of session {self._number - 1} was found dead")
            end_strays(set(os.listdir(self._folder.part("work"))))  # the names of scratch folders
        self._db.put_fact("sessions", str(self._number))
        self._db.put_fact("phase", Phase.RUNNING.value)
        self._db.put_fact("message", "")
        self._db.put_fact("because", "")
        self._db.put_event(time.time(), "began", f"session {self._number}, {self._folder.lock().holder()}")
        self._db.commit()

    def end(self, outcome: Outcome) -> None:
        """Writes down what the run came to; then what lies on other machines is removed, where the settings say so."""
        if outcome.phase is Phase.SUCCEEDED:
            self._db.put_fact("result", outcome.result)
            unused = sorted(self._setup.reuse.keys() - self._db.keys().keys())
            if unused:
                self._warn(f"reuse names keys that no task has: {', '.join(unused[:5])}")
        message = outcome.error.message if outcome.error is not None else ""
        put_end(self._db, outcome.phase, message, because=outcome.because)
        _remove_scratch(self._folder.part("work"))
        if not self._follows:  # it is for others to say how long they need them
            by_policy(self._folder, outcome.phase, warn=self._warn)


def bundle_of(spec: WorkflowSpec, sys_path: Sequence[str], *, script: Path | None = None) -> dict[str, bytes]:
    """The user's own modules that ops of a workflow need, by the name of their content.

    `script`: the run's copy of a script, where that itself is not on this machine.
    """
    from sciflow.executors.package import user_bundle

    functions = [t.code for t in spec.templates.values() if isinstance(t, OpTemplate) and isinstance(t.code, Function)]
    modules = {code.script or code.module for code in functions if code.pickled is None}
    if script is not None:
        modules = {str(script) if os.path.isabs(m) and not os.path.exists(m) else m for m in modules}
    bundle = user_bundle(modules, sys_path)
    return {bundle.name: bundle.content}


def _shortest(seconds: float | None, spec: WorkflowSpec) -> float | None:
    limits = [s for s in (seconds, getattr(spec.templates[spec.entry], "timeout_s", None)) if s is not None]
    return min(limits, default=None)


def _remove_scratch(work: Path) -> None:
    for entry in os.scandir(work):
        with suppress(OSError):  # it belongs to somebody else, or a process that was not found still writes there
            remove(entry.path)


@contextmanager
def interruptible(engine: Engine) -> Iterator[None]:
    """Ctrl-C or SIGTERM once: nothing new, what runs may end. Twice: what runs is killed. Both times resumable.

    SIGTERM comes from machines that go down, which wait for seconds only: it kills at once.
    """

    def interrupt(number: int, _: FrameType | None) -> None:
        if asked or number == signal.SIGTERM:
            engine.halt(Halt(Level.KILL, "interrupted, what ran was killed: `sciflow resume` goes on"))
        else:
            engine.halt(Halt(Level.STOP, "interrupted: `sciflow resume` goes on"))
            with suppress(OSError, ValueError):  # nobody reads it any more
                sys.stderr.write("\ninterrupted: nothing new is begun, what runs may end; ctrl-C again kills it\n")
        asked.append(number)

    asked: list[int] = []
    try:
        before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # this is not the main thread, which alone gets signals
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
