"""One slice from its inputs to its reply: the path that every piece of user code takes."""

from __future__ import annotations

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
    # number, folder, attempt, seed, key, seconds left of the run, trees of the columns
    Task = Sequence[Any]
    Columns = Sequence[tuple[str, Check]]

# what may come between our own lines: a full disk, and the handler of a signal that the op has arranged
_TROUBLE = (Exception, KeyboardInterrupt)


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
        resumed: bool,
    ) -> None:
        """`resumed`: an earlier engine may have died and left files of tasks whose end it did not record."""
        self.replies = replies
        self.board = board
        self.stage = stage
        self.pack = pack
        self.surroundings = surroundings
        self.children = children
        self.logs = logs
        self.host = host
        self.resumed = resumed

    def run(self, operation: Operation, fixed: Fixed, columns: Columns, task: Task) -> None:
        """Run one slice and reply."""
        number, folder, attempt, seed, _, _, trees = task
        self.board.write(number)
        started, clock = time.time(), time.perf_counter()
        tree: Tree = None
        error: Tree | None = None
        at = "inputs"
        try:
            if attempt > 1 or self.resumed:
                self.stage.set_aside(folder)
            self.surroundings.begin(seed)
            DESK.open(self._context, operation, task)
            values = operation.bind(fixed, columns, trees)
            at = "call"
            value = operation.call(values)
            at = "result"
            tree = operation.give(value)
        except BaseException as problem:  # noqa: BLE001  user code: sys.exit and KeyboardInterrupt too
            error = _failure(problem, at, operation)
        text, extra = self._clean(operation, folder, tree, error)
        told = DESK.close()
        if told is not None:
            extra = {**(extra or {}), **told.told()} or None
        self.reply(number, text, started, time.perf_counter() - clock, extra)

    def reply(self, number: int, result: str, started: float, seconds: float, extra: Tree | None) -> None:
        """Tell the engine how a slice has ended: with a result, or with the error that is in `extra`."""
        out, err = self.logs.sizes
        phase, tail = "Succeeded", "null"
        if extra is not None:
            tail = dump(extra)
            if "error" in extra:
                phase = "Error" if extra["error"]["kind"] in ("place", "code", "died") else "Failed"
        self.replies.send(f'[0,{number},"{phase}",{result},{started:.6f},{seconds:.6f},{out},{err},{tail}]\n')
        self.board.write(0)

    def _clean(self, operation: Operation, folder: str, tree: Tree, error: Tree | None) -> tuple[str, Tree | None]:
        """Take what the slice has made, and put the process back; text of the result, and what else to tell."""
        result = "null"
        killed = self.children.end() if self.children.possible else 0
        touched = self.stage.touched()
        if error is None:
            try:
                if touched:
                    self.stage.collect(folder, operation.options.selection)
                result = self._text(tree)
            except _TROUBLE as problem:
                error = _failure(problem, "result", operation)
        files, trouble = self._put_back(operation, folder, touched=touched)
        error = error or trouble
        if error is None and not files and not killed:
            return result, None
        told = (("error", error), ("files", files), ("children", killed))
        return "null" if error else result, {name: what for name, what in told if what}

    def _put_back(self, operation: Operation, folder: str, *, touched: bool) -> tuple[bool, Tree | None]:
        """Keep what is left over and make everything as it was; whether files were kept, and what went wrong."""
        files = False
        error: Tree | None = None
        try:
            if touched:
                files = self.stage.keep(folder, operation.options.selection)
            self.logs.flush()
        except _TROUBLE as problem:
            error = _failure(problem, "result", operation)
        try:
            self.logs.restore()
            self.surroundings.restore()
            if touched:
                self.stage.reset()
        except _TROUBLE as problem:
            error = error or _failure(problem, "result", operation)
        return files, error

    def _text(self, tree: Tree) -> str:
        text = dump(tree)
        return text if len(text) <= self.pack.inline_bytes else self.pack.fold(tree, text)

    def _context(self, operation: Operation, task: Task) -> Context:
        number, folder, attempt, seed, key, left, _ = task
        limits = [seconds for seconds in (operation.options.timeout_s, left) if seconds is not None]
        options = operation.options
        return Context(
            path=folder.partition("/")[2],
            key=key,
            attempt=attempt,
            seed=seed,
            cpus=options.cpus,
            memory_mb=options.memory_mb,
            gpus=options.gpus,
            host=self.host,
            deadline=self.board.began + min(limits) if limits else None,
            send=lambda done, total, message: self.replies.progress(number, done, total, message),
        )


def _failure(problem: BaseException, at: str, operation: Operation) -> Tree:
    """The record of an error; one that came before or after the user's code is the place's or the value's."""
    kind = ""
    if at != "call":
        if isinstance(problem, OSError):
            problem = PlaceError(f"{problem.filename or 'the working folder'}: {problem.strerror or problem}")
        elif isinstance(problem, (RecursionError, MemoryError, ValueError, TypeError)):
            kind = "codec"
    return report.failure(problem, kind=kind, where=operation.where)
