"""One slice from its inputs to its reply: the path that every piece of user code takes."""

from __future__ import annotations

import os
import time

from sciflow.runner import report
from sciflow.runner.context import DESK, Context
from sciflow.runner.failures import PlaceError
from sciflow.runner.text import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Sequence

    from sciflow.runner.channel import Board, Replies
    from sciflow.runner.children import Children
    from sciflow.runner.logs import Logs
    from sciflow.runner.operation import Fixed, Operation
    from sciflow.runner.packs import Pack
    from sciflow.runner.stage import Stage
    from sciflow.runner.surroundings import Surroundings
    from sciflow.runner.types import Check

    Tree = Any
    Columns = Sequence[tuple[str, Check]]


class Task:
    """One slice as the engine names it."""

    __slots__ = ("attempt", "folder", "key", "number", "run_seconds_left", "seed", "trees")

    def __init__(
        self, number: int, folder: str, attempt: int, seed: int, key: str | None, left: float | None, trees: Sequence[Tree]
    ) -> None:
        self.number = number
        self.folder = folder
        self.attempt = attempt
        self.seed = seed
        self.key = key
        self.run_seconds_left = left
        self.trees = trees


class Slices:
    """Runs slices one after the other in this process."""

    def __init__(
        self,
        *,
        replies: Replies,
        board: Board,
        stage: Stage,
        pack: Pack,
        surroundings: Surroundings,
        children: Children,
        logs: Logs,
        host: Mapping[str, Any],
    ) -> None:
        self.replies = replies
        self.board = board
        self.stage = stage
        self.pack = pack
        self.surroundings = surroundings
        self.children = children
        self.logs = logs
        self.host = host

    def run(self, operation: Operation, fixed: Fixed, columns: Columns, task: Task) -> None:
        """Run one slice and reply."""
        self.board.write(task.number)
        started = time.time()
        clock = time.perf_counter()
        phase, result, extra = self._outcome(operation, fixed, columns, task)
        told = DESK.close()
        if told is not None:
            extra = {**(extra or {}), **told.told()} or None
        seconds = time.perf_counter() - clock
        self.reply(task, phase, result, started, seconds, extra)

    def reply(self, task: Task, phase: str, result: str, started: float, seconds: float, extra: Tree | None) -> None:
        """Tell the engine how a slice has ended."""
        ends = self.logs.ends()
        tail = "null" if extra is None else dump(extra)
        self.replies.send(
            f'[0,{task.number},"{phase}",{result},{started:.6f},{seconds:.6f},{ends[0]},{ends[1]},{tail}]\n'
        )
        self.board.write(0)

    def _outcome(self, operation: Operation, fixed: Fixed, columns: Columns, task: Task) -> tuple[str, str, Tree | None]:
        """Phase, text of the result, and what else is to be told."""
        began = time.monotonic()
        tree: Tree = None
        error: Tree | None = None
        at = "inputs"
        try:
            if task.attempt > 1:
                self.stage.forget(task.folder)
            self.surroundings.begin(task.seed)
            DESK.open(lambda: self._context(operation, task, began))
            values = operation.bind(fixed, columns, task.trees)
            if operation.options.env:
                os.environ.update(operation.options.env)
            at = "call"
            value = operation.call(values)
            at = "result"
            tree = operation.give(value)
        except BaseException as problem:  # noqa: BLE001  user code: sys.exit and KeyboardInterrupt too
            error = self._failure(problem, at, operation)
        return self._clean(operation, task, tree, error)

    def _clean(
        self, operation: Operation, task: Task, tree: Tree, error: Tree | None
    ) -> tuple[str, str, Tree | None]:
        """Take what the slice has made, and make the process as it was before."""
        result, files = "null", False
        killed = self.children.end() if self.children.possible else 0
        selection = operation.options.selection
        try:
            if error is None and self.stage.collecting:
                files = self.stage.collect(task.folder, selection)
            if error is None:
                result = dump(tree)
                if len(result) > self.pack.inline_bytes:
                    result = self.pack.fold(tree, result)
            if self.stage.touched():
                files = self.stage.finish(task.folder, selection) or files
            self.logs.flush()
        except (Exception, KeyboardInterrupt) as problem:  # noqa: BLE001  a signal of the user's timer among them
            error = error or self._failure(problem, "result", operation)
        try:
            self.surroundings.restore()
            self.stage.reset()
            self.logs.restore()
        except OSError as problem:
            error = error or self._failure(problem, "result", operation)
        phase = "Succeeded" if error is None else "Error" if error["kind"] in ("place", "code") else "Failed"
        if error is None and not files and not killed:
            return phase, result, None
        told = (("error", error), ("files", files), ("children", killed))
        return phase, result if error is None else "null", {name: what for name, what in told if what}

    @staticmethod
    def _failure(problem: BaseException, at: str, operation: Operation) -> Tree:
        kind = ""
        if at != "call":
            if isinstance(problem, OSError):
                text = f"{problem.filename or 'the working folder'}: {problem.strerror or problem}"
                problem = PlaceError(text).with_traceback(None)
            elif isinstance(problem, (RecursionError, MemoryError, ValueError, TypeError)):
                kind = "codec"
        return report.failure(problem, kind=kind, where=operation.where)

    def _context(self, operation: Operation, task: Task, began: float) -> Context:
        limits = [seconds for seconds in (operation.options.timeout_s, task.run_seconds_left) if seconds is not None]
        options = operation.options
        return Context(
            path=task.folder.partition("/")[2],
            key=task.key,
            attempt=task.attempt,
            seed=task.seed,
            cpus=options.cpus,
            memory_mb=options.memory_mb,
            gpus=options.gpus,
            host=self.host,
            deadline=began + min(limits) if limits else None,
            send=lambda done, total, message: self.replies.progress(task.number, done, total, message),
        )
