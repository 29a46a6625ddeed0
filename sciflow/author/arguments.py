"""The arguments of a run as trees, checked against the workflow's inputs."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sciflow.author.lift import Unencodable, encoded
from sciflow.author.reference import Ref
from sciflow.author.signature import positional
from sciflow.author.verbs import Verbs
from sciflow.core.conform import misfit
from sciflow.core.expr import Tree
from sciflow.core.graph import WorkflowSpec, ports_of
from sciflow.core.naming import misnamed, names, with_article
from sciflow.core.ports import NUMBERS, Port
from sciflow.errors import InvalidInput, Problem


def encode_arguments(
    spec: WorkflowSpec,
    target: Verbs[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    where: str,
    whole: bool = True,
) -> dict[str, Tree]:
    """The trees of a run's arguments by port. Not `whole`: those that are missing are given later.

    Raises:
        InvalidInput: every argument that is missing, misspelt, given twice, of a wrong type or not to be found.
    """
    ports = ports_of(spec.templates[spec.entry])
    binding = _Binding(name=spec.name, where=where)
    fixed = {name: value for name, value in target.fixed.items() if name in ports}
    given = binding.given(positional(inspect.signature(target.function).parameters.values()), args, {**fixed, **kwargs})
    binding.check_names(given, ports, whole=whole)
    trees = {name: binding.tree(ports[name], value) for name, value in given.items() if name in ports}
    for port in ports.values():
        if port.name not in given:
            binding.check_default(port)
    if binding.problems:
        raise InvalidInput(binding.problems)
    return trees


class _Binding(msgspec.Struct, kw_only=True):
    """Puts arguments to ports; what is wrong is added to `problems`."""

    name: str
    where: str
    problems: list[Problem] = msgspec.field(default_factory=list)

    def say(self, what: str, *, expected: str, found: str, fix: str) -> None:
        """Note a problem of the call that starts the run."""
        self.problems.append(Problem(where=self.where, what=what, expected=expected, found=found, fix=fix))

    def given(self, positional: tuple[str, ...], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name."""
        if len(args) > len(positional):
            self.say(
                f"{self.name} is given {len(args)} arguments by position",
                expected=f"at most {len(positional)}: {names(positional)}", found=str(len(args)), fix="name the others",
            )  # fmt: skip
        by_position = dict(zip(positional, args, strict=False))
        for name in by_position.keys() & kwargs.keys():
            self.say(f"{self.name} is given {name} twice", expected="one value", found="two", fix="leave one out")
        return {**by_position, **kwargs}

    def check_names(self, given: Mapping[str, Any], ports: Mapping[str, Port], *, whole: bool) -> None:
        """Misspelt and missing arguments; a name that was probably misspelt is not missing as well."""
        wrong = misnamed(given, ports)
        for name, fix in wrong.unknown.items():
            self.say(f"{self.name} has no input {name!r}", expected=names(ports), found=name, fix=fix)
        for name in wrong.missing if whole else ():
            found = f"only {names(given)}" if given else "no arguments"
            self.say(
                f"{self.name} is not given its input {name}",
                expected=f"{name}: {ports[name].type}",
                found=found,
                fix=f"pass {name}=...",
            )

    def tree(self, port: Port, value: Any) -> Tree:
        """The tree of one argument."""
        what = f"input {port.name} of {self.name}"
        if isinstance(value, Ref):
            self.say(
                f"{what} is a reference",
                expected=str(port.type),
                found="a value of a workflow that is being traced",
                fix="call it as a node, without .run or .submit",
            )
            return None
        try:
            tree = encoded(value, pickled=port.type.pickled)
        except Unencodable as error:
            self.say(f"{what} cannot be used", expected=str(port.type), found=error.found, fix=error.fix)
            return None
        wrong = misfit(tree, port.type)
        if wrong is not None:
            self.say(
                f"{what}{wrong.at and ', at ' + wrong.at + ','} does not fit",
                expected=str(wrong.expected),
                found=wrong.found,
                fix=f"did you mean {wrong.near!r}?" if wrong.near else _remedy(value, port),
            )
        return tree

    def check_default(self, port: Port) -> None:
        """Files that a default names have to be there by now."""
        for path in _absent_files(None if port.default is None else port.default.value):
            self.say(
                f"the default of input {port.name} of {self.name} is not there",
                expected="a file or folder",
                found=path,
                fix=f"pass {port.name}=...",
            )


def _remedy(value: Any, port: Port) -> str:
    if isinstance(value, str) and port.type.name == "path":
        return f"pass Path({value!r})"
    if type(value).__module__ == "numpy" and port.type.name in {*NUMBERS, "str", "bytes"}:
        return f"convert it: {port.type}(...)"
    return f"pass {with_article(port.type)}"


def _absent_files(tree: Tree) -> list[str]:
    match tree:
        case {"$": "artifact", "path": str(path)}:
            return [] if os.path.exists(path) else [path]  # noqa: PTH110  as it is
        case dict() | list():
            inner = tree.values() if isinstance(tree, dict) else tree
            return [path for value in inner for path in _absent_files(value)]
        case _:
            return []
