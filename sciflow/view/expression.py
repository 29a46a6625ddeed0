"""An expression as its author would have written it, for diagrams and messages."""

from __future__ import annotations

from sciflow.core.expr import Attr, Call, Const, Element, Expr, Index, Input, Item, Output, Text
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
        case Input(port=name) | Item(port=name) | Output(node=name):
            return name
        case Index():
            return "item"
        case Attr(of=of, name=name):
            return f"{_operand(of)}.{name}"
        case Element(of=of, index=index):
            return f"{_operand(of)}[{spelled(index)}]"
        case Text(parts=parts):
            return '"' + "".join(p if isinstance(p, str) else f"{{{spelled(p)}}}" for p in parts) + '"'
        case Call(function=function, args=(left, right)) if function in INFIX:
            return f"{_operand(left)} {INFIX[function]} {_operand(right)}"
        case Call(function="neg", args=(of,)):
            return f"-{_operand(of)}"
        case Call(function=function, args=args):
            return f"{NAMED.get(function, function)}({', '.join(map(spelled, args))})"


def _operand(expr: Expr) -> str:
    compound = isinstance(expr, Call) and (expr.function in INFIX or expr.function == "neg")
    return f"({spelled(expr)})" if compound else spelled(expr)
