"""An expression as its author would have written it, for diagrams and messages."""

from __future__ import annotations

from sciflow.core.expr import Attr, Build, Call, Const, Element, Expr, Index, Input, Item, Output, Text
from sciflow.view.value import one_line

INFIX = {
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and": "&", "or": "|",
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**",
}  # fmt: skip
NAMED = {"len": "length", "not": "not_", "range": "sequence"}


def spelled(expr: Expr) -> str:
    """The expression in Python's spelling; a node's output goes by the node's name."""
    match expr:
        case Const(value=value):
            return one_line(value, width=24)
        case Input() | Item():
            return expr.port
        case Output():
            return expr.node
        case Index():
            return "item"
        case Attr(of=of, name=name):
            return f"{_operand(of)}.{name}"
        case Element(of=of, index=index):
            return f"{_operand(of)}[{spelled(index)}]"
        case Text(parts=parts):
            return '"' + "".join(p if isinstance(p, str) else "{" + spelled(p) + "}" for p in parts) + '"'
        case Build():
            return _build(expr)
        case Call():
            return _call(expr)


def _build(expr: Build) -> str:
    parts = list(map(spelled, expr.parts))
    match expr.kind:
        case "list":
            return f"[{', '.join(parts)}]"
        case "tuple":
            return f"({', '.join(parts)})"
        case "dict":
            return "{" + ", ".join(f"{key}: {part}" for key, part in zip(expr.keys, parts, strict=True)) + "}"
        case "namedtuple" | "dataclass":
            named = (f"{key}={part}" for key, part in zip(expr.keys, parts, strict=True))
            return f"{expr.of.rpartition(':')[2]}({', '.join(named)})"


def _call(expr: Call) -> str:
    match expr.args:
        case (left, right) if expr.function in INFIX:
            return f"{_operand(left)} {INFIX[expr.function]} {_operand(right)}"
        case (of,) if expr.function == "neg":
            return f"-{_operand(of)}"
        case args:
            return f"{NAMED.get(expr.function, expr.function)}({', '.join(map(spelled, args))})"


def _operand(expr: Expr) -> str:
    compound = isinstance(expr, Call) and (expr.function in INFIX or expr.function == "neg")
    return f"({spelled(expr)})" if compound else spelled(expr)
