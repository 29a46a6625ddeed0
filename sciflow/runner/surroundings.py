"""What an op may change about its process, and how it is put back before the next slice.

Only what has been changed is touched: on the usual path every check is one comparison. A setting that lives in a
module is looked at only once that module has been imported.
"""

from __future__ import annotations

import os
import sys

from sciflow.runner.settings import GUARDS, Guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


class Surroundings:
    """The state of the process between two slices."""

    def __init__(self, on_import: Callable[[], None]) -> None:
        """`on_import` is called when modules have been imported since it was called last."""
        self._on_import = on_import
        self._guards: dict[str, Guard] = {}
        self._begin: list[Guard] = []
        self._module_count = 0
        self.accept()

    def accept(self) -> None:
        """Take the present state as the one to go back to: an op's module has been imported."""
        self._umask = os.umask(0o022)
        os.umask(self._umask)
        self._environment = os.environ
        self._variables = dict(vars(os.environ)["_data"])
        self._path = sys.path
        self._path_entries = sys.path[:]
        self._argv = sys.argv
        self._arguments = sys.argv[:]
        self._interpreter = _interpreter()
        self._watch_modules()
        for guard in self._guards.values():
            guard.accept()

    def begin(self, seed: int) -> None:
        """Make the slice's random numbers its own."""
        if len(sys.modules) != self._module_count:
            self._watch_modules()
        for guard in self._begin:
            guard.begin(seed)

    def restore(self) -> None:
        """Put back what the slice has changed."""
        os.umask(self._umask)
        if os.environ is not self._environment or vars(os.environ)["_data"] != self._variables:
            self._restore_environment()
        self._restore_lists()
        if _interpreter() != self._interpreter:
            self._restore_interpreter()
        if len(sys.modules) != self._module_count:
            self._watch_modules()
        for guard in self._guards.values():
            guard.restore()

    def _restore_lists(self) -> None:
        if sys.path != self._path_entries or sys.path is not self._path:
            sys.path, self._path[:] = self._path, self._path_entries
        if sys.argv != self._arguments or sys.argv is not self._argv:
            sys.argv, self._argv[:] = self._argv, self._arguments

    def _restore_interpreter(self) -> None:
        sys.excepthook, sys.displayhook, trace, profile, limit, main = self._interpreter
        sys.settrace(trace)
        sys.setprofile(profile)
        sys.setrecursionlimit(limit)
        sys.modules["__main__"] = main

    def _restore_environment(self) -> None:
        os.environ = self._environment  # noqa: B003  an op may have put another mapping in its place
        decode = os.fsdecode
        expected = {decode(name): decode(value) for name, value in self._variables.items()}
        for name in set(os.environ) - set(expected):
            del os.environ[name]
        for name, value in expected.items():
            if os.environ.get(name) != value:
                os.environ[name] = value

    def _watch_modules(self) -> None:
        for name, make in GUARDS.items():
            if name in sys.modules and name not in self._guards:
                guard = self._guards[name] = make(sys.modules[name])
                guard.assume()
        self._begin = [guard for guard in self._guards.values() if type(guard).begin is not Guard.begin]
        self._on_import()
        self._module_count = len(sys.modules)


def _interpreter() -> tuple[Any, ...]:
    main = sys.modules.get("__main__")
    return sys.excepthook, sys.displayhook, sys.gettrace(), sys.getprofile(), sys.getrecursionlimit(), main
