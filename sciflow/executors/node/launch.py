"""Stands for `sciflow.author.launch`, `sciflow.engine.api` and `sciflow.engine.handle`: no run starts where ops run.

A script that starts or opens one outside of its `if __name__ == "__main__"` block has defined its ops above that line.
"""

from __future__ import annotations

from typing import Any, Generic, NoReturn, TypeVar

from sciflow.errors import SciflowError
from sciflow.runner.loader import refuse_run

T = TypeVar("T")


def _refuse(what: str) -> NoReturn:
    refuse_run()
    raise SciflowError(
        f"{what} needs sciflow's engine, which is not on the machine where ops run: do it where the run was started"
    )


def run(*_: Any) -> NoReturn:
    """Refused."""
    _refuse("run()")


def submit(*_: Any) -> NoReturn:
    """Refused."""
    _refuse("submit()")


def plan(*_: Any) -> NoReturn:
    """Refused."""
    _refuse("plan()")


def deploy(*_: Any) -> NoReturn:
    """Refused."""
    _refuse("deploy()")


def spec_of(*_: Any) -> NoReturn:
    """Refused."""
    _refuse("spec()")


def open_run(*_: Any, **__: Any) -> NoReturn:
    """Refused."""
    _refuse("open_run()")


def list_runs(*_: Any, **__: Any) -> NoReturn:
    """Refused."""
    _refuse("list_runs()")


def adopt(*_: Any, **__: Any) -> NoReturn:
    """Refused."""
    _refuse("adopt()")


def run_here(*_: Any) -> NoReturn:
    """Refused."""
    _refuse("calling a command outside of a workflow")


class Run(Generic[T]):
    """A name for annotations."""

    def __init__(self, *_: Any, **__: Any) -> None:
        _refuse("Run")
