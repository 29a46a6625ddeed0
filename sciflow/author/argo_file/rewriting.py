"""Expressions taken apart and put together anew: parts replaced, and what is known worked out. Pure."""

from __future__ import annotations

from collections.abc import Callable

from sciflow.core.expr import Attr, Build, Call, Const, Element, Expr, Text, leaves
from sciflow.core.known_scope import KnownScope, value_of


def rewritten(expr: Expr, replace: Callable[[Expr], Expr | None]) -> Expr:
    """With every part for which `replace` has another, from the outside in; what is constant then is worked out."""
    other = replace(expr)
    if other is not None:
        return other
    match expr:
        case Attr(of=of, name=name):
            return _field(rewritten(of, replace), name)
        case Element(of=of, index=index):
            return worked_out(Element(of=rewritten(of, replace), index=rewritten(index, replace)))
        case Text(parts=parts):
            return worked_out(Text(parts=tuple(p if isinstance(p, str) else rewritten(p, replace) for p in parts)))
        case Call(function=function, args=args):
            return worked_out(Call(function=function, args=tuple(rewritten(arg, replace) for arg in args)))
        case Build(kind=kind, parts=parts, keys=keys, of=of_class):
            return worked_out(
                Build(kind=kind, parts=tuple(rewritten(p, replace) for p in parts), keys=keys, of=of_class)
            )
        case _:
            return expr


def _field(of: Expr, name: str) -> Expr:
    match of:
        case Build(kind="dict", keys=keys, parts=parts) if name in keys:
            return parts[keys.index(name)]
        case _:
            return worked_out(Attr(of=of, name=name))


def worked_out(expr: Expr) -> Expr:
    """The constant that an expression without leaves comes to; itself if it has some, or no value."""
    if isinstance(expr, Const) or leaves(expr):
        return expr
    values = value_of(expr, KnownScope({}))
    return Const(value=values[0]) if values else expr  # it fails where it is used
