"""Keys: the user's own names for tasks, with holes that are filled while running."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sciflow.author.reference import Ref
from sciflow.core.expr import Const, Expr, Index, Item, Text
from sciflow.core.graph import Fan

if TYPE_CHECKING:
    from sciflow.author.trace import GraphTracer

_HOLE = re.compile(r"\{([^{}]*)\}")


def key_of(key: Any, tracer: GraphTracer, *, fan: Fan | None, inputs: dict[str, Expr], where: str) -> Expr | None:
    """A key's expression: `{item}` is the slice's number, `{port}` the value of an input."""
    if isinstance(key, Ref):
        return tracer.lift(key, where=where, what="key")
    if not isinstance(key, str):
        tracer.say(
            where,
            f"option key cannot be {key!r}",
            "text, with holes like {item}",
            type(key).__name__,
            'write key="relax-{item}"',
        )
        return None
    parts: list[str | Expr] = []
    for i, piece in enumerate(_HOLE.split(key)):
        if i % 2 == 0:
            parts += [piece] if piece else []
        else:
            parts.append(_hole(piece, key, tracer, fan, inputs, where))
    return Const(value=key) if all(isinstance(p, str) for p in parts) else Text(parts=tuple(parts))


def _hole(name: str, key: str, tracer: GraphTracer, fan: Fan | None, inputs: dict[str, Expr], where: str) -> Expr:
    if fan is not None and name in fan.over:
        return Item(port=name)
    if name in inputs:
        return inputs[name]
    if name == "item" and fan is not None:
        return Index()
    known = [*inputs, *(fan.over if fan is not None else ()), *(["item"] if fan is not None else [])]
    what = (
        "{item} is the number of a slice, and this is one call"
        if name == "item"
        else f"key {key!r} has a hole {{{name}}} that is no input here"
    )
    tracer.say(
        where,
        what,
        "one of " + ", ".join(known) if known else "a key without holes",
        f"{{{name}}}",
        "name an input that the call is given",
    )
    return Const(value="hole")
