"""A function that stands for the signature of a command that was declared without one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypedDict

from sciflow.author.program import Declaration

_GLOB = frozenset("*?[")


def stub_of(declaration: Declaration, inputs: Mapping[str, Any]) -> Callable[..., Any]:
    """A function with these inputs, and a result of what the declaration says is left."""

    def stub(**_: Any) -> Any:
        """Never called: the program is run in its place."""

    result = _result(declaration)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind, annotation=annotation) for name, annotation in inputs.items()]
    stub.__signature__ = inspect.Signature(parameters, return_annotation=result)  # type: ignore[attr-defined]
    stub.declared_at = declaration.where  # type: ignore[attr-defined]
    stub.__annotations__ = {**inputs, "return": result}
    stub.__name__ = stub.__qualname__ = PurePosixPath(declaration.argv[0]).stem
    return stub


def _result(declaration: Declaration) -> Any:
    outputs = {"result": declaration.outputs} if isinstance(declaration.outputs, str) else declaration.outputs
    fields: dict[str, Any] = {
        name: list[Path] if _GLOB.intersection(file) else Path for name, file in outputs.items() if file
    }
    if declaration.stdout and declaration.stdout not in fields:
        fields[declaration.stdout] = str
    if not fields:
        return str
    if len(fields) == 1:
        return next(iter(fields.values()))
    return TypedDict("Outputs", fields)  # type: ignore[operator]
