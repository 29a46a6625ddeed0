"""A function's signature as ports: what it takes, what it gives back, and why it cannot be an op."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from sciflow.author.annotation import UnfitAnnotation, type_of
from sciflow.author.lift import Unencodable, encoded
from sciflow.author.location import place_of
from sciflow.core.expr import Const
from sciflow.core.ports import ANY, Port, Type
from sciflow.errors import Problem

_STARS: Mapping[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """What a call of the function takes: ports by name, and those that may be given by position, in order."""

    where: str
    ports: dict[str, Port] = msgspec.field(default_factory=dict)
    positional: tuple[str, ...] = ()
    position_only: frozenset[str] = frozenset()
    output: Type = ANY
    known: bool = True  # false where it could not be read, which has been said


def read_signature(function: Callable[..., Any], *, of: str, where: str, problems: list[Problem]) -> Signature:
    """The function's signature; what makes it unfit is added to `problems`.

    `of` is "op" or "workflow"; `where` is its first use, for what has no place of its own.
    """
    plain = inspect.unwrap(function)
    if not inspect.isfunction(function) or not inspect.isfunction(plain):
        problems.append(_not_a_function(function, of, where))
        return Signature(where=where, known=False)
    where = getattr(function, "declared_at", None) or place_of(plain.__code__)
    name = title_of(plain)
    problems += _unfit_kinds(plain, where, f"{of} {name}")
    reader = _Reader(where=where, title=f"{of} {name}", hints=resolved_hints(plain, where, problems), problems=problems)
    parameters = [p for p in inspect.signature(plain).parameters.values() if reader.accepts(p)]
    return Signature(
        where=where,
        ports={p.name: reader.port(p) for p in parameters},
        positional=positional(parameters),
        position_only=frozenset(p.name for p in parameters if p.kind is p.POSITIONAL_ONLY),
        output=reader.type_of("return"),
    )


def positional(parameters: Iterable[inspect.Parameter]) -> tuple[str, ...]:
    """The names of those that may be given by position, in order."""
    return tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))


class _Reader(msgspec.Struct, kw_only=True):
    where: str
    title: str
    hints: dict[str, Any] | None  # None: they could not be resolved, which has been said
    problems: list[Problem]

    def accepts(self, parameter: inspect.Parameter) -> bool:
        """Whether the parameter can be a port."""
        stars = _STARS.get(parameter.kind)
        if stars is None:
            return True
        self._add(
            f"{self.title} takes {stars}{parameter.name}",
            expected="named parameters, each a port with a type",
            found=f"{stars}{parameter.name}",
            fix=f"name the parameters, or take one {'list' if stars == '*' else 'dict'}: {parameter.name}: "
            + ("list[...]" if stars == "*" else "dict[str, ...]"),
        )
        return False

    def port(self, parameter: inspect.Parameter) -> Port:
        """The parameter as a port."""
        type_ = self.type_of(parameter.name)
        default = None if parameter.default is parameter.empty else self._default(parameter, type_)
        return Port(name=parameter.name, type=type_, default=default)

    def type_of(self, name: str) -> Type:
        """The type that is annotated for a parameter, or for "return"."""
        if self.hints is None:
            return ANY
        what = "result" if name == "return" else f"parameter {name}"
        if name not in self.hints and name == "self":
            self._add(f"{self.title} is a method", expected="a function", found="a parameter self", fix="move it out")
            return ANY
        if name not in self.hints:
            fix = "annotate it: -> float (or -> None)" if name == "return" else f"annotate it: {name}: float"
            self._add(f"{self.title} has no annotation for its {what}", expected="a type", found="none", fix=fix)
            return ANY
        try:
            return type_of(self.hints[name])
        except UnfitAnnotation as unfit:
            self._add(
                f"values of the {what} of {self.title} cannot travel between processes",
                expected="JSON types, Path, dataclass, NamedTuple, TypedDict, Enum, datetime, numpy array or ase.Atoms",
                found=str(getattr(unfit.annotation, "__qualname__", unfit.annotation)),
                fix=unfit.fix,
            )
            return ANY

    def _default(self, parameter: inspect.Parameter, type_: Type) -> Const | None:
        try:
            return Const(value=encoded(parameter.default, pickled=type_.pickled, present=False))
        except Unencodable as error:
            self._add(
                f"the default of {parameter.name} of {self.title} cannot be written down",
                expected=str(type_), found=error.found, fix="use None as default and make the value inside",
            )  # fmt: skip
            return Const(value=None)

    def _add(self, what: str, *, expected: str, found: str, fix: str) -> None:
        self.problems.append(Problem(where=self.where, what=what, expected=expected, found=found, fix=fix))


def resolved_hints(function: Callable[..., Any], where: str, problems: list[Problem]) -> dict[str, Any] | None:
    """The annotations of a function, with those written as text resolved where the function stands."""
    try:
        return typing.get_type_hints(function, localns=_enclosed(function), include_extras=True)
    except (AttributeError, SyntaxError, TypeError) as error:
        problems.append(
            Problem(
                where=where,
                what=f"an annotation of {title_of(function)} cannot be resolved",
                expected="types",
                found=str(error),
                fix="correct it",
            )
        )
        return None
    except NameError as error:
        found = f"{error.name!r}, which is not known there when the workflow is traced"
        fix = f"import or define {error.name} at the top of the module, not under TYPE_CHECKING or in a function"
        what = f"an annotation of {title_of(function)} cannot be resolved"
        problems.append(Problem(where=where, what=what, expected="names that the module knows", found=found, fix=fix))
        return None


def title_of(function: Callable[..., Any]) -> str:
    """A function's name for messages."""
    return function.__qualname__.rpartition("<locals>.")[2]


def _enclosed(function: Callable[..., Any]) -> dict[str, Any]:
    """The variables that the function takes from functions around it."""
    names = getattr(function, "__code__").co_freevars  # noqa: B009
    cells = getattr(function, "__closure__", None) or ()
    found = {}
    for name, cell in zip(names, cells, strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return {**getattr(function, "__globals__", {}), **found}


def _unfit_kinds(function: Callable[..., Any], where: str, title: str) -> list[Problem]:
    if inspect.isasyncgenfunction(function) or inspect.iscoroutinefunction(function):
        kind, fix = "an async function", "make it `def`; call asyncio.run inside where it needs to await"
    elif inspect.isgeneratorfunction(function):
        kind, fix = "a generator (it has `yield`)", "return a list"
    else:
        return []
    return [
        Problem(
            where=where, what=f"{title} is {kind}", expected="a function that returns its result", found=kind, fix=fix
        )
    ]


def _not_a_function(found: object, of: str, where: str) -> Problem:
    name = getattr(found, "__qualname__", type(found).__qualname__)
    return Problem(
        where=where,
        what=f"{name} cannot be made an {of}" if of == "op" else f"{name} cannot be made a {of}",
        expected="a Python function with annotations",
        found=f"a {type(found).__name__}",
        fix=f"wrap it: @{of} above `def {name.rpartition('.')[2]}_{of}(...) -> ...:` that calls it",
    )
