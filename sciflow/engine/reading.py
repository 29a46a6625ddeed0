"""A run as it is read: by scripts, notebooks and the command line, in any process, also while its engine writes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sciflow.core.expr import Tree
from sciflow.core.graph import WorkflowSpec
from sciflow.core.progress import Event, Snapshot, Task
from sciflow.core.records import Phase, TaskError
from sciflow.engine import explain, steering, task_list
from sciflow.engine.answers import waiting_nodes
from sciflow.engine.bringing import bring_tasks, bring_values
from sciflow.engine.live_logs import LiveLine, live_lines, live_text
from sciflow.engine.origin import stored_spec
from sciflow.engine.records_db import Reader
from sciflow.engine.replica import Replica
from sciflow.engine.reporting import report_text
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.status import snapshot_of
from sciflow.engine.task_logs import read_log
from sciflow.engine.watching import Watching
from sciflow.errors import RunFailed
from sciflow.runner import codec
from sciflow.runner.duration import check_seconds
from sciflow.runner.failures import CodecError
from sciflow.runner.packs import Pack
from sciflow.runner.text import parse as parse_json

if TYPE_CHECKING:
    import pandas as pd

    from sciflow.view.table import Table

R_co = TypeVar("R_co", covariant=True)


class RunRecord(Generic[R_co]):
    """What can be read of a run; it never disturbs the engine at work.

    Attributes that are read from the run's folder each time: `phase`, `result`, `outputs`, `errors`.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, {self.phase.value})"

    def _repr_html_(self) -> str:
        """What a notebook shows of it: the table of its steps as they stand now."""
        from sciflow.view.progress_html import as_html

        return as_html(self.snapshot())

    @property
    def id(self) -> str:
        """The run's id: the name of its folder."""
        return self._folder.id

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self._folder.root

    @property
    def name(self) -> str:
        """The name of its workflow, or the one given to the run."""
        with self._reader() as reader:
            return reader.text("name")

    @property
    def phase(self) -> Phase:
        """Where the run stands. Error if its engine died: `resume` goes on."""
        return self.snapshot().phase

    @property
    def running(self) -> bool:
        """Whether an engine is at work on it."""
        return self._folder.lock().held()

    @property
    def result(self) -> R_co:
        """What the workflow gives back; waits for the end.

        Raises:
            RunFailed: it did not succeed; the message is the report.
        """
        self.wait(check=True)
        with self._reader() as reader:
            return self._typed(reader.fact("result"))  # type: ignore[no-any-return]

    def result_tree(self) -> Tree:
        """The result as a tree, for programs that have not the user's classes: files by absolute paths, nothing folded.

        Raises:
            RunFailed: it did not succeed; the message is the report.
        """
        self.wait(check=True)
        with self._reader() as reader:
            return Replica(self.folder, reader).tree(reader.fact("result"))

    @property
    def outputs(self) -> dict[str, Any]:
        """The result's fields by name; `result` alone if it has none."""
        result: Any = self.result
        if hasattr(result, "_asdict"):
            return dict(result._asdict())
        if hasattr(result, "__dataclass_fields__"):
            return {name: getattr(result, name) for name in result.__dataclass_fields__}
        return dict(result) if isinstance(result, dict) else {"result": result}

    def output(self, path: str) -> Any:
        """What a task gave back, as a Python value; of a fan, the list of what its slices gave back."""
        with self._reader() as reader:
            replica = Replica(self.folder, reader)
            row, slice_ = replica.find(path)
            rows = reader.tasks(row.id, slice_=slice_)
            if slice_ is not None or (row.total == 1 and rows and rows[0].slice < 0):
                return self._typed(rows[0].output if rows else None)
            return self._typed(replica.values.gather(row.id, row.total or 0))

    @property
    def errors(self) -> list[TaskError]:
        """Why tasks failed, in the order of time; where none did, why the run has not succeeded all the same."""
        found = [task.error for task in self.failed_tasks() if task.error is not None]
        if found or self.phase is not Phase.FAILED:
            return found
        with self._reader() as reader:
            return [TaskError(kind="run", type="sciflow:RunFailed", message=reader.text("message") or "")]

    def tasks(self, path: str | None = None, *, phase: Phase | str | None = None) -> list[Task]:
        """The tasks of the run, of a step (`relax/energy`), a node (`relax/3/energy`), or one task."""
        wanted = None if phase is None else Phase(phase)
        with self._reader() as reader:
            found = list(task_list.tasks_at(Replica(self.folder, reader), path))
        return [task for task in found if wanted is None or task.phase is wanted]

    def paths(self, beginning: str = "", *, most: int | None = None) -> list[str]:
        """The paths of nodes that begin so, and of the slices of a fan whose path is `beginning` up to its last /."""
        with self._reader() as reader:
            return list(islice(task_list.paths(reader, beginning), most))

    def waiting(self) -> list[str]:
        """The paths of the suspended nodes."""
        with self._reader() as reader:
            return list(waiting_nodes(reader))

    def failed_tasks(self) -> list[Task]:
        """The tasks and nodes that failed, in the order of time."""
        with self._reader() as reader:
            return task_list.failed_tasks(Replica(self.folder, reader))

    def table(self, step: str | None = None) -> pd.DataFrame | Table:
        """One row a task, a column per input and output; a DataFrame if pandas is installed.

        Without `step`, the tasks of all steps.
        """
        from sciflow.view import table

        made = table.of_tasks(self.tasks(step))
        return table.as_frame(made, codec.decode) if find_spec("pandas") is not None else made

    def logs(self, path: str | None = None, *, stream: str = "both", tail: int | None = None) -> str:
        """What a task printed, of all its attempts; without a path, what every failed task printed.

        Of tasks that are at work on Argo, what they have printed so far.
        """
        with self._reader() as reader:
            replica = Replica(self.folder, reader)
            told = read_log(replica, path, stream=stream, tail=tail)
            return told + (live_text(replica, path, tail=tail) if path is not None else "")

    def follow(self, path: str | None = None) -> Iterator[LiveLine]:
        """The lines that tasks print, from now on until the run has ended; on Argo those of one step or task, too.

        Raises:
            RunError: which lines are of one task is known here at its end only.
            HostError: Argo's server gives no answer.
        """
        return live_lines(self.folder, path, over=self._is_over)

    def fetch(self, path: str | None = None) -> int:
        """Brings home all that tasks have left on other machines, or what a step, node or task has; how many tasks.

        Raises:
            RunError: the machine has lost it, or the settings do not name the place.
            HostError: the machine is not to be reached now.
        """
        with self._reader() as reader:
            return bring_tasks(Replica(self.folder, reader), path)

    def events(self) -> list[Event]:
        """What happened to the run, the oldest first: engines that began or died, what was asked of them, its ends."""
        with self._reader() as reader:
            return reader.events()

    def report(self) -> str:
        """Why the run did not succeed: root causes first, then what they kept from running, then what to do.

        Of a run that succeeded, what there is to know of it: failures that were put up with, and flagged tasks.
        """
        steering.reap()
        with self._reader() as reader:
            return report_text(self._folder, reader)

    def graph(self) -> WorkflowSpec:
        """The workflow that the run carries out."""
        with self._reader() as reader:
            return stored_spec(reader)

    def snapshot(self) -> Snapshot:
        """The run as it is now."""
        steering.reap()
        with self._reader() as reader:
            return snapshot_of(self._folder, reader)

    def watch(self, *, interval_s: float = 0.25) -> Watching:
        """The run again and again, until it has ended or waits for somebody; as a cell's last line, a live table."""
        return Watching(self.snapshot, interval_s=interval_s)

    def wait(self, timeout_s: float | None = None, *, check: bool = False) -> Phase:
        """Waits until the run has ended or waits for somebody; the phase at the end or when the time is over.

        Raises:
            RunFailed: with `check`, if it did not succeed; the message is the report.
            ValueError: `timeout_s` is no number of seconds.
        """
        if timeout_s is not None:
            check_seconds(timeout_s, name="timeout_s", fix="None waits without limit")
        until = None if timeout_s is None else time.monotonic() + timeout_s
        pause = 0.005
        phase = self.phase
        while not phase.at_rest and (until is None or time.monotonic() < until):
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)
            phase = self.phase
        if check and phase is not Phase.SUCCEEDED:
            raise RunFailed(self.report())
        return phase

    def explain(self, path: str) -> str:
        """Why a task ran, was taken from the cache, or would run again."""
        with self._reader() as reader:
            return explain.explain(Replica(self.folder, reader), path)

    def _is_over(self) -> bool:
        return self.phase.at_rest

    @contextlib.contextmanager
    def _reader(self) -> Iterator[Reader]:
        reader = Reader(self._folder.database)
        try:
            yield reader
        finally:
            reader.close()

    def _typed(self, text: bytes | None) -> Any:
        """A stored text as the Python value it was, of the user's own classes; its files are here."""
        if text is None:
            return None
        bring_values(self.folder, [text])
        pack = Pack(str(self.folder), "", inline_bytes=0)
        try:
            return codec.decode(
                parse_json(text.decode()),
                types=codec.import_type,
                store=pack.load,
                artifact=lambda tree: self.folder / tree["path"],
            )
        except CodecError as error:
            fix = "put the module on sys.path, or take result_tree() and tasks(), which need no classes"
            raise CodecError(f"{error}\n    fix:      {fix}") from error
