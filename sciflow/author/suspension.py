"""`suspend`: a node that waits until somebody resumes the run."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from sciflow.author.active import TRACER
from sciflow.author.annotation import UnfitAnnotation, type_of
from sciflow.author.location import user_place
from sciflow.core.ports import ANY, NONE, Type
from sciflow.errors import InvalidWorkflow, Problem

T = TypeVar("T")


@overload
def suspend(message: str = "", *, type: type[T], name: str = "suspend") -> T: ...


@overload
def suspend(message: str = "", *, type: None = None, name: str = "suspend") -> None: ...


def suspend(message: str = "", *, type: Any = None, name: str = "suspend") -> Any:  # noqa: A002  reads as `type=int`
    """Wait until the run is resumed; with `type`, for a value of that type, which is given at the resume.

    Raises:
        InvalidWorkflow: not inside a workflow.
    """
    from sciflow.author.tracer import GraphTracer

    tracer = TRACER.get()
    where = user_place()
    if isinstance(tracer, GraphTracer):
        return tracer.suspend(message, _output(type, tracer, where), name, where)
    if tracer is not None:  # under a condition that does not hold
        return None
    what = "suspend() waits for somebody to resume a run, and here is none"
    raise InvalidWorkflow(
        [
            Problem(
                where=where,
                what=what,
                expected="a call inside a workflow that is run",
                found="a plain call",
                fix="call the workflow's .run(...) or .submit(...)",
            )
        ]
    )


def _output(annotation: Any, tracer: Any, where: str) -> Type:
    try:
        return NONE if annotation is None else type_of(annotation)
    except UnfitAnnotation as unfit:
        tracer.say(
            where,
            "the value given at the resume cannot be of that type",
            "a type that travels",
            str(annotation),
            unfit.fix,
        )
        return ANY
