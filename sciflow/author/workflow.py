"""`workflow`: a function that wires ops together.

Standard library only and clean for Python 3.9: user modules import it wherever their ops run.
"""

from __future__ import annotations

from sciflow.author.options import CALL_ONLY, RUN_NAMES, RUN_ONLY, WORKFLOW_NAMES, check_names
from sciflow.author.verbs import P, R_co, Verbs

TYPE_CHECKING = False
if not TYPE_CHECKING:
    from sciflow.author.untyped import overload
else:
    from collections.abc import Mapping
    from typing import Any, Callable, TypeVar, Unpack, overload

    from sciflow.author.options import WorkflowOptions
    from sciflow.core.graph import WorkflowSpec

    R = TypeVar("R")


class Workflow(Verbs[P, R_co]):
    """A graph of ops, written as a function that is traced and never run as such.

    `on_exit` is called once when a run of it has ended, with `phase`; `timeout_s` and `parallelism` hold for the whole.
    """

    run_names = RUN_NAMES
    run_only = RUN_ONLY
    call_only = CALL_ONLY

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        fixed: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        on_exit: Verbs[..., Any] | None = None,
        timeout_s: float | None = None,
        parallelism: int | None = None,
    ) -> None:
        super().__init__(function, fixed=fixed, settings=settings)
        self.on_exit = on_exit
        self.timeout_s = timeout_s
        self.parallelism = parallelism

    def partial(self, **fixed: Any) -> Workflow[..., R_co]:
        """The workflow with some arguments given, the same for every slice of a `map`."""
        made: Workflow[..., R_co] = self._with(fixed=fixed, settings={})
        return made

    @overload
    def options(self, *, min_success: float, **options: Unpack[WorkflowOptions]) -> Workflow[P, R_co | None]: ...

    @overload
    def options(self, **options: Unpack[WorkflowOptions]) -> Workflow[P, R_co]: ...

    def options(self, **options: Any) -> Any:
        """The workflow with settings for its runs, or, inside another workflow, for the node that a call makes.

        Raises:
            InvalidWorkflow: no such option.
        """
        check_names(options, WORKFLOW_NAMES, "a workflow")
        return self._with(fixed={}, settings=options)

    def spec(self) -> WorkflowSpec:
        """The workflow as plain records, traced and checked.

        Raises:
            InvalidWorkflow: every mistake that was found, with its place.
        """
        from sciflow.author.launch import spec_of

        return spec_of(self)

    def _more(self) -> dict[str, Any]:
        return {"on_exit": self.on_exit, "timeout_s": self.timeout_s, "parallelism": self.parallelism}

    def __repr__(self) -> str:
        return f"<workflow {self.__module__}.{self.__qualname__}>"


@overload
def workflow(function: Callable[P, R], /) -> Workflow[P, R]: ...


@overload
def workflow(
    *, on_exit: Verbs[..., Any] | None = None, timeout_s: float | None = None, parallelism: int | None = None
) -> Callable[[Callable[P, R]], Workflow[P, R]]: ...


def workflow(
    function: Any = None,
    /,
    *,
    on_exit: Verbs[..., Any] | None = None,
    timeout_s: float | None = None,
    parallelism: int | None = None,
) -> Any:
    """Make a function a workflow, bare or with settings: `@workflow`, `@workflow(on_exit=notify, timeout_s=3600)`.

    `on_exit` is an op or workflow with an input `phase: str`. Calls of ops in the function make nodes; the function is
    traced once, with references for its arguments.
    """

    def decorate(decorated: Callable[P, R]) -> Workflow[P, R]:
        return Workflow(decorated, on_exit=on_exit, timeout_s=timeout_s, parallelism=parallelism)

    return decorate if function is None else decorate(function)
