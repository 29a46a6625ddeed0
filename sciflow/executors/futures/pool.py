"""A pool of `concurrent.futures`: made by a function of the user's, and made again when it has broken down."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, TypeAlias

from sciflow.errors import ConfigError, QueueUnavailable, SciflowError
from sciflow.executors.capacity import core_count

Ended: TypeAlias = "Future[subprocess.CompletedProcess[bytes]]"


class Pool:
    """Starts processes by way of a pool."""

    def __init__(self, factory: str, arguments: Mapping[str, Any], *, sys_path: Sequence[str], where: str) -> None:
        """`factory` is "module:name"; `sys_path`: where the user's own modules are looked for, too; `where`: its table.

        Raises:
            ConfigError: there is no such function, or it makes no pool.
        """
        self._factory = factory
        self._arguments = arguments
        self._sys_path = sys_path
        self._where = where
        self._stack = ExitStack()
        self._pool = self._made()

    @property
    def workers(self) -> int:
        """How many processes it runs at once, as far as it says; else the cores here."""
        size = getattr(self._pool, "_max_workers", None)
        if isinstance(size, int):
            return size
        cores = getattr(getattr(self._pool, "_client", None), "ncores", None)
        return max(1, sum(cores().values())) if callable(cores) else core_count()

    def start(self, argv: Sequence[str], told: bytes) -> Ended:
        """Has a worker of the pool run a program; `told` is its standard input.

        What the pool carries is a function of the standard library: its workers need nothing of ours.

        Raises:
            QueueUnavailable: it takes nothing now.
        """
        call: partial[subprocess.CompletedProcess[bytes]] = partial(
            subprocess.run, list(argv), input=told, text=False, check=False
        )
        try:
            try:
                return self._pool.submit(call)
            except RuntimeError:  # it was shut down, or has broken down
                self.renew()
                return self._pool.submit(call)
        except Exception as error:  # the pool is the user's own
            raise QueueUnavailable(f"the pool takes no task: {type(error).__name__}: {error}".rstrip(": ")) from error

    def renew(self) -> None:
        """Makes it anew."""
        self.close()
        self._pool = self._made()

    def close(self) -> None:
        """Gives it back; what runs in it is not waited for."""
        with suppress(Exception):  # whatever a broken one says
            try:
                self._pool.shutdown(wait=False, cancel_futures=True)
            except TypeError:  # not all of them know both
                self._pool.shutdown(wait=False)
        with suppress(Exception):
            self._stack.close()

    def _made(self) -> Executor:
        try:
            made = self._function()(**self._arguments)
            if not hasattr(made, "submit") and hasattr(made, "__enter__"):
                made = self._stack.enter_context(made)
        except SciflowError:
            raise
        except Exception as error:
            raise self._refusal(f"made no pool: {_cause(error)}", "correct `factory` and `arguments`") from error
        if not hasattr(made, "submit"):
            fix = "give back an executor of concurrent.futures, or a context manager of one"
            raise self._refusal(f"made a {type(made).__name__}, which has no `submit`", fix)
        return made  # type: ignore[no-any-return]

    def _function(self) -> Any:
        module, _, name = self._factory.partition(":")
        if not (module and name):
            raise self._refusal("names no function", 'write "module:name"')
        before = sys.path[:]
        sys.path[:] = [*(entry for entry in self._sys_path if entry not in before), *before]
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            fix = "correct the name; a module of your own lies beside the script, or is installed"
            raise self._refusal(f"is not to be had: {error}", fix) from error
        finally:
            sys.path[:] = before

    def _refusal(self, why: str, fix: str) -> ConfigError:
        return ConfigError(f'{self._where}: factory = "{self._factory}" {why}\n    fix:      {fix}')


def _cause(error: BaseException) -> str:
    """The error at the bottom: what is above it mostly says only that something did not start."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}".rstrip(": ")
