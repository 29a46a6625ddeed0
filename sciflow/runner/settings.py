"""Settings that live in modules: random numbers, warnings, logging, locale, decimal, limits, numpy's.

A guard takes what it finds as the state to go back to; of a module that a slice itself has imported, what is there
right after the import.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` makes enums of all numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Mapping


class Guard:
    """Looks after the settings of one module."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def accept(self) -> None:
        """Take the present state as the one to go back to."""

    def assume(self) -> None:
        """Take the state of a module that has just been imported as the one to go back to."""
        self.accept()

    def begin(self, seed: int) -> None:
        """A slice begins."""

    def restore(self) -> None:
        """A slice has ended."""


class Signals(Guard):
    """Handlers, timers and the mask of blocked signals."""

    def accept(self) -> None:
        numbers = {int(number) for number in _signal.valid_signals()}
        self._numbers = tuple(sorted(number for number in numbers - {9, 19} if number < 32))
        self._handlers = tuple(map(_signal.getsignal, self._numbers))
        self._blocked = _signal.pthread_sigmask(_signal.SIG_BLOCK, ())

    def restore(self) -> None:
        for timer in (_signal.ITIMER_REAL, _signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF):
            _signal.setitimer(timer, 0)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, self._blocked)
        if tuple(map(_signal.getsignal, self._numbers)) != self._handlers:
            for number, handler in zip(self._numbers, self._handlers):
                if handler is not None and _signal.getsignal(number) != handler:
                    _signal.signal(number, handler)


class Random(Guard):
    """Seeded for each slice, so that its numbers do not depend on what ran before it."""

    def begin(self, seed: int) -> None:
        self.module.seed(seed)


class Numpy(Guard):
    """The old global generator, and what happens on a division by zero."""

    def accept(self) -> None:
        self._errors = self.module.geterr()
        self._print_options = self.module.get_printoptions()

    def assume(self) -> None:
        self.accept()
        self._errors = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}

    def begin(self, seed: int) -> None:
        self.module.random.seed(seed & 0xFFFFFFFF)

    def restore(self) -> None:
        if self.module.geterr() != self._errors:
            self.module.seterr(**self._errors)
        if self.module.get_printoptions() != self._print_options:
            self.module.set_printoptions(**self._print_options)


class Warnings(Guard):
    """Filters, and who shows a warning."""

    def accept(self) -> None:
        self._filters = self.module.filters[:]
        self._list = self.module.filters
        self._show = self.module.showwarning

    def restore(self) -> None:
        if self.module.filters is not self._list or self.module.filters != self._filters:
            self.module.filters = self._list
            self._list[:] = self._filters
        # modules forget what they have warned of: a warning is shown once a slice, not once a worker
        getattr(self.module, "_filters_mutated", getattr(self.module, "_filters_mutated_lock_held", int))()
        if self.module.showwarning is not self._show:
            self.module.showwarning = self._show


class Logging(Guard):
    """Level, handlers, filters and switches of every logger; one made by the slice goes back to a new logger's."""

    def accept(self) -> None:
        self._disabled = self.module.root.manager.disable
        self._states = {None: self._state(self.module.root), **self._all()}

    def assume(self) -> None:
        self._disabled = 0
        self._states = {None: (self.module.WARNING, [], [], True, False)}

    def _all(self) -> dict[Any, Any]:
        loggers = self.module.root.manager.loggerDict
        kind = self.module.Logger
        return {name: self._state(logger) for name, logger in loggers.items() if isinstance(logger, kind)}

    @staticmethod
    def _state(logger: Any) -> tuple[Any, ...]:
        return logger.level, logger.handlers[:], logger.filters[:], logger.propagate, logger.disabled

    def restore(self) -> None:
        root = self.module.root
        if self._state(root) != self._states[None]:
            self._put_back(root, self._states[None])
        for name, state in self._all().items():
            # a library's own NullHandler stays: it is put there once, when the library is imported
            silent = [handler for handler in state[1] if type(handler) is self.module.NullHandler]
            before = self._states.get(name, (0, silent, [], True, False))
            if state != before:
                self._put_back(self.module.getLogger(name), before)
        root.manager.disable = self._disabled

    def _put_back(self, logger: Any, state: tuple[Any, ...]) -> None:
        added = [handler for handler in logger.handlers if handler not in state[1]]
        logger.setLevel(state[0])  # also forgets what it has worked out from levels
        logger.handlers[:], logger.filters[:], logger.propagate, logger.disabled = state[1:]
        for handler in added:
            handler.close()


class Locale(Guard):
    """How numbers are written by `%n` and C."""

    def accept(self) -> None:
        self._locale = self.module.setlocale(self.module.LC_ALL)

    def restore(self) -> None:
        if self.module.setlocale(self.module.LC_ALL) != self._locale:
            self.module.setlocale(self.module.LC_ALL, self._locale)


class Decimal(Guard):
    """Precision and rounding."""

    def accept(self) -> None:
        self._context = self.module.getcontext().copy()

    def assume(self) -> None:
        self._context = self.module.DefaultContext.copy()

    def restore(self) -> None:
        context = self.module.getcontext()
        if repr(context) != repr(self._context):
            self.module.setcontext(self._context.copy())


class Limits(Guard):
    """Soft limits of the process; a hard one cannot be raised again."""

    def accept(self) -> None:
        names = [name for name in dir(self.module) if name.startswith("RLIMIT_")]
        self._numbers = sorted({getattr(self.module, name) for name in names})
        self._limits = [self.module.getrlimit(number) for number in self._numbers]

    def restore(self) -> None:
        for number, (soft, hard) in zip(self._numbers, self._limits):
            now = self.module.getrlimit(number)
            if now != (soft, hard):
                self.module.setrlimit(number, (soft if now[1] == hard else min(soft, now[1]), now[1]))


class Collector(Guard):
    """Whether garbage is collected."""

    def accept(self) -> None:
        self._state = (self.module.isenabled(), self.module.get_threshold())

    def restore(self) -> None:
        enabled, thresholds = self._state
        if self.module.isenabled() != enabled:
            (self.module.enable if enabled else self.module.disable)()
        if self.module.get_threshold() != thresholds:
            self.module.set_threshold(*thresholds)


GUARDS: Mapping[str, Callable[[Any], Guard]] = {
    "signal": Signals,
    "random": Random,
    "numpy": Numpy,
    "warnings": Warnings,
    "logging": Logging,
    "locale": Locale,
    "decimal": Decimal,
    "resource": Limits,
    "gc": Collector,
}
