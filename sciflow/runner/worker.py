"""The loop of a worker: requests in, slices run, replies out."""

from __future__ import annotations

import gc
import os
import sys
import time

from sciflow.runner import loader, operation, report
from sciflow.runner.channel import Board, Replies, Requests
from sciflow.runner.children import Children
from sciflow.runner.failures import OpError
from sciflow.runner.logs import Logs
from sciflow.runner.operation import Operation, Options
from sciflow.runner.packs import Pack
from sciflow.runner.slices import Slices
from sciflow.runner.stage import Stage
from sciflow.runner.surroundings import Surroundings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Mapping, Sequence

    from sciflow.runner.isolation import Isolation
    from sciflow.runner.operation import Fixed
    from sciflow.runner.program import Elsewhere
    from sciflow.runner.slices import Columns, Task

    Tree = Any


class Worker:
    """A process that runs ops for one engine until the requests end."""

    def __init__(self, requests: Requests, replies: Replies, board: Board, hello: Mapping[str, Any]) -> None:
        self._requests = requests
        self._replies = replies
        self._root: str = hello["root"]
        self._main: str | None = hello.get("main")
        self._elsewhere: Elsewhere | None = hello.get("elsewhere")
        here = ("", os.getcwd())  # the folder that `python -m` was started in is no place of the user's code
        sys.path[:] = [*hello["sys_path"], *(e for e in sys.path if e not in hello["sys_path"] and e not in here)]
        sys.argv[:] = hello["argv"]
        self._stage = Stage(self._root, hello["scratch"], at=hello.get("at"))
        self._pack = Pack(self._stage.root, hello["pack"], inline_bytes=hello.get("inline_bytes", 4096))
        logs, children = Logs(), Children()
        self._surroundings = Surroundings(lambda: _look_at_modules(logs, children))
        self._slices = Slices(
            replies=replies,
            board=board,
            stage=self._stage,
            pack=self._pack,
            surroundings=self._surroundings,
            children=children,
            logs=logs,
            host=hello.get("host") or {},
            resumed=bool(hello.get("resumed")),
        )
        self._isolation: Isolation | None = None
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
            parts = self._make(number, request)
        except BaseException as error:  # noqa: BLE001  the user's module may raise anything, SystemExit too
            self._problems[number] = report.failure(error, kind="code")
        self._stage.reset()  # a module may do things while it is imported
        self._surroundings.accept()
        gc.collect()
        gc.freeze()  # what is loaded now stays: it need not be looked at again, nor copied by a fork
        self._replies.loaded(number, parts, self._problems.get(number))

    def _make(self, number: int, request: Mapping[str, Any]) -> dict[str, str] | None:
        options = Options(request.get("options") or {})
        if request["code"].get("type") == "program":
            self._operations[number] = operation.of_program(
                request, options, pack=self._pack, stage=self._stage, elsewhere=self._elsewhere
            )
            return None
        function = loader.load(request["code"], root=self._root, main=self._main)
        self._operations[number] = operation.of_function(function, options, pack=self._pack, stage=self._stage)
        if not request.get("identity"):
            return None
        from sciflow.runner.identity import identity

        return identity(function)

    def _do(self, request: Mapping[str, Any]) -> None:
        """Run slices of one op."""
        number = request["do"]
        tasks = request["tasks"]
        op = self._operations.get(number)
        if op is None:
            self._refuse(tasks, self._problems[number])
            return
        try:
            fixed = op.fixed(request["fixed"])
            columns = [(name, op.port(name)) for name in request["columns"]]
        except OpError as error:
            self._refuse(tasks, report.failure(error, where=op.where))
            return
        run = self._isolated() if op.options.isolate else self._slices.run
        for task in tasks:
            run(op, fixed, columns, task)

    def _isolated(self) -> Callable[[Operation, Fixed, Columns, Task], None]:
        if self._isolation is None:
            from sciflow.runner.isolation import Isolation

            self._isolation = Isolation(self._slices)
        return self._isolation.run

    def _refuse(self, tasks: list[Any], problem: Tree) -> None:
        self._slices.logs.restore()
        for task in tasks:
            self._slices.reply(task[0], "null", time.time(), 0.0, {"error": problem})


def _look_at_modules(logs: Logs, children: Children) -> None:
    """Modules have been imported; C code among them may print and start processes without Python's knowledge."""
    own = os.path.dirname(os.__file__) + os.sep  # the standard library, with site-packages in it
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None) or ""
        if file.endswith((".so", ".pyd", ".dylib")) and ("-packages" in file or not file.startswith(own)):
            logs.watch_c()
            children.expect()
            return


def serve(*, requests: int, replies: int, board: int) -> None:
    """Serve on the descriptors that the engine has handed over."""
    for fd in (requests, replies, board):
        os.set_inheritable(fd, False)
    import typing  # noqa: F401  nearly every module with ops needs it, and the engine has not spoken yet

    incoming = Requests(requests)
    hello = incoming.next()
    if hello is None:
        return
    _write_to(hello["hello"].get("logs") or ())
    Worker(incoming, Replies(replies), Board(board), hello["hello"]).serve()


def _write_to(logs: Sequence[str]) -> None:
    """Let what is printed go to these files; a worker that was started ahead of its run did not know them."""
    for fd, path in enumerate(logs, 1):
        own = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(own, fd)
        os.close(own)
