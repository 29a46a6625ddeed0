"""Options of the command line from the typed inputs of a workflow, and values from their texts.

Path, str, enum, Literal    the text itself
int, float, bool            `--n 3`, `--x 1e-3`, `--relax / --no-relax`
list                        JSON, `--scales '[0.94, 1.0]'`, or the option repeated, once per element
everything else             JSON
null                        None, where the type allows it and is not text or a path
@file.json                  the JSON in a file, for every type but text and paths
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from sciflow.cli.literals import class_of, value_of
from sciflow.core.from_json import SEQUENCES, TEXTUAL, Unfit, bare_type, literal_text
from sciflow.core.ports import Port, Type
from sciflow.view.value import one_line

NULL = object()  # what `null` becomes: for click, None means that the option was not given


class PortType(click.ParamType[Any]):
    """What click asks about an option's text."""

    def __init__(self, type_: Type, *, nullable: bool = False) -> None:
        self.type = type_
        self.name = str(type_)
        self.nullable = nullable and type_.name not in TEXTUAL

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What stands behind the option in the help."""
        choices = _choices(self.type)
        return f"[{'|'.join(choices)}]" if choices else str(self.type).upper()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text's value, or click's error."""
        if not isinstance(value, str):
            return value
        if value == "null" and self.nullable:
            return NULL
        try:
            return value_of(value, self.type)
        except Unfit as error:
            self.fail(str(error), param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Files for paths, names for choices."""
        from click.shell_completion import CompletionItem

        if bare_type(self.type).name == "path":
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(name) for name in _choices(self.type) if name.startswith(incomplete)]


def option_of(port: Port) -> click.Option:
    """The option by which a port is given; one without a default is required."""
    name = "--" + port.name.replace("_", "-")
    facts: dict[str, Any] = {"required": port.default is None}
    if port.default is not None:
        facts["help"] = (
            "optional" if port.default.value is None else f"default: {one_line(port.default.value, width=50)}"
        )
    match bare_type(port.type):
        case Type(name="bool"):
            return click.Option([f"{name}/--no-{name[2:]}", port.name], default=None, **facts)
        case Type(name="list" | "set" | "frozenset", args=(element,)) as type_:
            facts["help"] = ", ".join(filter(None, [f"JSON, or repeated per {element}", facts.get("help", "")]))
            return click.Option([name, port.name], multiple=True, type=_ListOption(type_), **facts)
        case type_:
            kind = PortType(type_, nullable=type_ != port.type)
            return click.Option([name, port.name], type=kind, default=None, **facts)


def given(values: dict[str, Any], ports: Sequence[Port]) -> dict[str, Any]:
    """The arguments of the run from click's parameters: what was not given is left to the default."""
    found: dict[str, Any] = {}
    for port in ports:
        value = values.get(port.name)
        if isinstance(value, tuple) and bare_type(port.type).name in SEQUENCES:
            if value:
                found[port.name] = _gathered(value, bare_type(port.type))
        elif value is not None:
            found[port.name] = None if value is NULL else value
    return found


class _ListOption(PortType):
    """Each occurrence is a JSON list, or one element; they are put together at the end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            if value.startswith(("[", "@")):
                return list(value_of(value, Type(name="list", args=self.type.args)))
            return [value_of(value, self.type.args[0])]
        except Unfit as error:
            self.fail(str(error), param, ctx)


def _gathered(parts: tuple[list[Any], ...], type_: Type) -> Any:
    values = [value for part in parts for value in part]
    return SEQUENCES[type_.name](values)


def _choices(type_: Type) -> list[str]:
    bare = bare_type(type_)
    if bare.name == "literal":
        return list(map(literal_text, bare.values))
    if bare.kind == "enum":
        found = class_of(bare)
        return [member.name for member in found] if found is not None else []
    return []
