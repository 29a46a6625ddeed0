"""`op`: a typed function as a unit of work.

Standard library only and clean for Python 3.9: user modules import it wherever their ops run.
"""

from __future__ import annotations

from sciflow.author.options import NODE_NAMES, OP_NAMES, OP_RUN_NAMES, OP_RUN_ONLY, check_names
from sciflow.author.verbs import P, R_co, Verbs

TYPE_CHECKING = False
if not TYPE_CHECKING:
    from sciflow.author.untyped import overload
else:
    from typing import Any, Callable, TypeVar, Unpack, overload

    from sciflow.author.options import NodeOptions, OpOptions

    R = TypeVar("R")


class Op(Verbs[P, R_co]):
    """A unit of work. Called outside a workflow it is its function; inside, a call makes a node."""

    run_names = OP_RUN_NAMES
    run_only = OP_RUN_ONLY

    def partial(self, **fixed: Any) -> Op[..., R_co]:
        """The op with some arguments given, the same for every slice of a `map`."""
        made: Op[..., R_co] = self._with(fixed=fixed, settings={})
        return made

    @overload
    def options(self, *, min_success: float, **options: Unpack[NodeOptions]) -> Op[P, R_co | None]: ...

    @overload
    def options(self, **options: Unpack[NodeOptions]) -> Op[P, R_co]: ...

    def options(self, **options: Any) -> Any:
        """The op with policy and place set for the calls made through it, or with `runs`, `workers`, ... for its runs.

        `min_success` (a count, or a ratio up to 1.0) lets a fan go on with failed slices: their results are None.

        Raises:
            InvalidWorkflow: no such option.
        """
        check_names(options, NODE_NAMES, "an op")
        return self._with(fixed={}, settings=options)

    def __repr__(self) -> str:
        return f"<op {self.__module__}.{self.__qualname__}>"


@overload
def op(function: Callable[P, R], /) -> Op[P, R]: ...


@overload
def op(**options: Unpack[OpOptions]) -> Callable[[Callable[P, R]], Op[P, R]]: ...


def op(function: Any = None, /, **options: Any) -> Any:
    """Make a function an op, bare or with options: `@op`, `@op(retries=2, timeout_s=600)`.

    Every parameter and the result need annotations: they are what values are checked against.

    Raises:
        InvalidWorkflow: no such option.
    """
    check_names(options, OP_NAMES, "@op")
    if function is not None:
        return Op(function)

    def decorate(decorated: Callable[P, R]) -> Op[P, R]:
        return Op(decorated, settings=options)

    return decorate
