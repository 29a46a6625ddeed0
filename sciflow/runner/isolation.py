"""A slice in a process of its own: forked from the warm worker, gone when it ends."""

from __future__ import annotations

import mmap
import os
import time

from sciflow.runner import report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sciflow.runner.operation import Fixed, Operation
    from sciflow.runner.slices import Columns, Slices, Task

    Tree = Any


class Isolation:
    """Runs slices in forked children; a child replies itself, the parent only for one that died."""

    def __init__(self, slices: Slices) -> None:
        self._slices = slices
        self._replied = mmap.mmap(-1, 1)  # shared with the children

    def run(self, operation: Operation, fixed: Fixed, columns: Columns, task: Task) -> None:
        """Run one slice and see to it that there is a reply."""
        self._replied[0] = 0
        started, clock = time.time(), time.perf_counter()
        self._slices.board.write(task[0])
        child = os.fork()
        if child == 0:
            self._run_in_child(operation, fixed, columns, task)
        _, status = os.waitpid(child, 0)
        killed = self._slices.children.end()
        stage = self._slices.stage
        if not self._replied[0]:
            self._slices.logs.restore()
            error = _death(os.waitstatus_to_exitcode(status), operation.where)
            files = stage.keep(task[1], operation.options.selection)
            told = (("error", error), ("files", files), ("children", killed))
            extra = {name: what for name, what in told if what}
            self._slices.reply(task[0], "null", started, time.perf_counter() - clock, extra)
            stage.sweep()
        elif stage.touched():
            stage.reset()

    def _run_in_child(self, operation: Operation, fixed: Fixed, columns: Columns, task: Task) -> None:
        code = 1
        try:
            self._slices.children.expect()
            self._slices.run(operation, fixed, columns, task)
            self._replied[0] = 1
            code = 0
        finally:
            os._exit(code)


def _death(returncode: int, where: str) -> Tree:
    """The record of an op whose process ended without a result."""
    ending = report.ending(returncode)
    how = f"was killed by {ending['signal']}" if ending["signal"] else f"ended itself with exit code {returncode}"
    return {
        "type": "",
        "bases": [],
        "message": f"the op's process {how} before the op returned",
        "traceback": where,
        "kind": "died",
        "fatal": False,
        "transient": False,
        **ending,
    }
