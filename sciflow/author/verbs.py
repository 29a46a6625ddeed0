"""The verbs that ops and workflows share: call, partial, map, product, run, submit, plan.

Outside a workflow they work on the function itself; inside, they make nodes. Standard library only and clean for
Python 3.9: where an op runs, it just carries its function, and nothing is traced.
"""

from __future__ import annotations

import sys

from sciflow.author.active import TRACER

TYPE_CHECKING = False
if not TYPE_CHECKING:
    from sciflow.author.untyped import Generic, overload

    P = R_co = None
else:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from typing import Any, Callable, Generic, ParamSpec, TypeVar, overload

    from sciflow.core.progress import Plan
    from sciflow.engine.deployment import Deployed
    from sciflow.engine.handle import Run

    P = ParamSpec("P")
    R_co = TypeVar("R_co", covariant=True)


class Verbs(Generic[P, R_co]):
    """A function with the verbs; `fixed` are arguments given by `partial`, `settings` those given by `options`."""

    run_names: frozenset[str] = frozenset()  # settings that a run takes from here
    run_only: frozenset[str] = frozenset()  # settings that a call in a workflow cannot have
    call_only: frozenset[str] = frozenset()  # settings that a run cannot have

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        fixed: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.function = function
        self.fixed: Mapping[str, Any] = {} if fixed is None else fixed
        self.settings: Mapping[str, Any] = {} if settings is None else settings
        self.__wrapped__ = function
        self.__doc__ = function.__doc__
        self.__name__: str = getattr(function, "__name__", type(function).__name__)
        self.__qualname__: str = getattr(function, "__qualname__", self.__name__)
        self.__module__ = function.__module__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function; inside a workflow, make a node of it and give back a reference to its output."""
        tracer = TRACER.get()
        if tracer is not None:
            made: R_co = tracer.call(self, args, kwargs)
            return made
        return self._call_here(*args, **kwargs)

    def _call_here(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        if self.fixed:
            return self.function(*args, **{**self.fixed, **kwargs})
        return self.function(*args, **kwargs)

    def map(self, *lists: Iterable[Any], **named: Iterable[Any]) -> list[R_co]:
        """Call once per element, all lists side by side; results in order.

        Raises:
            ValueError: lists of unequal length (inside a workflow: the node fails, or is refused where known).
        """
        tracer = TRACER.get()
        if tracer is not None:
            made: list[R_co] = tracer.fan(self, "zip", lists, named)
            return made
        from sciflow.author.eager import zipped

        return [self(*args, **kwargs) for args, kwargs in zipped(lists, named)]

    def product(self, *lists: Iterable[Any], **named: Iterable[Any]) -> list[R_co]:
        """Call once per combination of elements, the last list running fastest."""
        tracer = TRACER.get()
        if tracer is not None:
            made: list[R_co] = tracer.fan(self, "product", lists, named)
            return made
        from sciflow.author.eager import crossed

        return [self(*args, **kwargs) for args, kwargs in crossed(lists, named)]

    @overload
    def run(self, *args: P.args, **kwargs: P.kwargs) -> Run[R_co]: ...

    @overload
    def run(self, *args: Any, on: str, **kwargs: Any) -> Run[R_co]: ...

    def run(self, *args: Any, **kwargs: Any) -> Run[R_co]:
        """Run here and now, in this process, and return when it has ended.

        `on` names the executor for all ops that name none themselves; a workflow may have an input of that name, and
        then takes it for that one: `options(executor=...)` is for both.

        Raises:
            InvalidWorkflow: it cannot run as written.
            InvalidInput: the arguments do not fit.
        """
        from sciflow.executors.ahead import worker_ahead
        from sciflow.runner.loader import refuse_run

        refuse_run()
        with worker_ahead():
            from sciflow.author.launch import run  # in the meantime

            return run(self, args, kwargs)

    @overload
    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Run[R_co]: ...

    @overload
    def submit(self, *args: Any, on: str, **kwargs: Any) -> Run[R_co]: ...

    def submit(self, *args: Any, **kwargs: Any) -> Run[R_co]:
        """Start a run that goes on without this process. Takes `on` and raises as `run` does."""
        from sciflow.author.launch import submit
        from sciflow.runner.loader import refuse_run

        refuse_run()
        return submit(self, args, kwargs)

    @overload
    def plan(self, *args: P.args, **kwargs: P.kwargs) -> Plan: ...

    @overload
    def plan(self, *args: Any, on: str, **kwargs: Any) -> Plan: ...

    def plan(self, *args: Any, **kwargs: Any) -> Plan:
        """What a run would do, without running it. Takes `on` and raises as `run` does."""
        from sciflow.author.launch import plan

        return plan(self, args, kwargs)

    def deploy(self, *args: Any, **kwargs: Any) -> Deployed:
        """Make it a template at an executor of type `argo`, from which others start runs; see the page on Argo.

        Inputs given here are what a run takes that is given none. `cron="0 6 * * 1"`: runs are begun at these times, in
        the time zone `timezone`. Takes `on` as `run` does. The name is `options(name=...)`, by default the workflow's.

        Raises:
            InvalidWorkflow: it cannot run there as written.
            InvalidInput: an argument does not fit, or is needed now.
        """
        from sciflow.author.launch import deploy
        from sciflow.runner.loader import refuse_run

        refuse_run()
        return deploy(self, args, kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        """By name where the object itself lies under its name in a module, else its function and settings."""
        module = self.__module__
        if module != "__main__" and find(module, self.__qualname__) is self:
            return find, (module, self.__qualname__)
        return type(self)._rebuild, (  # noqa: SLF001
            self.function,
            dict(self.fixed),
            dict(self.settings),
            self._more(),
        )

    def _more(self) -> dict[str, Any]:
        """Further keyword arguments that make an equal object."""
        return {}

    @classmethod
    def _rebuild(
        cls, function: Callable[P, R_co], fixed: dict[str, Any], settings: dict[str, Any], more: dict[str, Any]
    ) -> Any:
        return cls(function, fixed=fixed, settings=settings, **more)

    def without(self, names: AbstractSet[str]) -> Any:
        """The same but for some settings."""
        kept = {name: value for name, value in self.settings.items() if name not in names}
        return self._rebuild(self.function, dict(self.fixed), kept, self._more())

    def _with(self, *, fixed: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
        return self._rebuild(self.function, {**self.fixed, **fixed}, {**self.settings, **settings}, self._more())


def find(module: str, qualname: str) -> Any:
    """What lies under a dotted name of a module that is or can be imported; None if nothing does."""
    if not sys.modules.get(module):
        __import__(module)
    found: Any = sys.modules[module]
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found
