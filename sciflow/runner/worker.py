"""The loop of a worker: requests in, slices run, replies out."""

from __future__ import annotations

import gc
import os
import sys

from sciflow.runner import loader, report
from sciflow.runner.channel import Board, Replies, Requests
from sciflow.runner.children import Children
from sciflow.runner.logs import Logs
from sciflow.runner.operation import Operation, Options
from sciflow.runner.packs import Pack
from sciflow.runner.slices import Slices, Task
from sciflow.runner.stage import Stage
from sciflow.runner.surroundings import Surroundings
from sciflow.runner.types import signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping

    Tree = Any


class Worker:
    """A process that runs ops for one engine until the requests end."""

    def __init__(self, requests: Requests, replies: Replies, board: Board, hello: Mapping[str, Any]) -> None:
        self._requests = requests
        self._replies = replies
        self._root: str = hello["root"]
        self._main: str | None = hello.get("main")
        sys.path[:] = [*hello["sys_path"], *(entry for entry in sys.path if entry not in hello["sys_path"])]
        sys.argv[:] = hello["argv"]
        self._stage = Stage(self._root, hello["scratch"])
        self._pack = Pack(self._stage.root, hello["pack"], inline_bytes=hello.get("inline_bytes", 4096))
        self._surroundings = Surroundings()
        self._slices = Slices(
            replies=replies,
            board=board,
            stage=self._stage,
            pack=self._pack,
            surroundings=self._surroundings,
            children=Children(),
            logs=Logs(),
            host=hello.get("host") or {},
        )
        self._operations: dict[int, Operation] = {}
        self._problems: dict[int, Tree] = {}

    def serve(self) -> None:
        """Answer requests until there are no more."""
        while True:
            request = self._requests.next()
            if request is None:
                return
            if "do" in request:
                self._do(request)
            else:
                self._load(request)

    def _load(self, request: Mapping[str, Any]) -> None:
        """Take an op's code, and tell whether that worked."""
        number = request["op"]
        parts: dict[str, str] | None = None
        try:
            function = loader.load(request["code"], root=self._root, main=self._main)
            options = Options(request.get("options") or {})
            made = Operation(function, signature(function), options, pack=self._pack, stage=self._stage)
            self._operations[number] = made
            if request.get("identity"):
                from sciflow.runner.identity import identity

                parts = identity(function)
        except BaseException as error:  # noqa: BLE001  the user's module may raise anything, SystemExit too
            self._problems[number] = report.failure(error, kind="code")
        self._stage.reset()  # a module may do things while it is imported
        self._surroundings.accept()
        gc.collect()
        gc.freeze()  # what is loaded now stays: it need not be looked at again, nor copied by a fork
        self._replies.loaded(number, parts, self._problems.get(number))

    def _do(self, request: Mapping[str, Any]) -> None:
        """Run slices of one op."""
        number = request["do"]
        tasks = [Task(*row) for row in request["tasks"]]
        operation = self._operations.get(number)
        if operation is None:
            problem = self._problems.get(number)
            self._refuse(tasks, problem)
            return
        try:
            fixed = operation.fixed(request["fixed"])
            columns = [(name, operation.port(name)) for name in request["columns"]]
        except Exception as error:  # noqa: BLE001
            self._refuse(tasks, report.failure(error, where=operation.where))
            return
        for task in tasks:
            self._slices.run(operation, fixed, columns, task)

    def _refuse(self, tasks: list[Task], problem: Tree) -> None:
        phase = "Error" if problem["kind"] in ("code", "place") else "Failed"
        for task in tasks:
            import time

            self._slices.reply(task, phase, "null", time.time(), 0.0, {"error": problem})


def serve(*, requests: int, replies: int, board: int) -> None:
    """Serve on the descriptors that the engine has handed over."""
    for fd in (requests, replies, board):
        os.set_inheritable(fd, False)
    incoming = Requests(requests)
    hello = incoming.next()
    if hello is None:
        return
    Worker(incoming, Replies(replies), Board(board), hello["hello"]).serve()
