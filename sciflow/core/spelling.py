"""Expressions as a person would have written them, for messages."""

from __future__ import annotations

from sciflow.core.expr import OPERATORS, Attr, Build, Call, Const, Element, Expr, Index, Input, Item, Output, Text, Tree

_PLACEHOLDER = r"\b(?:a|b|c|n)\b"
_MOST = 120


def spelled(expr: Expr) -> str:
    """`expr` in the words of the workflow, cut where it is long."""
    text = _spell(expr, depth=0)
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"


def _spell(expr: Expr, depth: int) -> str:
    if depth > 8:
        return "…"
    match expr:
        case Const() | Input() | Item() | Output() | Index():
            return _leaf(expr)
        case Attr(of=of, name=name):
            return f"{_spell(of, depth + 1)}.{name}"
        case Element(of=of, index=index):
            return f"{_spell(of, depth + 1)}[{_spell(index, depth + 1)}]"
        case Text(parts=parts):
            written = [p if isinstance(p, str) else "{" + _spell(p, depth + 1) + "}" for p in parts]
            return '"' + "".join(written) + '"'
        case Call(function=function, args=args):
            return _call(function, [_spell(a, depth + 1) for a in args])
        case Build():
            return _container(expr, depth)


def _leaf(expr: Const | Input | Item | Output | Index) -> str:
    match expr:
        case Const(value=value):
            return _constant(value)
        case Index():
            return "item"
        case Output(node=name) | Input(port=name) | Item(port=name):
            return name


def _constant(value: Tree) -> str:
    match value:
        case {"$": "float", "v": text}:
            return str(text)
        case {"$": "artifact", "path": path}:
            return f"Path({path!r})"
        case {"$": kind}:
            return f"<{value.get('type', kind)}>"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _call(function: str, args: list[str]) -> str:
    import re

    row = OPERATORS.get(function)
    if row is None or function == "range":
        return f"{'sequence' if function == 'range' else function}({', '.join(args)})"
    words = iter([f"({a})" if " " in a else a for a in args])
    return re.sub(_PLACEHOLDER, lambda _: next(words, ""), row.spelling).replace(", )", ")")


def _container(expr: Build, depth: int) -> str:
    parts = [_spell(p, depth + 1) for p in expr.parts[:5]] + ["…"] * (len(expr.parts) > 5)
    match expr.kind:
        case "list":
            return f"[{', '.join(parts)}]"
        case "tuple":
            return f"({', '.join(parts)})"
        case "dict":
            return "{" + ", ".join(f"{k!r}: {p}" for k, p in zip(expr.keys, parts, strict=False)) + "}"
        case _:
            fields = ", ".join(f"{k}={p}" for k, p in zip(expr.keys, parts, strict=False))
            return f"{expr.of.partition(':')[2]}({fields})"
