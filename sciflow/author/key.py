"""Keys: the user's own names for tasks, with holes that are filled while running."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sciflow.author.reference import Ref
from sciflow.core.expr import Const, Expr, Index, Item, Text
from sciflow.core.graph import Fan

if TYPE_CHECKING:
    from sciflow.author.tracer import GraphTracer


def key_of(key: Any, tracer: GraphTracer, *, fan: Fan | None, inputs: dict[str, Expr], where: str) -> Expr | None:
    """A key's expression: `{item}` is the slice's number, `{port}` the value of an input."""
    if isinstance(key, Ref):
        return tracer.lift(key, where=where, what="option key")
    if not isinstance(key, str):
        fix = 'write key="relax-{item}"'
        found = type(key).__name__
        tracer.say(
            where, f"option key cannot be {key!r}", expected="text, with holes like {item}", found=found, fix=fix
        )
        return None
    holes = dict(inputs)
    if fan is not None:
        holes = {"item": Index(), **inputs, **{port: Item(port=port) for port in fan.over}}
    return _filled(key, holes, tracer, where)


def _filled(key: str, holes: Mapping[str, Expr], tracer: GraphTracer, where: str) -> Expr:
    pieces = re.split(r"\{([^{}]*)\}", key)  # text, hole, text, hole, ..., text
    parts: list[str | Expr] = pieces[:1]
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        if name not in holes:
            tracer.say(
                where,
                f"key {key!r} has a hole {{{name}}} that nothing fills",
                expected=", ".join(f"{{{n}}}" for n in holes) or "no holes",
                found="{item}, the number of a slice, and this is one call" if name == "item" else f"{{{name}}}",
                fix="name an input that the call is given",
            )
        parts += [holes.get(name, Index()), text]
    return Const(value=key) if len(pieces) == 1 else Text(parts=tuple(part for part in parts if part != ""))
