"""What an op may change about its process, and how it is put back before the next slice.

Only what has been changed is touched: on the usual path every check is one comparison. A setting that lives in a
module is looked at only once that module has been imported.
"""

from __future__ import annotations

import _signal
import os
import sys

from sciflow.runner.settings import GUARDS, Guard

_SIGNALS = tuple(sorted(int(n) for n in _signal.valid_signals() if n not in (9, 19) and n < 32))
_TIMERS = (_signal.ITIMER_REAL, _signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF)


class Surroundings:
    """The state of the process between two slices."""

    def __init__(self) -> None:
        self._guards: dict[str, Guard] = {}
        self._module_count = 0
        self.accept()

    def accept(self) -> None:
        """Take the present state as the one to go back to: an op's module has been imported."""
        self._umask = os.umask(0o022)
        os.umask(self._umask)
        self._handlers = tuple(map(_signal.getsignal, _SIGNALS))
        self._blocked = _signal.pthread_sigmask(_signal.SIG_BLOCK, ())
        self._environment = os.environ
        self._variables = dict(vars(os.environ)["_data"])
        self._path = sys.path
        self._path_entries = sys.path[:]
        self._argv = sys.argv
        self._arguments = sys.argv[:]
        self._recursion_limit = sys.getrecursionlimit()
        self._main = sys.modules.get("__main__")
        self._hooks = (sys.excepthook, sys.displayhook, sys.gettrace(), sys.getprofile())
        self._watch_modules()
        for guard in self._guards.values():
            guard.accept()

    def begin(self, seed: int) -> None:
        """Make the slice's random numbers its own."""
        if len(sys.modules) != self._module_count:
            self._watch_modules()
        for guard in self._guards.values():
            guard.begin(seed)

    def restore(self) -> None:
        """Put back what the slice has changed."""
        os.umask(self._umask)
        for timer in _TIMERS:
            _signal.setitimer(timer, 0)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, self._blocked)
        if tuple(map(_signal.getsignal, _SIGNALS)) != self._handlers:
            self._restore_handlers()
        if os.environ is not self._environment or vars(os.environ)["_data"] != self._variables:
            self._restore_environment()
        if sys.path is not self._path or sys.path != self._path_entries:
            sys.path, sys.path[:] = self._path, self._path_entries
        if sys.argv is not self._argv or sys.argv != self._arguments:
            sys.argv, sys.argv[:] = self._argv, self._arguments
        if (sys.excepthook, sys.displayhook, sys.gettrace(), sys.getprofile()) != self._hooks:
            sys.excepthook, sys.displayhook = self._hooks[:2]
            sys.settrace(self._hooks[2])
            sys.setprofile(self._hooks[3])
        if sys.getrecursionlimit() != self._recursion_limit:
            sys.setrecursionlimit(self._recursion_limit)
        if len(sys.modules) != self._module_count:
            self._watch_modules()
        for guard in self._guards.values():
            guard.restore()

    def _restore_handlers(self) -> None:
        for number, handler in zip(_SIGNALS, self._handlers):
            if handler is not None and _signal.getsignal(number) != handler:
                _signal.signal(number, handler)

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
        self._module_count = len(sys.modules)
        if self._main is not None:
            sys.modules["__main__"] = self._main
        for name, make in GUARDS.items():
            if name in sys.modules and name not in self._guards:
                self._guards[name] = make(sys.modules[name])
                self._guards[name].assume()
